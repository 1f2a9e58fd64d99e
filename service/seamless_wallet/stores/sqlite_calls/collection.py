"""How batches become rows: each one exactly once, however many processes collect, and whenever one of them dies."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

from seamless_wallet.calls.record import CallRecord
from seamless_wallet.calls.spool import Spool
from seamless_wallet.stores.call_batches import NOT_STORABLE, WaitingBatch, remove_taken, waiting_batches
from seamless_wallet.stores.call_rows import call_rows_of, span_of
from seamless_wallet.stores.sqlite.database import transaction
from seamless_wallet.stores.sqlite_calls.calls_file import CALLS_SQL


def collect(connection: sqlite3.Connection, spool: Spool, on_broken: Callable[[str], None]) -> int:
    """Take some of the batches that are there; returns how many there were. 0: all are taken.

    `on_broken` is told about a file that is no batch, or none that can be kept; it is removed. Raises sqlite3.Error and
    OSError, and then nothing is lost.
    """
    if next(spool.batches(), None) is None:
        _forget_removed(connection, spool)
        return 0
    with transaction(connection, "IMMEDIATE"):
        taken = [_inserted(connection, batch) for batch in waiting_batches(spool)]
    remove_taken(taken, on_broken)
    return len(taken)


def _inserted(connection: sqlite3.Connection, batch: WaitingBatch) -> WaitingBatch:
    """Insert a batch, unless somebody has. Returns it, with what is wrong if it can never be inserted."""
    connection.execute("SAVEPOINT batch")
    try:
        if connection.execute(CALLS_SQL["insert_batch"], (batch.path.name,)).rowcount:
            insert(connection, batch.calls)
    except (sqlite3.DataError, sqlite3.IntegrityError, *NOT_STORABLE) as error:
        connection.execute("ROLLBACK TO batch")
        batch = batch.not_storable(error)
    connection.execute("RELEASE batch")
    return batch


def insert(connection: sqlite3.Connection, records: Sequence[CallRecord]) -> None:
    """Insert calls within the caller's transaction, each under a free id of its millisecond."""
    if records:
        taken = dict(connection.execute(CALLS_SQL["taken_ids"], span_of(records)))
        connection.executemany(CALLS_SQL["insert_call"], call_rows_of(records, taken))


def _forget_removed(connection: sqlite3.Connection, spool: Spool) -> None:
    """Forget the batches whose files are gone."""
    for (name,) in connection.execute(CALLS_SQL["batches"]).fetchall():
        if not (spool.directory / name).exists():
            connection.execute(CALLS_SQL["delete_batch"], (name,))
