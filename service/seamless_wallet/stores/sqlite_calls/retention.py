"""What is deleted: calls that are too old, the oldest ones of too many, and those of a player. In small steps."""

from __future__ import annotations

import sqlite3
from typing import Final

from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.stores.call_rows import ID_MAX, ID_SHIFT
from seamless_wallet.stores.sqlite_calls.calls_file import CALLS_SQL

CHECKPOINTS_MAX: Final = 3
"""Attempts to empty the log; each waits as long as for a lock."""

STEP: Final = 400
"""Calls in one transaction: others wait for it."""


def prune(connection: sqlite3.Connection, before_ms: int, bytes_max: int) -> bool:
    """One step: delete some of the calls before a time, or the oldest ones of a file with too many bytes in use.

    Returns whether there may be more to delete. The file itself does not shrink: new calls take the room.
    """
    before = ID_MAX if _bytes_used(connection) > bytes_max else before_ms << ID_SHIFT
    return connection.execute(CALLS_SQL["delete_before"], (before, STEP)).rowcount == STEP


def erase(connection: sqlite3.Connection, user_id: str) -> int:
    """Delete all calls of a player, and what the log beside the file has of them. Returns how many there were.

    Raises StoreError if somebody reads for so long that the log could not be emptied: to erase once more tries again.
    """
    total = 0
    while deleted := connection.execute(CALLS_SQL["erase"], (user_id, STEP)).rowcount:
        total += deleted
    for _ in range(CHECKPOINTS_MAX):
        is_busy, _pages, _done = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if not is_busy:
            return total
    raise StoreError(
        "the calls are deleted, but still in the log beside the file, as somebody reads it: erase them once more"
    )


def _bytes_used(connection: sqlite3.Connection) -> int:
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)
