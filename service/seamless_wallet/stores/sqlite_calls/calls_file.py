"""A connection to the file of the calls, which is made when it is first opened."""

from __future__ import annotations

import sqlite3
from importlib.resources import files
from pathlib import Path
from typing import Final

from seamless_wallet.stores.sql_files import read_queries
from seamless_wallet.stores.sqlite.side_file import SideFile

CALLS_SQL_PACKAGE: Final = "seamless_wallet.stores.sqlite_calls"
CALLS_SQL: Final = read_queries(CALLS_SQL_PACKAGE, "calls.sql")

LOG_BYTES_MAX: Final = 16 * 2**20
"""What the `-wal` beside the file keeps of the disk after a checkpoint."""

_FILE: Final = SideFile(
    name="the history of calls",
    schema=files(CALLS_SQL_PACKAGE).joinpath("schema.sql").read_text("utf-8"),
    version=2,
    pragmas=(
        f"journal_size_limit = {LOG_BYTES_MAX}",
        "synchronous = NORMAL",  # a loss of power may cost the last calls, and no money
        "secure_delete = ON",  # what is erased is overwritten
    ),
    remedy="; move it away to begin anew",
)


def connect_calls(path: Path) -> sqlite3.Connection:
    """A connection in autocommit mode. Raises StoreError."""
    return _FILE.connect(path)
