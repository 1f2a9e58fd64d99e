from __future__ import annotations

import base64
import contextlib
import os
import re

import pytest
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given, settings
from hypothesis import strategies as st

from seamless_wallet.ciphers import CIPHERS, DecryptionError, decode_key
from seamless_wallet.providers import Key

REPEATABLE = settings(derandomize=True, deadline=None)  # the same examples on every machine
KEY = bytes(range(32))


@pytest.mark.parametrize("name", CIPHERS)
@REPEATABLE
@given(plaintext=st.binary(max_size=200))
def test_what_is_sealed_opens(name: str, plaintext: bytes):
    """What is sealed opens."""
    cipher = CIPHERS[name](KEY, os.urandom)
    assert cipher.open(cipher.seal(plaintext)) == plaintext


@REPEATABLE
@given(st.lists(st.binary(max_size=70), max_size=5))
def test_a_kept_ecb_context_gives_what_a_fresh_one_with_library_padding_gives(texts: list[bytes]):
    """A kept ecb context gives what a fresh one with library padding gives."""
    kept = CIPHERS["aes-256-ecb"](KEY, os.urandom)
    for text in texts:
        pad = padding.PKCS7(128).padder()
        fresh = Cipher(algorithms.AES256(KEY), modes.ECB()).encryptor()  # noqa: S305 - the one under test
        assert kept.seal(text) == fresh.update(pad.update(text) + pad.finalize()) + fresh.finalize()


@REPEATABLE
@given(st.binary(max_size=100))
def test_ecb_opens_or_fails_on_any_bytes_and_goes_on(sealed: bytes):
    """Ecb opens or fails on any bytes and goes on."""
    cipher = CIPHERS["aes-256-ecb"](KEY, os.urandom)
    with contextlib.suppress(DecryptionError):
        cipher.open(sealed)
    assert cipher.open(cipher.seal(b"next")) == b"next"


@pytest.mark.parametrize("last", [b"\x00", b"\x11", b"\xff", b"\x03\x02", b"\x02\x03\x03"])
def test_ecb_refuses_bad_padding(last: bytes):
    """Ecb refuses bad padding."""
    encryptor = Cipher(algorithms.AES256(KEY), modes.ECB()).encryptor()  # noqa: S305 - the one under test
    with pytest.raises(DecryptionError):
        CIPHERS["aes-256-ecb"](KEY, os.urandom).open(encryptor.update(last.rjust(16, b"x")))


@REPEATABLE
@given(st.data())
def test_gcm_refuses_any_flipped_bit(data: st.DataObject):
    """Gcm refuses any flipped bit."""
    cipher = CIPHERS["aes-256-gcm"](KEY, os.urandom)
    sealed = bytearray(cipher.seal(b"twenty bytes of text"))
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(DecryptionError):
        cipher.open(bytes(sealed))


def test_gcm_puts_a_fresh_nonce_in_front():
    """Gcm puts a fresh nonce in front."""
    cipher = CIPHERS["aes-256-gcm"](KEY, os.urandom)
    one, other = cipher.seal(b""), cipher.seal(b"")
    assert len(one) == 12 + 16
    assert one[:12] != other[:12]


def test_gcm_takes_its_nonce_from_the_source_that_it_is_given():
    """A seed then decides every byte of a body."""
    cipher = CIPHERS["aes-256-gcm"](KEY, lambda size: b"n" * size)
    assert cipher.seal(b"text") == cipher.seal(b"text")
    assert cipher.seal(b"text").startswith(b"n" * 12)


@pytest.mark.parametrize("name", CIPHERS)
@pytest.mark.parametrize("sealed", [b"", b"x", b"x" * 15, b"x" * 17, b"x" * 27])
def test_every_failure_is_the_same_error_without_detail(name: str, sealed: bytes):
    """Every failure is the same error without detail."""
    with pytest.raises(DecryptionError) as caught:
        CIPHERS[name](KEY, os.urandom).open(sealed)
    assert caught.value.args == ()
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("name", CIPHERS)
def test_another_key_does_not_open(name: str):
    """Another key does not open."""
    sealed = CIPHERS[name](KEY, os.urandom).seal(b'{"event_type":"login"}')
    with pytest.raises(DecryptionError):
        CIPHERS[name](KEY[::-1], os.urandom).open(sealed)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [("x" * 32, "utf8"), ("\u03b1" * 16, "utf8"), (KEY.hex(), "hex"), (base64.b64encode(KEY).decode(), "base64")],
)
def test_a_key_of_32_bytes_is_taken(text: str, encoding: str):
    """A key of 32 bytes is taken."""
    assert len(decode_key(text, encoding)) == 32


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("SECRET-x", "utf8"),
        ("SECRET-" + "x" * 26, "utf8"),
        ("SECRET-" + "\u03b1" * 25, "utf8"),
        ("SECRET-\ud800", "utf8"),
        ("SECRET-", "hex"),
        ("SECRET-" * 7, "base64"),
        ("SECRETXX", "base64"),
        ("SECRET-" + "x" * 25, "rot13"),
    ],
)
def test_any_other_key_is_refused_without_being_quoted(text: str, encoding: str):
    """Any other key is refused without being quoted."""
    with pytest.raises(ValueError, match="key") as caught:
        decode_key(text, encoding)
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "cipher", "encoding", "told"),
    [
        ("k" * 32, "rot13", "utf8", "unknown cipher 'rot13'; choose one of aes-256-ecb, aes-256-gcm"),
        ("k" * 32, "aes-256-ecb", "rot13", "set key_encoding to one of utf8, hex, base64"),
        ("k" * 31, "aes-256-ecb", "utf8", "31 bytes"),
        ("k" * 31 + "\t", "aes-256-ecb", "utf8", "must fit into an HTTP header"),
    ],
)
def test_a_key_that_cannot_be_used_is_refused_as_one_kind_of_error(text, cipher, encoding, told):
    """Whatever is wrong is a ValueError, and none repeats the key."""
    with pytest.raises(ValueError, match=re.escape(told)) as refused:
        Key.parse(text, cipher, encoding, os.urandom)
    assert text.strip() not in str(refused.value)
