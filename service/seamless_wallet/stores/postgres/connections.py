"""Which call uses which connection: reads share a few, a writer's statements have one for themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Concatenate, Final, ParamSpec, TypeVar

from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.stores.postgres.primary import (
    Connection,
    close_all,
    connect,
    is_lost,
    no_warnings,
    place_of,
    store_errors,
)

P = ParamSpec("P")
T = TypeVar("T")

PENDING_MAX: Final = 1_024
"""Reads that may wait; one more is refused."""

STATEMENT_LIMIT_S: Final = 2.0
"""How long a statement that reads may take before its connection counts as lost, and another one is tried."""

PROBE_AFTER_S: Final = 2.0
"""How long a call lasts before it is looked, and how often, whether the URL leads to another server by now."""

CLOSE_LIMIT_S: Final = 5.0
"""How long to wait at the end for what was begun. A commit may wait for a standby for ever."""


class Connections:
    """Runs functions that take a connection. Every call raises StoreError when the database fails, or is closed."""

    def __init__(self, url: str, readers: int, *, replicated: bool) -> None:
        self._url = url
        self._replicated = replicated
        self._place = place_of(url)
        self._turns = asyncio.Semaphore(readers)
        self._free: list[Connection] = []
        self._used: set[Connection] = set()
        self._writer: Connection | None = None
        self._write_lock = asyncio.Lock()
        self._pending: set[asyncio.Future[object]] = set()
        self.closed = False

    async def read(
        self, function: Callable[Concatenate[Connection, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a function of one statement, which is one snapshot. Raises StoreError, also if too many wait."""
        return await self._take_turn(lambda connection: function(connection, *args, **kwargs), STATEMENT_LIMIT_S)

    async def _take_turn(self, function: Callable[[Connection], Awaitable[T]], limit_s: float | None) -> T:
        self._check_open()
        if len(self._pending) >= PENDING_MAX:
            raise StoreError("too many calls wait for the ledger")
        done: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._pending.add(done)
        try:
            async with self._turns:
                lost, found = await self._try_free(function, limit_s)
                return found if not lost else await self._read(await self._connect(), function, limit_s)
        finally:
            self._pending.discard(done)
            done.set_result(None)

    async def _connect(self) -> Connection:
        return await connect(self._url, replicated=self._replicated)

    async def _try_free(self, function: Callable[[Connection], Awaitable[T]], limit_s: float | None) -> tuple[bool, T]:
        """(False, what was read), or (True, nothing) if there is no connection: it may be lost while nobody looks."""
        while self._free:
            connection = self._free.pop()
            if connection.is_closed():
                continue
            try:
                return False, await self._read(connection, function, limit_s)
            except StoreError as error:
                if error.__cause__ is None or not is_lost(error.__cause__):
                    raise
                free, self._free = self._free, []
                await close_all(free)  # they were lost with it
        return True, None  # type: ignore[return-value]

    async def _read(
        self, connection: Connection, function: Callable[[Connection], Awaitable[T]], limit_s: float | None
    ) -> T:
        """One that is too slow loses its connection, and is not cancelled: its host may be dark."""
        self._used.add(connection)
        due = asyncio.get_running_loop().call_later(limit_s, connection.terminate) if limit_s else None
        try:
            with store_errors(self._place), self._watched(connection):
                found = await function(connection)
        except BaseException:
            connection.terminate()  # whatever state it is in
            raise
        finally:
            self._used.discard(connection)
            if due:
                due.cancel()
        self._free.append(connection)
        return found

    async def read_snapshot(
        self, function: Callable[Concatenate[Connection, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a function of several statements within one snapshot. It may take long."""

        async def in_snapshot(connection: Connection) -> T:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                return await function(connection, *args, **kwargs)

        return await self._take_turn(in_snapshot, None)

    async def write(
        self, function: Callable[Concatenate[Connection, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a function that writes, one after the other. A caller that is cancelled leaves it to its end.

        asyncpg would have the server cancel it: a commit that waits for a standby would be there without it.
        """
        self._check_open()
        task = asyncio.ensure_future(self._write(function, *args, **kwargs))
        self._pending.add(task)  # type: ignore[arg-type]
        task.add_done_callback(self._done)  # type: ignore[arg-type]
        return await asyncio.shield(task)

    async def _write(
        self, function: Callable[Concatenate[Connection, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        async with self._write_lock:
            if self._writer is None or self._writer.is_closed():
                self._writer = await self._connect()
            try:
                with store_errors(self._place), self._watched(self._writer), no_warnings(self._writer):
                    return await function(self._writer, *args, **kwargs)
            except (StoreError, asyncio.CancelledError):
                # Nobody knows its state, and what it has left may be visible, and on no standby. A new connection waits
                # for that.
                await close_all([self._writer, *self._free, *self._used])
                self._writer = None
                raise

    @contextmanager
    def _watched(self, connection: Connection) -> Iterator[None]:
        """Should the call last, look whether another server has taken the place of the one that is asked.

        One that is frozen breaks no connection. Leaving it is safe at any time: the outcome is unknown, as ever.
        """
        loop, probing = asyncio.get_running_loop(), list[asyncio.Task[None]]()
        due = loop.call_later(
            PROBE_AFTER_S, lambda: probing.append(loop.create_task(self._leave_if_replaced(connection)))
        )
        try:
            yield
        finally:
            due.cancel()
            for task in probing:
                task.cancel()

    async def _leave_if_replaced(self, connection: Connection) -> None:
        while not connection.is_closed():
            with suppress(StoreError):
                other = await connect(self._url)
                other.terminate()
                if other.started != connection.started:
                    connection.terminate()
                    return
            await asyncio.sleep(PROBE_AFTER_S)

    def _done(self, task: asyncio.Future[object]) -> None:
        self._pending.discard(task)
        if not task.cancelled():
            task.exception()  # the caller may be gone

    async def close(self) -> None:
        """Finish what was begun, if that takes no longer than CLOSE_LIMIT_S, and end all connections."""
        self.closed = True
        if self._pending:
            await asyncio.wait(self._pending, timeout=CLOSE_LIMIT_S)
        await close_all([*self._free, *self._used, *([self._writer] if self._writer else [])])
        self._free.clear()

    def _check_open(self) -> None:
        if self.closed:
            raise StoreError("the ledger is closed")
