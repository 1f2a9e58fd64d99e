"""What people ask of the calls. Each question looks at a bounded number of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

from seamless_wallet.calls.ports import CallsPage, CallsQuery, StoredCall
from seamless_wallet.calls.record import CallRecord
from seamless_wallet.stores.sqlite_calls.calls_file import CALLS_SQL
from seamless_wallet.stores.sqlite_calls.collection import ID_SHIFT

LOOKED_AT_MAX: Final = 50_000
"""Calls that one question looks at."""

ID_MAX: Final = 2**63 - 1

_INDEXED: Final = {
    "user_id": "user_id = ? AND user_id <> ''",
    "transaction_id": "transaction_id = ? AND transaction_id <> ''",
    "game_no": "game_no = ? AND game_no <> ''",
}
_OTHERS: Final = {
    "provider": "provider = ?",
    "event": "event = ?",
    "code": "code = ?",
    "reason": "reason = ?",
    "slow_ms": "(open_us + decide_us + seal_us) >= ? * 1000",
}


def find(connection: sqlite3.Connection, query: CallsQuery) -> CallsPage:
    """One page, newest first. The conditions are fixed texts; what people write is only ever a parameter."""
    before = ID_MAX if query.to_ms is None else min(ID_MAX, query.to_ms << ID_SHIFT)
    if query.before_id is not None:
        before = min(before, query.before_id)
    indexed, found = _chosen(_INDEXED, query)
    where = ["id >= ?", "id < ?", *indexed]
    if query.failed or query.unacknowledged:
        where.append("failed = 1")
    last, count = min(ID_MAX, query.from_ms << ID_SHIFT), 0
    others, values = _chosen(_OTHERS, query)
    if query.unacknowledged:
        others.append("acknowledged_ms = 0")
    if others:  # no index has these
        last, count = connection.execute(
            f"SELECT min(id), count(*) FROM "  # noqa: S608 - of fixed texts
            f"(SELECT id FROM call WHERE {' AND '.join(where)} ORDER BY id DESC LIMIT ?)",
            (last, before, *found, LOOKED_AT_MAX),
        ).fetchone()
    rows = connection.execute(
        f"SELECT * FROM call WHERE {' AND '.join([*where, *others])} ORDER BY id DESC LIMIT ?",  # noqa: S608 - the same
        (last, before, *found, *values, query.limit + 1),
    ).fetchall()
    calls = [stored_call(row) for row in rows[: query.limit]]
    if len(rows) > query.limit:
        return CallsPage(calls, calls[-1].id)
    return CallsPage(calls, last if count == LOOKED_AT_MAX else None)


def call(connection: sqlite3.Connection, call_id: int) -> StoredCall | None:
    """One call."""
    row = connection.execute(CALLS_SQL["call"], (call_id,)).fetchone()
    return stored_call(row) if row else None


def tries(connection: sqlite3.Connection, record: CallRecord, limit: int) -> Sequence[StoredCall]:
    """The calls about the same event, oldest first."""
    key = record.transaction_id, record.provider, record.user_id, limit
    return [stored_call(row) for row in connection.execute(CALLS_SQL["tries"], key)]


def stored_call(row: tuple[Any, ...]) -> StoredCall:
    """A row of the table."""
    call_id, *values, _failed, acknowledged_ms, note = row
    return StoredCall(call_id, CallRecord(call_id >> ID_SHIFT, *values), acknowledged_ms, note)


def _chosen(conditions: dict[str, str], query: CallsQuery) -> tuple[list[str], list[Any]]:
    """The conditions that a query has, and their values."""
    chosen = {text: getattr(query, name) for name, text in conditions.items() if getattr(query, name)}
    return list(chosen), list(chosen.values())
