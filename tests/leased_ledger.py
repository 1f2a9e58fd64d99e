"""A SQLite ledger that several writers share, without the lock on its file: the leases are kept by the test."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Collection
from typing import Any

from seamless_wallet.ledger.records import LeaseTable
from seamless_wallet.stores.sqlite import SqliteLedger
from seamless_wallet.stores.sqlite.database import transaction
from seamless_wallet.stores.sqlite.sql import WRITE_SQL


class LeaseBook:
    """Who holds which shard until when, and who lives until when, by the clock of a server."""

    def __init__(self, shards: int, now_s: Callable[[], float]) -> None:
        self.holders: list[tuple[str, float]] = [("", 0.0)] * shards
        self.writers: dict[str, float] = {}
        self.now_s = now_s
        self.lock = asyncio.Lock()

    def is_free(self, shard: int, length_s: float) -> bool:
        nonce, until_s = self.holders[shard]
        return not nonce or not 0 <= until_s - self.now_s() <= length_s

    def table(self) -> LeaseTable:
        now_s = self.now_s()
        living = [nonce for nonce, until_s in self.writers.items() if until_s >= now_s]
        return LeaseTable([nonce if until_s >= now_s else "" for nonce, until_s in self.holders], living)

    def held_by(self, nonce: str) -> list[int]:
        return [shard for shard, (holder, _) in enumerate(self.holders) if holder == nonce]


class LeasedLedger:
    """A LedgerStore for one of several writers. What it does not do itself, the file does."""

    def __init__(self, ledger: SqliteLedger, book: LeaseBook) -> None:
        self._ledger = ledger
        self._book = book
        self._nonce = ""
        ledger._lease = _NoLock()  # type: ignore[assignment]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    async def take_over(self, nonce: str, shards: Collection[int], now_ms: int) -> None:
        assert not shards
        await self._ledger.take_over(nonce, (), now_ms)
        self._nonce = nonce

    async def renew_leases(self, length_ms: int, take: Collection[int], release: Collection[int]) -> LeaseTable:
        book, nonce, length_s = self._book, self._nonce, length_ms / 1000
        async with book.lock:
            until_s = book.now_s() + length_s
            taken = [shard for shard in take if book.is_free(shard, length_s)]
            released = [shard for shard in release if book.holders[shard][0] == nonce]
            if taken or released:
                await self._ledger._threads.write(_move, nonce, taken, released)
            if taken:
                self._ledger._known.forget()
            for shard in released:
                book.holders[shard] = "", 0.0
            for shard in {*taken, *book.held_by(nonce)}:
                book.holders[shard] = nonce, until_s
            book.writers[nonce] = until_s
            return book.table()

    async def retire(self) -> None:
        async with self._book.lock:
            self._book.writers.pop(self._nonce, None)
            held = self._book.held_by(self._nonce)
            await self._ledger._threads.write(_move, self._nonce, (), held)
            for shard in held:
                self._book.holders[shard] = "", 0.0


def _move(connection: sqlite3.Connection, nonce: str, take: Collection[int], release: Collection[int]) -> None:
    with transaction(connection, "IMMEDIATE"):
        connection.executemany(WRITE_SQL["release_shard"], [(shard, nonce) for shard in release])
        connection.executemany(WRITE_SQL["take_shard"], [(nonce, shard) for shard in take])


class _NoLock:
    """In place of the lock."""

    held = True

    def release(self) -> None:
        pass
