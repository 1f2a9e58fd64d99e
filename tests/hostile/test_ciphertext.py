"""What is done to a sealed body on its way: it opens to something harmless or not at all."""

from __future__ import annotations

import base64
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seamless_wallet.ciphers import DecryptionError
from seamless_wallet.commands import Kind
from tests.hostile.door import CIPHERS, KEY, Door, Reply, check_entry
from tests.model.soak import example_settings, limit

pytestmark = limit

BLOCK = 16
many = example_settings(examples=120)
NAMES = st.sampled_from(sorted(CIPHERS))


def visible(reply: Reply, door: Door, name: str) -> object:
    """All that a caller with the key sees of an answer. With a random nonce: its length, and what it says."""
    headers = {key: value for key, value in reply.headers.items() if key != "Date"}
    body = reply.body if CIPHERS[name] == "aes-256-ecb" else (len(reply.body), door.open(name, reply.body))
    return headers, body


@many
@given(
    name=NAMES,
    how=st.sampled_from(("flip", "swap", "cut", "extend", "repeat", "drop", "splice")),
    a=st.integers(0, 2**16),
    b=st.integers(0, 2**16),
)
def test_tampering(door, name, how, a, b):
    """GCM: R2, always. ECB, which has no MAC: R2, R3, or an event that says clearly what it says; never a bug."""
    sealed = base64.b64decode(door.seal(name, json.dumps(door.event(Kind.BET)).encode()))
    other = base64.b64decode(door.seal(name, json.dumps(door.event(Kind.BET)).encode()))
    changed = tamper(sealed, other, how, a, b)
    before = door.seqs()
    reply = door.post(name, base64.b64encode(changed))
    code = door.open(name, reply.body)["code"]
    if changed == sealed:
        return
    if CIPHERS[name] == "aes-256-gcm":
        assert code == "R2"
    if code == "R0":
        provider = door.providers[name]
        check_entry(provider.open(base64.b64encode(changed), provider.keys[0]), door.last_entry(before))
    else:
        assert door.seqs() == before


def tamper(sealed: bytes, other: bytes, how: str, a: int, b: int) -> bytes:
    """Another ciphertext."""
    blocks = [sealed[at : at + BLOCK] for at in range(0, len(sealed), BLOCK)]
    i, j = a % len(blocks), b % len(blocks)
    match how:
        case "flip":
            at = a % len(sealed)
            return sealed[:at] + bytes((sealed[at] ^ (1 << b % 8),)) + sealed[at + 1 :]
        case "swap":
            blocks[i], blocks[j] = blocks[j], blocks[i]
        case "cut":
            return sealed[: a % len(sealed)]
        case "extend":
            return sealed + os.urandom(1 + a % 40)
        case "repeat":
            blocks[i:i] = [blocks[j]]
        case "drop":
            del blocks[i]
        case "splice":
            blocks[i] = other[j * BLOCK : (j + 1) * BLOCK]
    return b"".join(blocks)


@pytest.mark.parametrize("name", sorted(CIPHERS))
def test_every_failure_to_open_is_the_same_answer(door, name):
    """To the byte, headers included: nothing says whether it was base64, length, padding or tag."""
    sealed = door.seal(name, b"{}" * 8)
    assert sealed.endswith(b"=")
    raw = base64.b64decode(sealed)
    bodies = [
        *(
            b"",
            b"x",
            b"====",
            b"not base64!",
            b'"' + sealed,
            sealed + b'"',
            sealed[:-1],
            b"\xff" + sealed,
            b'"\\ud800"',
        ),
        *(
            sealed.replace(b"=", b""),
            sealed[:8] + b"\n" + sealed[8:],
            sealed[:8] + b"-_" + sealed[10:],
            b"[" + sealed + b"]",
        ),
        # What a lax reader of base64 skips, in fours.
        *(sealed[:8] + b"\n" * 4 + sealed[8:], sealed[:8] + b"!*-_" + sealed[8:]),
        *(sealed + b"AAAA", sealed + b"\0" * 4, sealed + b"====", b'"' + sealed[:8] + b"\\n" * 4 + sealed[8:] + b'"'),
        *(base64.b64encode(part) for part in (raw[:15], raw[:16], raw[:-16], raw + b"x", bytes(64))),
        base64.b64encode(door.providers[name].keys[0].cipher.seal(b"")[:-1]),
    ]
    random = [base64.b64encode(os.urandom(length)) for length in (1, 16, 28, 32, 480, 30_000)]
    random += [base64.b64encode(raw[::-1]), base64.b64encode(raw * 2)]
    bodies += [body for body in random if not opens(door, name, body)]
    answers = [visible(door.post(name, body), door, name) for body in bodies]
    assert all(answer == answers[0] for answer in answers)
    assert door.open(name, door.post(name, bodies[0]).body) == {"code": "R2"}


def opens(door: Door, name: str, body: bytes) -> bool:
    """Random bytes end like a padding once in 256 times, and blocks may be repeated."""
    try:
        door.providers[name].open(body, door.providers[name].keys[0])
    except DecryptionError:
        return False
    return True


@pytest.mark.parametrize("api_id", ["US", "Us", "u", "uss", "u s", "", "\u00fcs", "\uff55\uff53"])
def test_an_api_id_is_exact(door, api_id):
    """With the right key and almost the right id: R2 for an event that is valid, and nothing is written."""
    body = door.seal("blocks", json.dumps(door.event(Kind.BET)).encode())
    before = door.seqs()
    reply = door.post("blocks", body, {**door.headers("blocks"), "Api-Id": api_id})
    assert door.open("blocks", reply.body) == {"code": "R2"}
    assert door.seqs() == before


@pytest.mark.parametrize("path", ["blocks", "sealed", "nobody", "..%2f", "%00", "blocks%20"])
def test_strangers_see_one_answer(door, path):
    """Whatever they send, in whichever header: the same bytes, no key, no id."""
    body = door.seal("blocks", json.dumps(door.event(Kind.BET)).encode())
    headers = [
        {},
        {"Api-Key": ""},
        {"Api-Key": KEY[:-1], "Api-Id": "us"},
        {"Api-Key": KEY + "x", "Api-Id": "us"},
        {"Api-Key": KEY.upper(), "Api-Id": "us"},
        {"Api-Key": "k" * 5_000},
        {"Api-Key": "\u00e9\u00ff" * 16},
        {"Api-Id": "us"},
    ]
    before = door.seqs()
    replies = [door.post(path, body, each) for each in headers]
    seen = {(r.body, json.dumps({k: v for k, v in r.headers.items() if k != "Date"})) for r in replies}
    assert len(seen) == 1
    assert {reply.body for reply in replies} == {b'{"code":"R2"}'}
    assert not any("Api-Key" in reply.headers or "Api-Id" in reply.headers for reply in replies)
    assert door.seqs() == before
