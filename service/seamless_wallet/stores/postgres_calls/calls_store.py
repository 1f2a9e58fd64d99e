"""The asynchronous face of the calls: one connection that reads, and one that collects and deletes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from types import TracebackType
from typing import Final, Self, TypeVar

import asyncpg

from seamless_wallet.calls.ports import CallsPage, CallsQuery, StoredCall
from seamless_wallet.calls.record import CallRecord
from seamless_wallet.calls.spool import Spool
from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.stores.call_queries import Search, Statement, tries_of
from seamless_wallet.stores.call_rows import stored_call
from seamless_wallet.stores.kept_calls import COLLECTIONS_MAX
from seamless_wallet.stores.postgres.connections import Connections
from seamless_wallet.stores.postgres.primary import Connection, place_of
from seamless_wallet.stores.postgres_calls.calls_tables import CALLS_SQL
from seamless_wallet.stores.postgres_calls.collection import BatchCollector, begin_writing

T = TypeVar("T")

ERASE_STEP: Final = 400
"""Calls in one transaction: others wait for it."""

_NOT_MADE: Final = (
    asyncpg.UndefinedTableError,
    asyncpg.InvalidSchemaNameError,
    asyncpg.InsufficientPrivilegeError,
)


class PostgresCalls:
    """The calls in a database, and the batches of this machine that wait for it. An asynchronous context manager."""

    def __init__(self, url: str, spool: Spool) -> None:
        self._place = place_of(url)
        self._connections = Connections(url, readers=1, replicated=False)
        self._collector = BatchCollector(spool)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._connections.close()

    async def find(self, query: CallsQuery) -> CallsPage:
        """One page of calls."""

        async def ask(connection: Connection) -> CallsPage:
            search = Search(query, "calls.call")
            if search.bound is not None:
                ((first, looked_at),) = await _fetch(connection, search.bound)
                search.look_from(first, looked_at)
            return search.page(await _fetch(connection, search.found))

        with self._errors():
            return await self._connections.read(ask)

    async def call(self, call_id: int) -> StoredCall | None:
        """One call."""

        async def ask(connection: Connection) -> StoredCall | None:
            row = await connection.fetchrow(CALLS_SQL["call"], call_id)
            return stored_call(row) if row else None

        with self._errors():
            return await self._connections.read(ask)

    async def tries(self, call: CallRecord, limit: int) -> Sequence[StoredCall]:
        """The calls about the same event, oldest first, without requests and replies."""

        async def ask(connection: Connection) -> Sequence[StoredCall]:
            return [stored_call(row) for row in await _fetch(connection, tries_of(call, "calls.call", limit))]

        with self._errors():
            return await self._connections.read(ask) if call.transaction_id else []

    async def acknowledge(self, call_id: int, now_ms: int, note: str) -> StoredCall | None:
        """Note that a call needs nothing more; None if there is no such call."""

        async def note_it(connection: Connection) -> StoredCall | None:
            row = await connection.fetchrow(CALLS_SQL["acknowledge"], now_ms, note.replace("\0", ""), call_id)
            return stored_call(row) if row else None

        return await self._write(note_it)

    async def erase(self, user_id: str) -> int:
        """Delete all calls of a player, also those that this machine has not collected yet; how many there were.

        A call that was just on its way may come afterwards. The rows are overwritten by PostgreSQL's vacuum.
        """
        await self.collect()

        async def erase_some(connection: Connection) -> int:
            erased: int = await connection.fetchval(CALLS_SQL["erase"], user_id, ERASE_STEP)
            return erased

        total = 0
        while erased := await self._write(erase_some):
            total += erased
        return total

    async def collect(self, on_broken: Callable[[str], None] = lambda _: None) -> None:
        """Take the batches that are there. `on_broken` is told of each file that cannot be kept."""
        for _ in range(COLLECTIONS_MAX):
            if not await self._write(lambda connection: self._collector.collect(connection, on_broken)):
                return

    async def prune(self, before_ms: int, bytes_max: int) -> bool:
        """Delete what is too old or too much, whole partitions at a time. Returns False: there is no more to delete."""

        async def delete(connection: Connection) -> None:
            async with connection.transaction():
                await begin_writing(connection)
                await connection.execute(CALLS_SQL["prune"], before_ms, bytes_max)

        await self._write(delete)
        return False

    async def _write(self, function: Callable[[Connection], Awaitable[T]]) -> T:
        with self._errors():
            return await self._connections.write(function)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Raises StoreError, and says what to do where the tables are missing."""
        try:
            yield
        except StoreError as error:
            if isinstance(error.__cause__, _NOT_MADE):
                raise StoreError(
                    f"{self._place} has no history of calls that this role may use: run `wallet init` and `grants.sql` "
                    "(`wallet docs postgres`)"
                ) from error
            raise


def numbered(sql: str) -> str:
    """A statement whose parameters PostgreSQL numbers: `$1` for the first `?`."""
    numbers = count(1)
    return "".join(f"${next(numbers)}" if character == "?" else character for character in sql)


async def _fetch(connection: Connection, statement: Statement) -> list[asyncpg.Record]:
    rows: list[asyncpg.Record] = await connection.fetch(numbered(statement.sql), *statement.parameters)
    return rows
