"""The load sends what it should, in order and when it is due, and takes no other answer than a whole one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import NamedTuple

import pytest

from benchmarks.generator import WrongAnswer, closed_loop, intended_s, open_loop, paired_loop, post

RIGHT = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Request(NamedTuple):
    """Something to send."""

    request: bytes


def requests(count: int, first: int = 0) -> list[Request]:
    """Each with a number in its body."""
    return [Request(post("/", b"%06d" % number, {})) for number in range(first, first + count)]


@asynccontextmanager
async def server(
    answer: Callable[[int, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[tuple[int, list[int]]]:
    """Its port, and the numbers of the requests that it has received. `answer` does with each as it likes."""
    received: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                received.append(int(await reader.readexactly(6)))
                await answer(received[-1], writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        yield listening.sockets[0].getsockname()[1], received


async def right(_: int, writer: asyncio.StreamWriter) -> None:
    """Answer at once."""
    writer.write(RIGHT)


async def test_every_request_is_sent_once_and_has_its_answer():
    """Whatever the number of clients is"""
    async with server(right) as (port, received):
        answered = await closed_loop(port, [(request,) for request in requests(100)], 7)
    assert sorted(received) == list(range(100))
    assert sorted(event.request for event, _ in answered.answers) == [each.request for each in requests(100)]
    assert {body for _, body in answered.answers} == {b"ok"}
    assert len(answered.taken_ns) == 100


async def test_a_sequence_is_sent_in_order_each_after_the_answer_before():
    """A result is never on its way before its bet is answered"""
    open_sequences: set[int] = set()

    async def one_at_a_time(number: int, writer: asyncio.StreamWriter) -> None:
        assert number // 3 not in open_sequences
        open_sequences.add(number // 3)
        await asyncio.sleep(0)
        open_sequences.remove(number // 3)
        writer.write(RIGHT)

    async with server(one_at_a_time) as (port, received):
        await closed_loop(port, [requests(3, first) for first in range(0, 60, 3)], 8)
    for first in range(0, 60, 3):
        assert [number for number in received if number // 3 == first // 3] == [first, first + 1, first + 2]


@pytest.mark.parametrize("load", ["closed", "open"])
async def test_a_server_may_end_a_connection_with_an_answer(load):
    """As workers do that share out connections: the client connects anew, and every request has its answer"""

    async def last(number: int, writer: asyncio.StreamWriter) -> None:
        if number % 3:
            writer.write(RIGHT)
            return
        writer.write(RIGHT.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        await writer.drain()
        writer.close()

    events = requests(60)
    async with server(last) as (port, received):
        if load == "closed":
            answered = await closed_loop(port, [(event,) for event in events], 4)
        else:
            answered = await open_loop(port, events, 5_000)
    assert sorted(received) == list(range(60))
    assert len(answered.answers) == 60


async def test_two_servers_side_by_side_get_the_same():
    """Each its own requests, as many as the other, and the answers are told apart"""

    async def left(_: int, writer: asyncio.StreamWriter) -> None:
        writer.write(RIGHT.replace(b"ok", b"le"))

    async with server(left) as (port, received), server(right) as (other_port, other_received):
        found = await paired_loop([port, other_port], [requests(50), requests(50, 100)], 4)
    assert sorted(received) == list(range(50))
    assert sorted(other_received) == list(range(100, 150))
    assert [{body for _, body in answered.answers} for answered in found] == [{b"le"}, {b"ok"}]
    assert [len(answered.taken_ns) for answered in found] == [50, 50]


async def test_an_answer_in_pieces_is_put_together():
    """As a network may cut it"""

    async def in_pieces(_: int, writer: asyncio.StreamWriter) -> None:
        for at in range(0, len(RIGHT), 7):
            writer.write(RIGHT[at : at + 7])
            await writer.drain()
            await asyncio.sleep(0)

    async with server(in_pieces) as (port, _):
        answered = await closed_loop(port, [(request,) for request in requests(3)], 1)
    assert [body for _, body in answered.answers] == [b"ok"] * 3


@pytest.mark.parametrize(
    "wrong",
    [
        b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\nno",
        b"HTTP/1.1 200 OK\r\n\r\nok",
        RIGHT + RIGHT,
        RIGHT + b"!",
    ],
    ids=["status", "no length", "two answers", "surplus"],
)
@pytest.mark.parametrize("loop", ["closed", "open"])
async def test_a_wrong_answer_makes_the_run_void(wrong, loop):
    """Nothing of it is measured"""

    async def answer(_: int, writer: asyncio.StreamWriter) -> None:
        writer.write(wrong)

    async with server(answer) as (port, _):
        closed = loop == "closed"
        running = closed_loop(port, [requests(5)], 2) if closed else open_loop(port, requests(5), 1000)
        with pytest.raises(WrongAnswer):
            await running


async def test_a_connection_that_closes_instead_of_answering_makes_the_run_void():
    """It is no request less"""

    async def hang_up(number: int, writer: asyncio.StreamWriter) -> None:
        if number == 3:
            writer.close()
        else:
            writer.write(RIGHT)

    async with server(hang_up) as (port, _):
        with pytest.raises(WrongAnswer, match="closed a connection"):
            await closed_loop(port, [(request,) for request in requests(5)], 1)


async def test_latency_of_an_open_loop_begins_when_a_request_was_due():
    """A server that answers nobody until the last request is there: each has waited since its own time"""
    count, rate = 30, 300.0
    there = asyncio.Event()

    async def at_last(number: int, writer: asyncio.StreamWriter) -> None:
        if number == count - 1:
            there.set()
        await there.wait()
        writer.write(RIGHT)

    async with server(at_last) as (port, received):
        answered = await open_loop(port, requests(count), rate, seed=5)
    assert received == list(range(count))
    due_s = intended_s(count, rate, 5)
    waited_s = {event.request: ns / 1e9 for (event, _), ns in zip(answered.answers, answered.taken_ns, strict=True)}
    for request, at_s in zip(requests(count), due_s, strict=True):
        assert waited_s[request.request] >= due_s[-1] - at_s


async def test_a_request_that_finds_no_connection_free_has_waited_since_it_was_due(monkeypatch):
    """No coordinated omission: what could not be sent is charged all the same"""
    monkeypatch.setattr("benchmarks.generator.POOL", 1)
    due_s = intended_s(10, 1000.0, 5)

    async def late(number: int, writer: asyncio.StreamWriter) -> None:
        if number == 0:
            await asyncio.sleep(due_s[-1] + 0.05)
        writer.write(RIGHT)

    async with server(late) as (port, received):
        answered = await open_loop(port, requests(10), 1000.0, seed=5)
    assert received == list(range(10))
    assert min(answered.taken_ns) / 1e9 >= 0.04


def test_intended_times_are_those_of_a_seed_at_the_rate():
    """The same in every run, in order, and so many a second"""
    times_s = intended_s(20_000, 500.0, 3)
    assert times_s == intended_s(20_000, 500.0, 3)
    assert times_s != intended_s(20_000, 500.0, 4)
    assert all(before < after for before, after in pairwise(times_s))
    assert len(times_s) / times_s[-1] == pytest.approx(500, rel=0.03)
