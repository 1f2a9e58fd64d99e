"""One connection to Redis, shared by everything a process does there, written in batches.

Commands of one turn of the event loop leave together, `BATCH_MAX` in a write, and replies resolve their futures in
order. A pool costs many times the CPU per command (docs/decisions.md).

A pipeline never repeats a command. When a connection breaks or a reply is overdue, nobody knows what was executed:
every command in flight fails with `OutcomeUnknown`, and the caller learns the truth by idempotency.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple

import structlog
from redis.exceptions import ReadOnlyError, RedisError, ResponseError

from seamless_wallet.engine.packing import packed
from seamless_wallet.engine.ports import Connection, RedisAddress
from seamless_wallet.engine.server import SECTIONS, Server, parse_server
from seamless_wallet.errors import WalletError
from seamless_wallet.observability import metrics

RECONNECT_FIRST_S: Final = 0.01
RECONNECT_MAX_S: Final = 0.25

IDLE_PING_S: Final = 1.0
"""How often an idle connection is asked for a sign of life. It has as long as any command."""

BATCH_MAX: Final = 8
"""Commands of one write. With more of them a server would wait until all are made, and whoever makes them until all
are run: all processes would take turns, each with the work of everybody (docs/performance.md).
"""

log = structlog.get_logger(__name__)


class RedisUnavailable(WalletError):
    """The command has no answer."""


class NotSent(RedisUnavailable):
    """Nothing was sent: the pipeline is down or full."""


class OutcomeUnknown(RedisUnavailable):
    """The command was sent, and nobody knows whether it was executed."""


class _InFlight(NamedTuple):
    future: asyncio.Future[Any]
    sent_s: float


Admit = Callable[[Server, "Pipeline"], Awaitable[bool]]
"""Asked on every connect: is this the server that SQL recorded? Until it says so, only `send` works."""


class Pipeline:
    """One pipelined connection. `run` keeps it connected; `execute` may be called from any task of the loop."""

    def __init__(self, address: RedisAddress, *, deadline_ms: int, in_flight_max: int) -> None:
        self._address = address
        self._deadline_s = deadline_ms / 1000
        self._in_flight_max = in_flight_max
        self._admit: Admit | None = None
        self._connection: Connection | None = None
        self._outgoing: list[bytes] = []
        self._waiting: deque[_InFlight] = deque()
        self._usable = asyncio.Event()
        self._unreachable = asyncio.Event()
        self._dropped = asyncio.Event()
        self._server: Server | None = None
        self._gauge = metrics.REDIS_COMMANDS_IN_FLIGHT
        self._batches = metrics.REDIS_BATCH_COMMANDS.labels()

    def admit_by(self, admit: Admit) -> None:
        """Ask `admit` on every connect. Before `run`."""
        self._admit = admit

    @property
    def usable(self) -> asyncio.Event:
        """Set while the pipeline is connected to an admitted server."""
        return self._usable

    @property
    def unreachable(self) -> asyncio.Event:
        """Set once connecting has failed, however it went on."""
        return self._unreachable

    @property
    def server(self) -> Server | None:
        """The server that the pipeline was connected to last."""
        return self._server

    def drop(self) -> None:
        """Leave this connection, and connect anew."""
        self._dropped.set()

    async def identify(self) -> Server:
        """Ask the server who it is. Raises ReadOnlyError if it is a replica: what it answers may be out of date."""
        self._server = parse_server(*[await self.send("INFO", section) for section in SECTIONS])
        return self._server

    def execute(self, *args: bytes | str | int) -> asyncio.Future[Any]:
        """Send one command with this turn's batch, to an admitted server.

        The future gives the reply (bytes undecoded), or raises ResponseError for an error reply of the server,
        `NotSent` if nothing was sent, `OutcomeUnknown` if the outcome is unknown.
        """
        if self._usable.is_set():
            return self.send(*args)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        _fail(future, NotSent("no admitted connection to Redis"))
        return future

    def send(self, *args: bytes | str | int) -> asyncio.Future[Any]:
        """As `execute`, but also while the server has not been admitted yet."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        if self._connection is None:
            _fail(future, NotSent("no connection to Redis"))
        elif len(self._waiting) >= self._in_flight_max:
            _fail(future, NotSent("too many commands in flight to Redis"))
        else:
            self._outgoing.append(packed(*args))
            self._waiting.append(_InFlight(future, loop.time()))
            if len(self._outgoing) == 1:
                loop.call_soon(self._flush)
            elif len(self._outgoing) >= BATCH_MAX:
                self._flush()
        return future

    def _flush(self) -> None:
        """Write what waits: a full batch at once, any other at the end of the turn of the loop."""
        batch, self._outgoing = self._outgoing, []
        if batch and self._connection is not None:
            self._batches.observe(len(batch))
            self._connection.write(batch)

    async def run(self) -> None:
        """Connect, serve until the connection breaks, connect again, for ever."""
        delay_s, silent = RECONNECT_FIRST_S, False
        while True:
            try:
                connection = await self._address.connect()
            except (RedisError, OSError) as error:
                metrics.REDIS_CONNECTION_ERRORS.labels("connect").inc()
                if not silent:
                    log.warning("redis_unreachable", error=str(error), remedy="start Redis; this process tries again")
                self._unreachable.set()
                silent = True  # until it was there: one line says it
            else:
                silent = False
                if await self._serve(connection):
                    delay_s = RECONNECT_FIRST_S
            await asyncio.sleep(delay_s)
            delay_s = min(delay_s * 2, RECONNECT_MAX_S)

    async def close(self) -> None:
        """Drop the connection; what is in flight becomes ambiguous."""
        if self._connection is not None:
            await self._connection.close()

    async def _serve(self, connection: Connection) -> bool:
        """Serve one connection to its end. True if its server was admitted."""
        self._connection = connection
        self._dropped.clear()
        check = asyncio.create_task(self._check_server())
        tasks: list[asyncio.Task[None]] = [
            asyncio.create_task(job)
            for job in (
                self._read(connection),
                self._watch_deadline(),
                self._ping_when_idle(),
                self._watch_drop(),
            )
        ]
        admitted = False
        fault: BaseException | None = None
        try:
            done, _ = await asyncio.wait({check, *tasks}, return_when=asyncio.FIRST_COMPLETED)
            if check in done and check.exception() is None:
                admitted = check.result()
                if admitted:
                    self._usable.set()
                    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            fault = next((task.exception() for task in done if task.exception()), None)
        finally:
            self._usable.clear()
            self._connection = None
            await connection.close()  # first: it waits for nothing, so that no cancellation comes between
            for task in (check, *tasks):
                task.cancel()
            try:
                await asyncio.gather(check, *tasks, return_exceptions=True)
            finally:
                self._fail_all()
        if fault is not None:
            metrics.REDIS_CONNECTION_ERRORS.labels(type(fault).__name__).inc()
            log.warning("redis_connection_lost", error=str(fault), remedy="none if Redis was restarted or failed over")
        return admitted

    async def _check_server(self) -> bool:
        """Who is there, and is it the one we expect? Without an answer the connection is not used."""
        server = await self.identify()
        return self._admit is None or await self._admit(server, self)

    async def _read(self, connection: Connection) -> None:
        waiting, gauge = self._waiting, self._gauge
        while True:
            for reply in await connection.read_replies():
                future = waiting.popleft().future
                if not future.done():
                    if isinstance(reply, ResponseError):
                        _fail(future, reply)
                    else:
                        future.set_result(reply)
                if isinstance(reply, ReadOnlyError):
                    raise reply
            if not waiting:
                gauge.set(0)

    async def _watch_deadline(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._deadline_s / 4)
            self._gauge.set(len(self._waiting))
            if self._waiting and loop.time() - self._waiting[0].sent_s > self._deadline_s:
                raise TimeoutError(f"no reply from Redis within {self._deadline_s:.3f} s")

    async def _ping_when_idle(self) -> None:
        """A connection that has gone silent is found before a command needs it."""
        while True:
            await asyncio.sleep(IDLE_PING_S)
            if not self._waiting:
                self.send("PING")

    async def _watch_drop(self) -> None:
        await self._dropped.wait()
        raise ConnectionResetError("dropped, to connect to where the address leads now")

    def _fail_all(self) -> None:
        self._outgoing.clear()
        while self._waiting:
            future = self._waiting.popleft().future
            if not future.done():
                _fail(future, OutcomeUnknown("the connection to Redis broke"))


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    """Whoever waits gets the error. If nobody does, that is no exception that was lost."""
    future.set_exception(error)
    future.exception()
