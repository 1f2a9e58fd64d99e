"""The load: raw HTTP/1.1 over loopback, prepared requests, little CPU of its own.

A closed loop finds the maximum: so many clients, each sends its next request when the last one is answered. Latency is
of an open loop: requests have intended times, and the time of each begins then, whether or not it could be sent. So a
server that stalls is charged for all that had to wait, as real callers would (no coordinated omission).
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple, Protocol, cast

LIMIT_S: Final = 300.0
"""A run that takes longer has failed."""

POOL: Final = 128
"""Connections of an open loop. A request that finds none free waits, and the wait is counted."""


class WrongAnswer(Exception):
    """The server did not do what it should: the run is void."""


class Sendable(Protocol):
    """What can be sent: one HTTP request as it goes on the wire."""

    @property
    def request(self) -> bytes: ...


class Answered(NamedTuple):
    """All answers of a run, in the order in which they came, and the time that each took."""

    seconds: float
    answers: list[tuple[Any, bytes]]
    """What was sent, and the body of its answer."""
    taken_ns: list[int]
    late_ns: list[int]
    """By how much this process came to each request of an open loop after its intended time."""


def post(path: str, body: bytes, headers: dict[str, str]) -> bytes:
    """One HTTP/1.1 request as it goes on the wire."""
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class _Client(asyncio.Protocol):
    """One keep-alive connection with at most one request in flight. It connects anew after an answer that says so."""

    def __init__(self, run: _Run, port: int) -> None:
        self._run = run
        self._port = port
        self._received = b""
        self._transport: asyncio.Transport | None = None
        self._sent: Sendable | None = None
        self.began_ns = 0
        self.rest: Iterator[Sendable] = iter(())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._sent is not None:
            self._run.fail(WrongAnswer(f"the server closed a connection instead of answering: {exc}"))

    def send(self, event: Sendable, began_ns: int) -> None:
        assert self._transport
        self._sent, self.began_ns = event, began_ns
        self._transport.write(event.request)

    async def connect(self) -> None:
        """Take the place of a connection that was closed, or open the first one."""
        await asyncio.get_running_loop().create_connection(lambda: self, "127.0.0.1", self._port)

    def close(self) -> None:
        if self._transport:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        received = self._received + data if self._received else data
        head = received.find(b"\r\n\r\n")
        due = head + 4 + _content_length(received, head)
        if head < 0 or len(received) < due:
            self._received = received
            return
        self._received = b""
        event, self._sent = self._sent, None
        if event is None or len(received) > due or not received.startswith(b"HTTP/1.1 20"):
            self._run.fail(WrongAnswer(received[:500].decode(errors="replace")))
        else:
            is_last = received.find(b"\r\nConnection: close", 0, head) > 0
            self._run.answered(self, event, received[head + 4 :], is_last=is_last)


def _content_length(received: bytes, head: int) -> int:
    """Of the body. 0 if the head does not say, so that what follows is too much."""
    at = received.find(b"ontent-Length:", 0, head)  # as aiohttp and the wallet write it
    return int(received[at + 14 : received.index(b"\r\n", at)]) if at > 0 else 0


class _Run:
    """What closed and open loops share: the answers, and the end."""

    def __init__(self) -> None:
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.answers: list[tuple[Sendable, bytes]] = []
        self.taken_ns: list[int] = []
        self.late_ns: list[int] = []
        self._connecting: set[asyncio.Task[None]] = set()

    def fail(self, fault: Exception) -> None:
        if not self._done.done():
            self._done.set_exception(fault)

    def finish(self) -> None:
        if not self._done.done():
            self._done.set_result(None)

    def answered(self, client: _Client, event: Sendable, body: bytes, *, is_last: bool) -> None:
        """An answer has come. `is_last`: the server ends the connection with it."""
        self.taken_ns.append(time.perf_counter_ns() - client.began_ns)
        self.answers.append((event, body))
        if is_last:
            task = asyncio.create_task(self._proceed_anew(client))
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)
        else:
            self.proceed(client)

    async def _proceed_anew(self, client: _Client) -> None:
        client.close()
        try:
            await client.connect()
        except OSError as error:
            self.fail(WrongAnswer(f"the server takes no connection: {error}"))
        else:
            self.proceed(client)

    def proceed(self, client: _Client) -> None:
        raise NotImplementedError

    async def clients(self, port: int, count: int) -> list[_Client]:
        """So many connections. One at a time: a listen queue is no part of what is measured."""
        clients = [_Client(self, port) for _ in range(count)]
        for client in clients:
            await client.connect()
        return clients

    async def end(self, clients: Sequence[_Client]) -> None:
        try:
            async with asyncio.timeout(LIMIT_S):
                await self._done
        finally:
            for client in clients:
                client.close()


class _ClosedLoop(_Run):
    def __init__(self, sequences: Iterator[Sequence[Sendable]], in_flight: int) -> None:
        super().__init__()
        self._sequences = sequences
        self._playing = in_flight

    def proceed(self, client: _Client) -> None:
        event = next(client.rest, None)
        while event is None:
            sequence = next(self._sequences, None)
            if sequence is None:
                self._playing -= 1
                if not self._playing:
                    self.finish()
                return
            client.rest = iter(sequence)
            event = next(client.rest, None)
        client.send(event, time.perf_counter_ns())


async def closed_loop(port: int, sequences: Sequence[Sequence[Sendable]], in_flight: int) -> Answered:
    """Play sequences of requests over `in_flight` clients.

    A client plays one sequence after the other, so that what depends on an answer is sent after it. Raises WrongAnswer
    for any status but 2xx, and TimeoutError.
    """
    run = _ClosedLoop(iter(sequences), in_flight)
    clients = await run.clients(port, in_flight)
    start_ns = time.perf_counter_ns()
    for client in clients:
        run.proceed(client)
    await run.end(clients)
    return Answered((time.perf_counter_ns() - start_ns) / 1e9, run.answers, run.taken_ns, [])


class _PairedLoop(_Run):
    """Each client has a connection to every server, and plays a turn: one request to each, one after the other."""

    def __init__(self, turns: Iterator[Sequence[Sendable]], in_flight: int) -> None:
        super().__init__()
        self._turns = turns
        self._playing = in_flight
        self._following: dict[_Client, _Client] = {}
        self._first: set[_Client] = set()

    def link(self, clients: Sequence[_Client]) -> None:
        """These are the connections of one client, in the order in which it uses them."""
        self._first.add(clients[0])
        self._following |= dict(zip(clients, [*clients[1:], clients[0]], strict=True))
        self.begin(clients[0])

    def begin(self, client: _Client) -> None:
        turn = next(self._turns, None)
        if turn is not None:
            client.rest = iter(turn)
            client.send(next(client.rest), time.perf_counter_ns())
            return
        self._playing -= 1
        if not self._playing:
            self.finish()

    def proceed(self, client: _Client) -> None:
        following = self._following[client]
        if following in self._first:
            self.begin(following)
        else:
            following.rest = client.rest
            following.send(next(following.rest), time.perf_counter_ns())


async def paired_loop(ports: Sequence[int], requests: Sequence[Sequence[Sendable]], in_flight: int) -> list[Answered]:
    """Send each server its requests, over clients that each ask all servers in turn; what each answered.

    So all see the same rate at the same time, on equally busy cores and equally cold caches, and their CPU can be
    compared, however different they are. Raises WrongAnswer and TimeoutError.
    """
    run = _PairedLoop(iter(list(zip(*requests, strict=True))), in_flight)
    connections = [await run.clients(port, in_flight) for port in ports]
    start_ns = time.perf_counter_ns()
    for clients in zip(*connections, strict=True):
        run.link(clients)
    await run.end([client for clients in connections for client in clients])
    seconds = (time.perf_counter_ns() - start_ns) / 1e9
    places = {id(event): place for place, events in enumerate(requests) for event in events}
    found = [Answered(seconds, [], [], []) for _ in ports]
    for (event, body), taken_ns in zip(run.answers, run.taken_ns, strict=True):
        answered = found[places[id(event)]]
        answered.answers.append((event, body))
        answered.taken_ns.append(taken_ns)
    return found


def intended_s(count: int, rate: float, seed: int) -> list[float]:
    """When requests that come by chance, `rate` a second, are due: seconds from the start, each after the last."""
    chance = random.Random(seed)
    at_s, due_s = 0.0, []
    for _ in range(count):
        due_s.append(at_s)
        at_s += chance.expovariate(rate)
    return due_s


class _OpenLoop(_Run):
    def __init__(self, events: Sequence[Sendable]) -> None:
        super().__init__()
        self._left = len(events)
        self._free: deque[_Client] = deque()
        self._waiting: deque[tuple[Sendable, int]] = deque()

    def due(self, event: Sendable, due_ns: int) -> None:
        self.late_ns.append(time.perf_counter_ns() - due_ns)
        if self._free:
            self._free.pop().send(event, due_ns)
        else:
            self._waiting.append((event, due_ns))

    def proceed(self, client: _Client) -> None:
        self._left -= 1
        if not self._left:
            self.finish()
        elif self._waiting:
            client.send(*self._waiting.popleft())
        else:
            self._free.append(client)

    def release(self, clients: Sequence[_Client]) -> None:
        self._free.extend(clients)


async def open_loop(port: int, events: Sequence[Sendable], rate: float, seed: int = 1) -> Answered:
    """Send requests at random intended times, `rate` a second. Raises WrongAnswer and TimeoutError."""
    run = _OpenLoop(events)
    clients = await run.clients(port, POOL)
    run.release(clients)
    loop = asyncio.get_running_loop()
    start_ns = time.perf_counter_ns() + 10_000_000
    due_ns = [start_ns + int(at_s * 1e9) for at_s in intended_s(len(events), rate, seed)]
    stopped = threading.Event()

    def pace() -> None:
        """A thread, because timers of an event loop fire on whole milliseconds."""
        for event, at_ns in zip(events, due_ns, strict=True):
            rest_s = (at_ns - time.perf_counter_ns()) / 1e9
            if rest_s > 0:
                time.sleep(rest_s)
            if stopped.is_set():
                return
            loop.call_soon_threadsafe(run.due, event, at_ns)

    pacer = threading.Thread(target=pace, daemon=True)
    pacer.start()
    try:
        await run.end(clients)
    finally:
        stopped.set()
        await asyncio.to_thread(pacer.join)
    return Answered((time.perf_counter_ns() - start_ns) / 1e9, run.answers, run.taken_ns, run.late_ns)
