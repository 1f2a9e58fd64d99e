"""A SQLite file of its own beside the ledger: made when it is first opened, by whoever is first, in one version."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.stores.sql_files import statements
from seamless_wallet.stores.sqlite.database import BUSY_TIMEOUT_MS, keep_log, make_file, transaction
from seamless_wallet.trusted_paths import UntrustedPath, check_directory, check_entries

SIDE_FILE_MODE: Final = 0o600


class SideFile(NamedTuple):
    """One kind of file. `name` is what messages call it, `pragmas` are set for each connection."""

    name: str
    schema: str
    version: int
    pragmas: Sequence[str]
    remedy: str = ""
    """What a message says more if the file cannot be opened."""

    def connect(self, path: Path) -> sqlite3.Connection:
        """A connection in autocommit mode. Raises StoreError."""
        try:
            check_directory(path.parent)
            check_entries(path.parent, tuple(f"{path.name}{end}" for end in ("", "-wal", "-shm")))
            make_file(path, SIDE_FILE_MODE)
        except UntrustedPath as error:
            raise StoreError(f"{self.name} {path} is not safe: {error}") from None
        except OSError as error:
            raise StoreError(f"cannot open {self.name} {path}: {error.strerror}") from None
        connection: sqlite3.Connection | None = None
        try:
            uri = f"{path.absolute().as_uri()}?mode=rw"
            connection = sqlite3.connect(
                uri, uri=True, timeout=BUSY_TIMEOUT_MS / 1000, isolation_level=None, check_same_thread=False
            )
            connection.execute("PRAGMA trusted_schema = OFF")
            keep_log(connection)
            for pragma in self.pragmas:
                connection.execute(f"PRAGMA {pragma}")
            self._make_tables(connection, path)
        except (sqlite3.Error, StoreError) as error:
            if connection is not None:
                connection.close()
            if isinstance(error, StoreError):
                raise
            raise StoreError(f"cannot open {self.name} {path}: {error}{self.remedy}") from error
        return connection

    def _make_tables(self, connection: sqlite3.Connection, path: Path) -> None:
        """Make the tables, unless they are there."""
        if _version(connection) == 0:
            with transaction(connection, "IMMEDIATE"):
                if _version(connection) == 0:  # nobody else was faster
                    for statement in statements(self.schema):
                        connection.execute(statement)
                    connection.execute(f"PRAGMA user_version = {self.version}")
        if _version(connection) != self.version:
            raise StoreError(f"{self.name} {path} is of another version: install that one, or move the file away")


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)
