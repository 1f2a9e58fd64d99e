"""The backends that the conformance suite runs on. It knows of each no more than this file says."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from seamless_wallet.ledger.ports import LedgerStore
from seamless_wallet.stores.sqlite import SqliteLedger, init
from tests.store.books import CURRENCIES, Book

SHARDS = 2
NONCE = "first"
"""Of the writer of `store`."""
CONFORM: tuple[type[LedgerStore], ...] = (SqliteLedger,)  # for mypy


class SqliteBackend:
    """A ledger in a file of the test's own. `refused`: what `tamper` raises for a key that is taken."""

    refused = sqlite3.IntegrityError

    def __init__(self, directory: Path) -> None:
        self.path = directory / "ledger.db"

    def init(self, shards: int = SHARDS, currencies: Mapping[str, int] = CURRENCIES) -> str:
        return init(self.path, shards, currencies)

    def open(self, shards: int | None = None, currencies: Mapping[str, int] | None = None) -> SqliteLedger:
        return SqliteLedger.open(self.path, shards, currencies)

    def tamper(self, sql: str, *args: Any) -> int:
        """Change the tables behind the ledger's back, whatever they forbid; returns the rows changed."""
        connection = sqlite3.connect(self.path, isolation_level=None)
        try:
            triggers = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall()
            for (name,) in triggers:
                connection.execute(f"DROP TRIGGER {name}")
            connection.execute("PRAGMA ignore_check_constraints = ON")
            return connection.execute(sql, args).rowcount
        finally:
            connection.close()

    def rows(self, sql: str, *args: Any) -> list[tuple]:
        """What the tables hold."""
        connection = sqlite3.connect(self.path)
        try:
            return connection.execute(sql, args).fetchall()
        finally:
            connection.close()


@pytest.fixture(params=[SqliteBackend])
def backend(request, tmp_path):
    """A ledger of two shards, made but not opened."""
    made = request.param(tmp_path)
    made.init()
    return made


@pytest.fixture
async def store(backend):
    """The ledger, opened by its writer, every shard in epoch 1."""
    opened = backend.open(SHARDS, CURRENCIES)
    opened.acquire_lease()
    await opened.take_over(NONCE, range(SHARDS), 0)
    for shard in range(SHARDS):
        assert await opened.open_epoch(shard, 0, 1, "run", "repl", "") == 0
    yield opened
    await opened.close()


@pytest.fixture
def book():
    """What Redis streamed of shard 0: a player with money."""
    book = Book(0, SHARDS)
    book.create()
    book.deposit(10_000)
    return book


@pytest.fixture
def other():
    """The same of shard 1."""
    book = Book(1, SHARDS)
    book.create()
    book.deposit(5_000)
    return book
