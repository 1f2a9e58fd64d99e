"""What people ask of the calls."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from seamless_wallet.calls.ports import CallsPage, CallsQuery, StoredCall
from seamless_wallet.calls.record import CallRecord
from seamless_wallet.stores.call_queries import Search, tries_of
from seamless_wallet.stores.call_rows import stored_call
from seamless_wallet.stores.sqlite_calls.calls_file import CALLS_SQL


def find(connection: sqlite3.Connection, query: CallsQuery) -> CallsPage:
    """One page, newest first."""
    search = Search(query, "call")
    if search.bound is not None:
        search.look_from(*connection.execute(*search.bound).fetchone())
    return search.page(connection.execute(*search.found).fetchall())


def call(connection: sqlite3.Connection, call_id: int) -> StoredCall | None:
    """One call."""
    row = connection.execute(CALLS_SQL["call"], (call_id,)).fetchone()
    return stored_call(row) if row else None


def tries(connection: sqlite3.Connection, record: CallRecord, limit: int) -> Sequence[StoredCall]:
    """The calls about the same event, oldest first, without requests and replies."""
    return [stored_call(row) for row in connection.execute(*tries_of(record, "call", limit))]
