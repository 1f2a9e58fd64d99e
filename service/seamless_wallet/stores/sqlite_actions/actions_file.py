"""A connection to the file of the audit log, which is made when it is first opened."""

from __future__ import annotations

import sqlite3
from importlib.resources import files
from pathlib import Path
from typing import Final

from seamless_wallet.stores.sql_files import read_queries
from seamless_wallet.stores.sqlite.side_file import SideFile

ACTIONS_SQL_PACKAGE: Final = "seamless_wallet.stores.sqlite_actions"
ACTIONS_SQL: Final = read_queries(ACTIONS_SQL_PACKAGE, "actions.sql")

_FILE: Final = SideFile(
    name="the audit log",
    schema=files(ACTIONS_SQL_PACKAGE).joinpath("schema.sql").read_text("utf-8"),
    version=1,
    pragmas=("synchronous = FULL",),  # what is done must not be on disk before its record
)


def connect_actions(path: Path) -> sqlite3.Connection:
    """A connection in autocommit mode. Raises StoreError."""
    return _FILE.connect(path)
