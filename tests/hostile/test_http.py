"""Callers who send too much, too slowly or in pieces: others are served, memory stays bounded, no call hangs."""

from __future__ import annotations

import asyncio
import gc
import json
import time
from itertools import pairwise

import pytest

import seamless_wallet.webhook.endpoint
from seamless_wallet.commands import Kind
from tests.hostile.door import BODY_MAX, Door, rss_bytes

MEGABYTE = 1_000_000
GROWTH_MAX = 100 * MEGABYTE
"""Far above what the limit on bodies allows, far below what is sent."""

PROMPT_S = 5.0
"""For one call of somebody else. Some milliseconds on a machine that has nothing else to do."""


async def raw(door: Door, head: str, *parts: bytes, pause_s: float = 0.0) -> bytes:
    """Write a request by hand and read what comes until the connection closes, or an answer is complete."""
    server = door.client.server
    reader, writer = await asyncio.open_connection(server.host, server.port)
    try:
        writer.write(head.replace("\n", "\r\n").encode() + b"\r\n\r\n")
        for part in parts:
            writer.write(part)
            await writer.drain()
            if pause_s:
                await asyncio.sleep(pause_s)
        return await asyncio.wait_for(reader.read(65_536), 20)
    except OSError:
        return b""  # closed while it was still sending
    finally:
        writer.close()


def head(door: Door, *lines: str) -> str:
    """The head of a request with the right key."""
    headers = [f"{name}: {value}" for name, value in door.headers("blocks").items()]
    return "\n".join(["POST /webhook/blocks HTTP/1.1", "Host: wallet", *headers, *lines])


def is_served(door: Door) -> None:
    """Somebody else's call, and how long it takes."""
    started_s = time.monotonic()
    assert door.call("blocks", json.dumps(door.event(Kind.BET)).encode()) == "R0"
    assert time.monotonic() - started_s < PROMPT_S


@pytest.mark.parametrize("chunked", [False, True])
def test_bodies_of_ten_megabytes(door, chunked):
    """20 at once, 200 MB: R2 or a closed connection, memory within bounds, others are served, nothing is written."""
    part = b"A" * MEGABYTE
    line, sent = ("Content-Length: 10000000", part)
    if chunked:
        line, sent = ("Transfer-Encoding: chunked", b"%x\r\n%s\r\n" % (len(part), part))
    before, seqs = rss_bytes(), door.seqs()

    async def flood() -> list[bytes]:
        return await asyncio.gather(*(raw(door, head(door, line), *[sent] * 10) for _ in range(20)))

    answers = door.town.run(flood())
    gc.collect()
    assert rss_bytes() - before < GROWTH_MAX
    assert all(b"200 OK" in answer and b"close" in answer.lower() for answer in answers if answer)
    assert door.seqs() == seqs
    is_served(door)


def test_slow_callers(door, monkeypatch):
    """100 who promise a body and do not send it: each is told R2 after a while, nobody else waits."""
    monkeypatch.setattr(seamless_wallet.webhook.endpoint, "BODY_READ_S", 1.0)
    jobs = [
        asyncio.run_coroutine_threadsafe(raw(door, head(door, "Content-Length: 5000"), b"AAAA"), door.town.loop)
        for _ in range(100)
    ]
    for _ in range(5):
        is_served(door)
    answers = [job.result(20) for job in jobs]
    assert all(b"200 OK" in answer and b"close" in answer.lower() for answer in answers)


def test_a_body_in_many_pieces(door):
    """Byte by byte in chunks: the same as in one."""
    sealed = door.seal("blocks", json.dumps(door.event(Kind.BET)).encode())
    pieces = [b"%x\r\n%s\r\n" % (b - a, sealed[a:b]) for a, b in pairwise([*range(0, len(sealed), 7), len(sealed)])]
    answer = door.town.run(raw(door, head(door, "Transfer-Encoding: chunked"), *pieces, b"0\r\n\r\n"))
    assert b"200 OK" in answer
    assert door.open("blocks", answer.rpartition(b"\r\n\r\n")[2])["code"] == "R0"


@pytest.mark.parametrize(
    ("line", "body"),
    [
        ("Transfer-Encoding: chunked", b"zz\r\nAAAA\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked", b"-1\r\nAAAA\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked", b"ffffffffffffffff\r\nAAAA"),
        ("Transfer-Encoding: chunked\nContent-Length: 4", b"4\r\nAAAA\r\n0\r\n\r\n"),
        ("Content-Length: -1", b"AAAA"),
        ("Content-Length: 4\nContent-Length: 5", b"AAAAA"),
        ("Content-Length: 99999999999999999999", b"AAAA"),
        ("Content-Encoding: gzip\nContent-Length: 4", b"AAAA"),
        ("Content-Length: 4\nX-Long: " + "x" * 20_000, b"AAAA"),
        ("Content-Length: 4\nNot a header", b"AAAA"),
        ("Expect: 100-continue\nContent-Length: 4", b"AAAA"),
    ],
)
def test_broken_framing(door, monkeypatch, line, body):
    """R2, or aiohttp's 400 where it is no HTTP at all; no event, no bug, and the next caller is served."""
    monkeypatch.setattr(seamless_wallet.webhook.endpoint, "BODY_READ_S", 0.5)
    seqs = door.seqs()
    answer = door.town.run(raw(door, head(door, line), body))
    assert not answer or answer.startswith((b"HTTP/1.1 200", b"HTTP/1.0 400", b"HTTP/1.1 100"))
    assert b"Traceback" not in answer
    assert door.seqs() == seqs
    is_served(door)


def test_the_largest_body_takes_no_time(door):
    """Worst cases that fit into a body: digits, nesting, many keys, many items, escapes."""
    room = BODY_MAX * 3 // 4 - 4_000
    event = json.dumps(door.event(Kind.BET))
    texts = [
        event.replace("100,", "1" * room + ",", 1),
        event.replace("100,", "1e" + "9" * room + ",", 1),
        event.replace("100,", "0." + "0" * room + "1,", 1),
        event[:-1] + ', "x": "' + "\\u0041" * (room // 6) + '"}',
        event[:-1] + "," + ",".join(f'"k{n}":0' for n in range(room // 12)) + "}",
        event[:-1] + ', "x": ' + "[" * (room // 2) + "]" * (room // 2) + "}",
        event.replace('"kim"', '"' + ":" * room + '"', 1),
    ]
    for text in texts:
        started_s = time.monotonic()
        assert door.call("blocks", text.encode()) in {"R0", "R3"}
        assert time.monotonic() - started_s < PROMPT_S
