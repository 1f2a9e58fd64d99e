"""Where the ledger's calls run: reads in a few threads, writes in one, each thread with a connection of its own."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from pathlib import Path
from typing import Concatenate, Final, ParamSpec, TypeVar

from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.stores.sqlite.database import connect, store_error, transaction

P = ParamSpec("P")
T = TypeVar("T")

PENDING_MAX: Final = 1_024
"""Reads and writes that may wait; one more is refused."""

MakeExecutor = Callable[[int, str], Executor]
"""A number of threads and the prefix of their names → what runs jobs. `ThreadPoolExecutor` is one; a simulation runs
each job at once, in the thread that submits it.
"""


class _Side:
    """The threads that read, or those that write, and the connection of each."""

    def __init__(self, executor: Executor, *, write: bool) -> None:
        self.executor = executor
        self.write = write
        self.local = threading.local()


class DatabaseThreads:
    """Runs functions that take a connection. Every call raises StoreError when the database fails, or is closed."""

    def __init__(self, path: Path, readers: int, busy_timeout_ms: int, make_executor: MakeExecutor) -> None:
        self._path = path
        self._busy_timeout_ms = busy_timeout_ms
        self._reads = _Side(make_executor(readers, "ledger-read"), write=False)
        self._writes = _Side(make_executor(1, "ledger-write"), write=True)
        self._connections: set[sqlite3.Connection] = set()
        self._pending: set[Future[object]] = set()
        self.closed = False

    async def read(
        self, function: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a function within one snapshot."""

        def in_snapshot(connection: sqlite3.Connection) -> T:
            with transaction(connection):
                return function(connection, *args, **kwargs)

        return await self._submit(self._reads, in_snapshot)

    async def write(
        self, function: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a function that begins its own transactions."""
        return await self._submit(self._writes, lambda connection: function(connection, *args, **kwargs))

    async def close(self, last: Callable[[sqlite3.Connection], None] | None) -> None:
        """Finish what was begun, run a `last` write, whatever becomes of it, and end threads and connections."""
        self.closed = True
        pending = [asyncio.wrap_future(future) for future in tuple(self._pending)]
        await asyncio.gather(*pending, return_exceptions=True)
        if last:
            await asyncio.wrap_future(self._writes.executor.submit(self._last, last))
        self._reads.executor.shutdown()
        self._writes.executor.shutdown()
        for connection in self._connections:
            connection.close()

    async def _submit(self, side: _Side, job: Callable[[sqlite3.Connection], T]) -> T:
        """Run `job` in a thread. A caller that is cancelled leaves a job that has begun to its end."""
        if self.closed:
            raise StoreError("the ledger is closed")
        if len(self._pending) >= PENDING_MAX:
            raise StoreError("too many calls wait for the ledger")
        future: Future[T] = side.executor.submit(self._guarded, side, job)
        self._pending.add(future)  # type: ignore[arg-type]
        future.add_done_callback(self._pending.discard)
        return await asyncio.wrap_future(future)

    def _guarded(self, side: _Side, job: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return job(self._connection(side))
        except sqlite3.Error as error:
            self._drop_connection(side)
            raise store_error(f"the ledger {self._path} failed: {error}", error) from error

    def _last(self, job: Callable[[sqlite3.Connection], None]) -> None:
        with suppress(sqlite3.Error, StoreError):
            job(self._connection(self._writes))

    def _connection(self, side: _Side) -> sqlite3.Connection:
        """This thread's connection."""
        connection: sqlite3.Connection | None = getattr(side.local, "connection", None)
        if connection is None:
            connection = connect(self._path, write=side.write, busy_timeout_ms=self._busy_timeout_ms)
            side.local.connection = connection
            self._connections.add(connection)
        return connection

    def _drop_connection(self, side: _Side) -> None:
        """After a failure the next call begins with a new one; closing rolls back what is open."""
        connection: sqlite3.Connection | None = getattr(side.local, "connection", None)
        if connection is not None:
            side.local.connection = None
            self._connections.discard(connection)
            connection.close()
