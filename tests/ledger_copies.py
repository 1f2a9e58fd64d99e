"""A ledger as it was: copied while it is in use, and put back, as after a restore or a fail-over that lost commits."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from seamless_wallet.settings import Settings
from seamless_wallet.stores.postgres.connection import Connection
from seamless_wallet.stores.postgres.setup import apart

TABLES: Final = ("ledger", "currency", "writer", "shard", "script", "wallet", "entry", "signpost", "mark")


def copy_ledger(settings: Settings, to: Path) -> Path:
    """All of it, as of now. `to` names the copy."""
    if settings.ledger_server is None:
        _copy_file(settings.ledger_path, to)
    else:
        tables = "; ".join(f"CREATE TABLE {to.name}.{name} AS TABLE ledger.{name}" for name in TABLES)
        _execute(settings.ledger_server, f"CREATE SCHEMA {to.name}; {tables}")
    return to


def set_back(settings: Settings, copy: Path) -> None:
    """The ledger is what it was, and nobody who has it open is told."""
    if settings.ledger_server is None:
        _copy_file(copy, settings.ledger_path)
        return
    script = ["SET session_replication_role = replica"]  # no trigger fires
    for name in TABLES:
        script += [f"TRUNCATE ledger.{name}", f"INSERT INTO ledger.{name} TABLE {copy.name}.{name}"]
    _execute(settings.ledger_server, "; ".join(script))


def _copy_file(path: Path, to: Path) -> None:
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(to)) as target:
        source.backup(target)


def ledger_rows(settings: Settings, query: str) -> list[tuple]:
    """What a question that reads alike everywhere is answered. Tables are named without their schema."""
    if settings.ledger_server is None:
        with closing(sqlite3.connect(f"file:{settings.ledger_path}?mode=ro", uri=True)) as connection:
            return connection.execute(query).fetchall()

    async def fetch(connection: Connection) -> list[tuple]:
        await connection.execute("SET search_path = ledger")
        return [tuple(row) for row in await connection.fetch(query)]

    return apart(settings.ledger_server, fetch)


def _execute(url: str, script: str) -> None:
    """In one transaction, in a thread: the caller is in an event loop."""
    apart(url, lambda connection: connection.execute(script))
