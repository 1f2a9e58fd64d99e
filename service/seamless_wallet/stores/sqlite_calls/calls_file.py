"""A connection to the file of the calls, which is made when it is first opened."""

from __future__ import annotations

import sqlite3
from importlib.resources import files
from pathlib import Path
from typing import Final

from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.stores.sql_files import read_queries, statements
from seamless_wallet.stores.sqlite.database import BUSY_TIMEOUT_MS, keep_log, make_file, transaction
from seamless_wallet.trusted_paths import UntrustedPath, check_directory, check_entries

CALLS_SQL_PACKAGE: Final = "seamless_wallet.stores.sqlite_calls"
CALLS_SQL: Final = read_queries(CALLS_SQL_PACKAGE, "calls.sql")
CALLS_SCHEMA: Final = files(CALLS_SQL_PACKAGE).joinpath("schema.sql").read_text("utf-8")
CALLS_SCHEMA_VERSION: Final = 2

CALLS_FILE_MODE: Final = 0o600
LOG_BYTES_MAX: Final = 16 * 2**20
"""What the `-wal` beside the file keeps of the disk after a checkpoint."""


def connect_calls(path: Path) -> sqlite3.Connection:
    """A connection in autocommit mode. Raises StoreError."""
    try:
        check_directory(path.parent)
        check_entries(path.parent, tuple(f"{path.name}{end}" for end in ("", "-wal", "-shm")))
        make_file(path, CALLS_FILE_MODE)
    except UntrustedPath as error:
        raise StoreError(f"the history of calls {path} is not safe: {error}") from None
    except OSError as error:
        raise StoreError(f"cannot open the history of calls {path}: {error.strerror}") from None
    connection: sqlite3.Connection | None = None
    try:
        uri = f"{path.absolute().as_uri()}?mode=rw"
        connection = sqlite3.connect(
            uri, uri=True, timeout=BUSY_TIMEOUT_MS / 1000, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA trusted_schema = OFF")
        keep_log(connection)
        connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES_MAX}")
        connection.execute("PRAGMA synchronous = NORMAL")  # a loss of power may cost the last calls, and no money
        connection.execute("PRAGMA secure_delete = ON")  # what is erased is overwritten
        _make(connection, path)
    except (sqlite3.Error, StoreError) as error:
        if connection is not None:
            connection.close()
        if isinstance(error, StoreError):
            raise
        raise StoreError(f"cannot open the history of calls {path}: {error}; move it away to begin anew") from error
    return connection


def _make(connection: sqlite3.Connection, path: Path) -> None:
    """Make the tables, unless they are there."""
    if _version(connection) == 0:
        with transaction(connection, "IMMEDIATE"):
            if _version(connection) == 0:  # nobody else was faster
                for statement in statements(CALLS_SCHEMA):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {CALLS_SCHEMA_VERSION}")
    if _version(connection) != CALLS_SCHEMA_VERSION:
        raise StoreError(f"the history of calls {path} is of another version: install that one, or move the file away")


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)
