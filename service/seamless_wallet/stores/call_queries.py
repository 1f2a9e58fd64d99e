"""What people ask of the calls, as SQL. The texts are fixed; what people write is only ever a parameter.

A question that no index answers looks at a bounded number of calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from seamless_wallet.calls.ports import CallsPage, CallsQuery
from seamless_wallet.calls.record import CallRecord
from seamless_wallet.stores.call_rows import ID_MAX, ID_SHIFT, STORED_COLUMNS, stored_call

LOOKED_AT_MAX: Final = 50_000
"""Calls that one question looks at."""

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
    "slow_ms": "(open_us + queue_us + redis_us + commit_us + seal_us) >= CAST(? AS bigint) * 1000",
}


_WHOLE: Final = ", ".join(STORED_COLUMNS)
_WITHOUT_TEXTS: Final = ", ".join("NULL" if name in {"request", "reply"} else name for name in STORED_COLUMNS)


class Statement(NamedTuple):
    """A statement with a `?` for each parameter."""

    sql: str
    parameters: Sequence[Any]


class Search:
    """A query of people as two statements: how far it may look, and what it finds there."""

    def __init__(self, query: CallsQuery, table: str) -> None:
        self._query = query
        self._table = table
        self._first = min(ID_MAX, query.from_ms << ID_SHIFT)
        self._before = ID_MAX if query.to_ms is None else min(ID_MAX, query.to_ms << ID_SHIFT)
        if query.before_id is not None:
            self._before = min(self._before, query.before_id)
        self._where, self._values = _chosen(_INDEXED, query)
        if query.failed or query.unacknowledged:
            self._where.append("failed = 1")
        self._others, self._other_values = _chosen(_OTHERS, query)
        if query.unacknowledged:
            self._others.append("acknowledged_ms = 0")
        self._is_bounded = False

    @property
    def bound(self) -> Statement | None:
        """Gives one row for `look_from`. None: indexes answer all, and nothing has to be bounded."""
        if not self._others:
            return None
        where = " AND ".join(["id >= ?", "id < ?", *self._where])
        return Statement(
            f"SELECT min(id), count(*) FROM (SELECT id FROM {self._table} "  # noqa: S608 - of fixed texts
            f"WHERE {where} ORDER BY id DESC LIMIT ?) AS looked_at",
            (self._first, self._before, *self._values, LOOKED_AT_MAX),
        )

    def look_from(self, first: int | None, count: int) -> None:
        """The oldest id that is looked at, and how many there are from there on."""
        if first is not None:
            self._first = first
        self._is_bounded = count == LOOKED_AT_MAX

    @property
    def found(self) -> Statement:
        """Gives the rows for `page`."""
        where = " AND ".join(["id >= ?", "id < ?", *self._where, *self._others])
        return Statement(
            f"SELECT {_WHOLE if self._query.texts else _WITHOUT_TEXTS} "  # noqa: S608 - of fixed texts
            f"FROM {self._table} WHERE {where} ORDER BY id DESC LIMIT ?",
            (self._first, self._before, *self._values, *self._other_values, self._query.limit + 1),
        )

    def page(self, rows: Sequence[Sequence[Any]]) -> CallsPage:
        """What was found."""
        calls = [stored_call(row) for row in rows[: self._query.limit]]
        if len(rows) > self._query.limit:
            return CallsPage(calls, calls[-1].id)
        return CallsPage(calls, self._first if self._is_bounded else None)


def tries_of(call: CallRecord, table: str, limit: int) -> Statement:
    """The calls about the same event, the oldest first, without their texts."""
    return Statement(
        f"SELECT {_WITHOUT_TEXTS} FROM {table} "  # noqa: S608 - of fixed texts
        "WHERE transaction_id = ? AND transaction_id <> '' AND provider = ? AND user_id = ? ORDER BY id LIMIT ?",
        (call.transaction_id, call.provider, call.user_id, limit),
    )


def _chosen(conditions: dict[str, str], query: CallsQuery) -> tuple[list[str], list[Any]]:
    """The conditions that a query has, and their values."""
    chosen = {text: getattr(query, name) for name, text in conditions.items() if getattr(query, name)}
    return list(chosen), list(chosen.values())
