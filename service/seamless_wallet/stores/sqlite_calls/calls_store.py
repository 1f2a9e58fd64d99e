"""The asynchronous face of the calls: each question runs in a thread, and so does what collects and deletes."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from seamless_wallet.calls.ports import CallsPage, CallsQuery, StoredCall
from seamless_wallet.calls.record import CallRecord
from seamless_wallet.calls.spool import Spool
from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.stores.kept_calls import COLLECTIONS_MAX
from seamless_wallet.stores.sqlite_calls import collection, questions, retention
from seamless_wallet.stores.sqlite_calls.calls_file import CALLS_SQL, connect_calls

T = TypeVar("T")


class _Side:
    """One thread with one connection, which is made when it is needed, and made anew after a failure."""

    def __init__(self, path: Path, name: str) -> None:
        self._path = path
        self._executor = ThreadPoolExecutor(1, f"calls {name}")
        self._connection: sqlite3.Connection | None = None

    async def run(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """Run a job in the thread. Raises StoreError."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._guarded, job)

    def close(self) -> None:
        """End the thread after what it does now."""
        self._executor.submit(self._drop)
        self._executor.shutdown()

    def _guarded(self, job: Callable[[sqlite3.Connection], T]) -> T:
        try:
            if self._connection is None:
                self._connection = connect_calls(self._path)
            return job(self._connection)
        except (sqlite3.Error, OSError) as error:
            self._drop()
            if isinstance(error, StoreError):
                raise
            raise StoreError(f"the history of calls {self._path} failed: {error}") from error

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class SqliteCalls:
    """The calls in a file, and the batches that wait for it. An asynchronous context manager."""

    def __init__(self, path: Path, spool: Spool) -> None:
        self._spool = spool
        self._reads = _Side(path, "read")
        self._writes = _Side(path, "write")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        loop = asyncio.get_running_loop()
        for side in (self._reads, self._writes):
            await loop.run_in_executor(None, side.close)

    async def find(self, query: CallsQuery) -> CallsPage:
        """One page of calls."""
        return await self._reads.run(lambda connection: questions.find(connection, query))

    async def call(self, call_id: int) -> StoredCall | None:
        """One call."""
        return await self._reads.run(lambda connection: questions.call(connection, call_id))

    async def tries(self, call: CallRecord, limit: int) -> Sequence[StoredCall]:
        """The calls about the same event, oldest first, without requests and replies."""
        if not call.transaction_id:
            return []
        return await self._reads.run(lambda connection: questions.tries(connection, call, limit))

    async def acknowledge(self, call_id: int, now_ms: int, note: str) -> StoredCall | None:
        """Note that a call needs nothing more; None if there is no such call."""

        def note_it(connection: sqlite3.Connection) -> StoredCall | None:
            connection.execute(CALLS_SQL["acknowledge"], (now_ms, note, call_id))
            return questions.call(connection, call_id)

        return await self._writes.run(note_it)

    async def erase(self, user_id: str) -> int:
        """Delete all calls of a player, also those that nobody has collected yet; how many there were."""
        await self.collect()
        return await self._writes.run(lambda connection: retention.erase(connection, user_id))

    async def collect(self, on_broken: Callable[[str], None] = lambda _: None) -> None:
        """Take the batches that are there. `on_broken` is told, in the loop, of each file that cannot be kept."""
        loop = asyncio.get_running_loop()

        def tell(what: str) -> None:
            loop.call_soon_threadsafe(on_broken, what)

        for _ in range(COLLECTIONS_MAX):
            if not await self._writes.run(lambda connection: collection.collect(connection, self._spool, tell)):
                return

    async def prune(self, before_ms: int, bytes_max: int) -> bool:
        """One step of deleting what is too old or too much. Returns whether there may be more to delete."""
        return await self._writes.run(lambda connection: retention.prune(connection, before_ms, bytes_max))
