"""How batches become rows: each one exactly once, however many processes collect, and whenever one of them dies."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from seamless_wallet.calls.record import FAILED, CallRecord, decode_batch
from seamless_wallet.calls.spool import Spool
from seamless_wallet.stores.sqlite.database import transaction
from seamless_wallet.stores.sqlite_calls.calls_file import CALLS_SQL

BATCHES_MAX: Final = 32
"""In one transaction, so that nobody waits long for it."""

ID_SHIFT: Final = 20
"""Bits of an id below the time of its call."""


def collect(connection: sqlite3.Connection, spool: Spool, on_broken: Callable[[str], None]) -> int:
    """Take some of the batches that are there; returns how many there were. 0: all are taken.

    `on_broken` is told about a file that is no batch; it is removed. Raises sqlite3.Error and OSError, and then nothing
    is lost.
    """
    paths = list(islice(spool.batches(), BATCHES_MAX))
    if not paths:
        _forget_removed(connection, spool)
        return 0
    with transaction(connection, "IMMEDIATE"):
        for path in paths:
            _take(connection, path, on_broken)
    for path in paths:
        path.unlink(missing_ok=True)
    return len(paths)


def _take(connection: sqlite3.Connection, path: Path, on_broken: Callable[[str], None]) -> None:
    """Insert the calls of one file, within the transaction: a file that is there now was not removed before."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    if not connection.execute(CALLS_SQL["insert_batch"], (path.name,)).rowcount:
        return
    try:
        insert(connection, decode_batch(content))
    except ValueError as error:
        on_broken(f"{path.name}: {error}")


def insert(connection: sqlite3.Connection, records: Iterable[CallRecord]) -> None:
    """Insert calls within the caller's transaction, each under a free id of its millisecond."""
    sql = CALLS_SQL["insert_call"]
    for record in records:
        received_ms, *values = msgspec.structs.astuple(record)
        call_id, failed = received_ms << ID_SHIFT, record.code in FAILED
        if not connection.execute(sql, (call_id, *values, failed)).rowcount:
            (last,) = connection.execute(CALLS_SQL["last_id"], (call_id, call_id + (1 << ID_SHIFT))).fetchone()
            connection.execute(sql, (last + 1, *values, failed))


def _forget_removed(connection: sqlite3.Connection, spool: Spool) -> None:
    """Forget the batches whose files are gone."""
    for (name,) in connection.execute(CALLS_SQL["batches"]).fetchall():
        if not (spool.directory / name).exists():
            connection.execute(CALLS_SQL["delete_batch"], (name,))
