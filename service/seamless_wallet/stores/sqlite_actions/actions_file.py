"""A connection to the file of the audit log, which is made when it is first opened."""

from __future__ import annotations

import sqlite3
from importlib.resources import files
from pathlib import Path
from typing import Final

from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.stores.sql_files import read_queries, statements
from seamless_wallet.stores.sqlite.database import BUSY_TIMEOUT_MS, keep_log, make_file, transaction
from seamless_wallet.trusted_paths import UntrustedPath, check_directory, check_entries

ACTIONS_SQL_PACKAGE: Final = "seamless_wallet.stores.sqlite_actions"
ACTIONS_SQL: Final = read_queries(ACTIONS_SQL_PACKAGE, "actions.sql")
ACTIONS_SCHEMA: Final = files(ACTIONS_SQL_PACKAGE).joinpath("schema.sql").read_text("utf-8")
ACTIONS_SCHEMA_VERSION: Final = 1

ACTIONS_FILE_MODE: Final = 0o600


def connect_actions(path: Path) -> sqlite3.Connection:
    """A connection in autocommit mode. Raises StoreError."""
    try:
        check_directory(path.parent)
        check_entries(path.parent, tuple(f"{path.name}{end}" for end in ("", "-wal", "-shm")))
        make_file(path, ACTIONS_FILE_MODE)
    except UntrustedPath as error:
        raise StoreError(f"the audit log {path} is not safe: {error}") from None
    except OSError as error:
        raise StoreError(f"cannot open the audit log {path}: {error.strerror}") from None
    connection: sqlite3.Connection | None = None
    try:
        uri = f"{path.absolute().as_uri()}?mode=rw"
        connection = sqlite3.connect(
            uri, uri=True, timeout=BUSY_TIMEOUT_MS / 1000, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA trusted_schema = OFF")
        keep_log(connection)
        connection.execute("PRAGMA synchronous = FULL")  # what is done must not be on disk before its record
        _make(connection, path)
    except (sqlite3.Error, StoreError) as error:
        if connection is not None:
            connection.close()
        if isinstance(error, StoreError):
            raise
        raise StoreError(f"cannot open the audit log {path}: {error}") from error
    return connection


def _make(connection: sqlite3.Connection, path: Path) -> None:
    """Make the tables, unless they are there."""
    if _version(connection) == 0:
        with transaction(connection, "IMMEDIATE"):
            if _version(connection) == 0:  # nobody else was faster
                for statement in statements(ACTIONS_SCHEMA):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {ACTIONS_SCHEMA_VERSION}")
    if _version(connection) != ACTIONS_SCHEMA_VERSION:
        raise StoreError(f"the audit log {path} is of another version: install that one, or move the file away")


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)
