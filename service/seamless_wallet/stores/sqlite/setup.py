"""The beginning of a ledger, its migrations, and whether it is the one that the settings describe."""

from __future__ import annotations

import os
import sqlite3
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from seamless_wallet.ledger.entry import CHAIN_START
from seamless_wallet.ledger.payload import PAYLOAD_VERSION
from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.stores.ledger_info import NEWER, LedgerInfo, check_currencies, check_shards
from seamless_wallet.stores.sql_files import statements
from seamless_wallet.stores.sqlite.database import check_files, connect, store_error, transaction
from seamless_wallet.stores.sqlite.sql import MIGRATIONS, READ_SQL, SCHEMA_VERSION, WRITE_SQL

FILE_MODE: Final = 0o600
"""Of a new ledger. SQLite gives the `-wal` and `-shm` beside it the same."""

FIRST: Final = "is of the first version, which had other tables: move it away, and run `wallet init` for a new one"


def init(path: Path | str, shards: int, currencies: Mapping[str, int], *, new_uuid: str | None = None) -> str:
    """Make the ledger, or bring an existing one up to date; returns its UUID. To repeat it changes nothing.

    `currencies`: name → decimal digits. `new_uuid`: of a ledger that is made now; a random one if left out.
    One transaction does all: after a crash there is a ledger, or none yet. Raises StoreError if the path cannot be
    written, or holds a ledger that contradicts the settings.
    """
    path = Path(path)
    if shards < 1 or not currencies:
        raise StoreError("a ledger needs at least one shard and one currency")
    if not path.parent.exists():
        raise StoreError(
            f"cannot make the ledger {path}: the directory {path.parent} does not exist; make it, or correct the path"
        )
    check_files(path)
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE))
    except OSError as error:
        raise StoreError(
            f"cannot make the ledger {path}: {error.strerror}; correct the directory's permissions, or choose another "
            "data directory"
        ) from error
    connection = connect(path, write=True)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        with transaction(connection, "IMMEDIATE"):
            ledger_uuid = _init(connection, path, shards, currencies, new_uuid)
    except sqlite3.Error as error:
        raise store_error(f"cannot make the ledger {path}: {error}", error) from error
    finally:
        connection.close()
    _sync_directory(path.parent)
    return ledger_uuid


def _init(
    connection: sqlite3.Connection, path: Path, shards: int, currencies: Mapping[str, int], new_uuid: str | None
) -> str:
    version = schema_version(connection, path)
    if version > SCHEMA_VERSION:
        raise StoreError(f"the ledger {path} {NEWER}")
    if version == 0 and connection.execute("SELECT 1 FROM sqlite_schema").fetchone():
        raise StoreError(f"{path} is a database, but not a ledger: choose another path")
    migrate(connection, version)
    if version:
        check_payloads(connection, path)
    else:
        connection.execute(
            WRITE_SQL["insert_ledger"], (new_uuid or str(uuid.uuid4()), shards, SCHEMA_VERSION, PAYLOAD_VERSION)
        )
        connection.executemany(WRITE_SQL["insert_shard"], ((shard, CHAIN_START) for shard in range(shards)))
    connection.execute(WRITE_SQL["set_schema_version"], (SCHEMA_VERSION,))
    info = read_info(connection)
    check_shards(info, path, shards)
    _update_currencies(connection, info, currencies)
    check_currencies(read_info(connection), path, currencies)
    return info.uuid


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Run the migrations after `version` within the caller's transaction."""
    for number, script in MIGRATIONS:
        if number > version:
            for statement in statements(script):
                connection.execute(statement)


def _update_currencies(connection: sqlite3.Connection, info: LedgerInfo, currencies: Mapping[str, int]) -> None:
    """Make the currencies those of the settings, but for those that wallets use."""
    for name in info.scales.keys() - currencies.keys() - info.used:
        connection.execute(WRITE_SQL["delete_currency"], (name,))
    for name, scale in currencies.items():
        if name not in info.scales:
            connection.execute(WRITE_SQL["insert_currency"], (name, scale))
        elif name not in info.used:
            connection.execute(WRITE_SQL["update_currency"], (scale, name))


def schema_version(connection: sqlite3.Connection, path: Path) -> int:
    """Migrations that the file has seen; 0 if it is not a ledger yet.

    Raises StoreError if that cannot be read, or for a ledger of the first version, which counts the same.
    """
    try:
        if connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'ledger'").fetchone() is None:
            return 0
        if connection.execute(READ_SQL["has_payload_version"]).fetchone() is None:
            raise StoreError(f"the ledger {path} {FIRST}")
        return read_info_row(connection)[2]
    except sqlite3.Error as error:
        raise store_error(f"cannot read the ledger {path}: {error}", error) from error


def check_payloads(connection: sqlite3.Connection, path: Path) -> None:
    """Raises StoreError if entries may have a form that this program cannot read."""
    (version,) = connection.execute(READ_SQL["payload_version"]).fetchone()
    if version > PAYLOAD_VERSION:
        raise StoreError(f"the ledger {path} {NEWER}")


def read_info_row(connection: sqlite3.Connection) -> tuple[str, int, int]:
    """UUID, number of shards, schema version."""
    row: tuple[str, int, int] = connection.execute(READ_SQL["ledger"]).fetchone()
    return row


def read_info(connection: sqlite3.Connection) -> LedgerInfo:
    """What the ledger says of itself, within the caller's transaction."""
    ledger_uuid, shards, _ = read_info_row(connection)
    rows = connection.execute(READ_SQL["currencies"]).fetchall()
    return LedgerInfo(
        ledger_uuid,
        shards,
        {name: scale for name, scale, _ in rows},
        frozenset(name for name, _, used in rows if used),
    )


def read_checked(path: Path, shards: int | None, currencies: Mapping[str, int] | None) -> LedgerInfo:
    """Open a ledger once to see that it is there, of this schema, and as the settings say. Raises StoreError."""
    if not path.exists():
        check_files(path)  # a restore that was interrupted is no missing ledger
        raise StoreError(f"there is no ledger at {path}: run `wallet init`")
    connection = connect(path, write=False)
    try:
        with transaction(connection):
            version = schema_version(connection, path)
            if version != SCHEMA_VERSION:
                newer = version > SCHEMA_VERSION
                old = f"has schema {version}, not {SCHEMA_VERSION}; run `wallet init`"
                raise StoreError(f"the ledger {path} {NEWER if newer else old}")
            check_payloads(connection, path)
            info = read_info(connection)
    except sqlite3.Error as error:
        raise store_error(f"cannot read the ledger {path}: {error}", error) from error
    finally:
        connection.close()
    if shards is not None:
        check_shards(info, path, shards)
    if currencies is not None:
        check_currencies(info, path, currencies)
    return info


def _sync_directory(directory: Path) -> None:
    """So that the new file's name survives a power failure, too."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
