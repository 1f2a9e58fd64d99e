"""The backends that the conformance suite runs on. It knows of each no more than this file says."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import asyncpg

from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.stores import postgres, sqlite
from seamless_wallet.stores.audit import Finding
from seamless_wallet.stores.postgres import PostgresLedger
from seamless_wallet.stores.postgres import verification as postgres_verification
from seamless_wallet.stores.postgres.primary import connect as connect_postgres
from seamless_wallet.stores.postgres.setup import apart
from seamless_wallet.stores.sqlite import SqliteLedger
from seamless_wallet.stores.sqlite import verification as sqlite_verification
from seamless_wallet.stores.sqlite.database import connect as connect_sqlite
from tests.postgres_server import Postgres
from tests.store.books import CURRENCIES

SHARDS = 2


class Backend(Protocol):
    """How a test makes, opens and harms a ledger of its own."""

    refused: type[Exception]
    """What `tamper` raises for a key that is taken."""

    verification: ModuleType
    lacks: frozenset[tuple[str, str]]
    """Columns of the other backend that this one has not: what they say follows from others."""

    takes_any_bytes: bool
    """Whether a text may be no UTF-8."""

    inserts: Mapping[str, str]
    """How a test's INSERT reads here, if it is another one."""

    def init(self, shards: int = SHARDS, currencies: Mapping[str, int] = CURRENCIES) -> str: ...

    def open(self, shards: int | None = None, currencies: Mapping[str, int] | None = None) -> Any: ...

    def become_writer(self, store: Any) -> None:
        """Whatever has to be done before it takes shards over."""

    def cease_to_write(self, store: Any) -> None:
        """So that another one may."""

    def tamper(self, sql: str, *args: Any) -> int:
        """Change the tables behind the ledger's back, whatever they forbid; returns the rows changed."""

    def rows(self, sql: str, *args: Any) -> list[tuple]:
        """What the tables hold."""

    async def verify(self, held_max: int) -> list[Finding]:
        """All findings, with so many marks of a player held at a time."""


class SqliteBackend:
    """A ledger in a file of the test's own."""

    refused = sqlite3.IntegrityError
    verification = sqlite_verification
    lacks = frozenset({("mark", "fingerprint")})
    takes_any_bytes = True
    inserts: Mapping[str, str] = {}

    def __init__(self, directory: Path) -> None:
        self.path = directory / "ledger.db"

    def init(self, shards: int = SHARDS, currencies: Mapping[str, int] = CURRENCIES) -> str:
        return sqlite.init(self.path, shards, currencies)

    def open(self, shards: int | None = None, currencies: Mapping[str, int] | None = None) -> SqliteLedger:
        return SqliteLedger.open(self.path, shards, currencies)

    def become_writer(self, store: SqliteLedger) -> None:
        store.acquire_lease()

    def cease_to_write(self, store: SqliteLedger) -> None:
        assert store._lease
        store._lease.release()

    def tamper(self, sql: str, *args: Any) -> int:
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
        connection = sqlite3.connect(self.path)
        try:
            return connection.execute(sql, args).fetchall()
        finally:
            connection.close()

    async def verify(self, held_max: int) -> list[Finding]:
        connection = connect_sqlite(self.path, write=False)
        try:
            return list(sqlite_verification.verify(connection, self.path, lambda _done, _total: None, held_max))
        finally:
            connection.close()


INSERTS = {
    "INSERT INTO mark SELECT 0, player, zeroblob(16), 'x', last, 'S 1 0 0' FROM wallet LIMIT 1": (
        "INSERT INTO mark (player, digest, bet_index, entry, fingerprint, state) "
        "SELECT player, zeroblob(16), 'x', seq * 2 + player % 2, NULL, 'S 1 0 0' FROM wallet LIMIT 1"
    ),
    "INSERT INTO mark SELECT 0, player, zeroblob(16), '', last, NULL FROM wallet LIMIT 1": (
        "INSERT INTO mark (player, digest, bet_index, entry, fingerprint, state) "
        "SELECT player, zeroblob(16), '', seq * 2 + player % 2, zeroblob(16), NULL FROM wallet LIMIT 1"
    ),
    "INSERT INTO mark SELECT 1, player, zeroblob(16), 'x', last, 'O 1' FROM wallet LIMIT 1": (
        "INSERT INTO mark (player, digest, bet_index, entry, fingerprint, state) "
        "SELECT player, zeroblob(16), 'x', seq * 2 + player % 2, NULL, 'O 1' FROM wallet LIMIT 1"
    ),
    "INSERT INTO mark VALUES (1, 999, zeroblob(16), 'x', 1, 'O 1')": (
        "INSERT INTO mark (player, digest, bet_index, entry, fingerprint, state) "
        "VALUES (999, zeroblob(16), 'x', 1, NULL, 'O 1')"
    ),
    "INSERT INTO signpost VALUES (999, 1, 1, 1)": "INSERT INTO signpost VALUES (999, 1, 1)",
    "INSERT INTO signpost SELECT player, seq, 1, last FROM wallet LIMIT 1": (
        "INSERT INTO signpost SELECT player, seq, 1 FROM wallet LIMIT 1"
    ),
    "INSERT INTO wallet VALUES (999, 'ghost', 'KRW', 'active', 1, 1, 0, 0, 1, '{}')": (
        "INSERT INTO wallet VALUES (999, 1, 1, 0, 0, 'ghost', 'KRW', 'active', '{}')"
    ),
    "INSERT INTO shard VALUES (2, 1, 0, zeroblob(16), '', '', '', '')": (
        "INSERT INTO shard VALUES (2, 1, 0, '2026-01-01', zeroblob(16), '', '', '', '')"
    ),
}
"""Statements of tests as PostgreSQL's tables want them."""


class PostgresBackend:
    """A ledger in a database of the test's own."""

    refused = asyncpg.UniqueViolationError
    verification = postgres_verification
    lacks = frozenset(
        {("entry", "shard"), ("entry", "seq"), ("wallet", "last"), ("mark", "open"), ("signpost", "entry")}
    )
    takes_any_bytes = False
    inserts = INSERTS

    def __init__(self, server: Postgres, database: str) -> None:
        self.server = server
        self.url = server.url(database)

    def init(self, shards: int = SHARDS, currencies: Mapping[str, int] = CURRENCIES) -> str:
        return postgres.init(self.url, shards, currencies)

    def open(self, shards: int | None = None, currencies: Mapping[str, int] | None = None) -> PostgresLedger:
        return PostgresLedger.open(self.url, shards, currencies)

    def become_writer(self, store: PostgresLedger) -> None:
        """It needs nothing: it takes over what nobody has a lease of."""

    def cease_to_write(self, store: PostgresLedger) -> None:
        """The same."""

    def tamper(self, sql: str, *args: Any) -> int:
        async def change(connection: Any) -> int:
            await connection.execute("SET session_replication_role = replica")  # no trigger fires
            return int((await connection.execute(in_postgres(sql), *args)).rpartition(" ")[2])

        return self.run(change)

    def alter(self, sql: str) -> None:
        """Change the tables themselves."""

        async def change(connection: Any) -> None:
            await connection.execute(sql)

        self.run(change)

    def rows(self, sql: str, *args: Any) -> list[tuple]:
        async def fetch(connection: Any) -> list[tuple]:
            return [tuple(row) for row in await connection.fetch(in_postgres(sql), *args)]

        return self.run(fetch)

    def run(self, function: Callable[[Any], Awaitable[Any]]) -> Any:
        """Whatever is asked of a connection, and wait for it: most tests are in an event loop already."""

        async def in_ledger(connection: Any) -> Any:
            await connection.execute("SET search_path = ledger")
            return await function(connection)

        try:
            return apart(self.url, in_ledger)
        except StoreError as error:
            raise error.__cause__ or error from None

    async def verify(self, held_max: int) -> list[Finding]:
        connection = await connect_postgres(self.url)
        try:
            found = postgres_verification.verify(connection, lambda _done, _total: None, held_max)
            return [finding async for finding in found]
        finally:
            await connection.close()


def in_postgres(sql: str) -> str:
    """A statement on SQLite's tables as PostgreSQL has them: ids are places, and an open bet is one by its state."""
    numbers = iter(range(1, 100))
    sql = re.sub(r"\?", lambda _: f"${next(numbers)}", sql)
    sql = sql.replace("payload = zeroblob(4)", r"payload = '\x00000000'")
    sql = sql.replace("zeroblob(16)", "'00000000000000000000000000000000'::uuid")
    sql = sql.replace("open = 0 AND ", "").replace("open = 1", "state LIKE 'O%'")
    if re.search(r"\bentry (SET|WHERE)|FROM entry\b", sql) and "mark" not in sql:
        sql = re.sub(r"\bshard = ", f"id % {SHARDS} = ", sql)
        sql = re.sub(r"\bseq ([=>])", rf"id / {SHARDS} \1", sql)
    return sql
