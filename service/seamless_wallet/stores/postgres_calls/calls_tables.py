"""The tables of the history, their migrations, and the statements on them."""

from __future__ import annotations

from typing import Final

from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.stores.postgres.primary import Connection, place_of
from seamless_wallet.stores.postgres.setup import INIT_LOCK, apart
from seamless_wallet.stores.sql_files import read_migrations, read_queries

CALLS_SQL_PACKAGE: Final = "seamless_wallet.stores.postgres_calls"
CALLS_SQL: Final = read_queries(CALLS_SQL_PACKAGE, "calls.sql")
CALLS_MIGRATIONS: Final = read_migrations(CALLS_SQL_PACKAGE)
CALLS_VERSION: Final = len(CALLS_MIGRATIONS)


def init_calls(url: str) -> None:
    """Make the tables, or bring existing ones up to date. To repeat it changes nothing. Raises StoreError."""

    async def make(connection: Connection) -> None:
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", INIT_LOCK)
            version = await calls_version(connection)
            if version > CALLS_VERSION:
                raise StoreError(f"the history of calls in {place_of(url)} is of a newer program: install that one")
            for number, script in CALLS_MIGRATIONS:
                if number > version:
                    await connection.execute(script)
            if version < CALLS_VERSION:
                await connection.execute(CALLS_SQL["set_version"], CALLS_VERSION)

    apart(url, make)


async def calls_version(connection: Connection) -> int:
    """Migrations that the tables have seen; 0 if there are none yet."""
    if not await connection.fetchval(CALLS_SQL["has_calls"]):
        return 0
    version: int = await connection.fetchval(CALLS_SQL["version"])
    return version
