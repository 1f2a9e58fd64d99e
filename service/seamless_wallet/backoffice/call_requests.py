"""What `/v1/calls` is asked: which calls, and which one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from unicodedata import category

from seamless_wallet.backoffice.problems import invalid
from seamless_wallet.backoffice.queries import LIMIT_MAX, limit_of, natural_number
from seamless_wallet.calls.ports import CallsQuery, call_id_in
from seamless_wallet.commands import ID_CHARS_MAX

if TYPE_CHECKING:
    from aiohttp import web

EXPORT_LIMIT_MAX: Final = 10_000

_TEXTS: Final = ("provider", "user_id", "transaction_id", "game_no", "event", "code", "reason")
_FLAGS: Final = ("failed", "unacknowledged")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_KNOWN: Final = {*_TEXTS, *_FLAGS, "from", "to", "slow_ms", "limit", "cursor"}


def calls_query(request: web.Request, *, limit_max: int = LIMIT_MAX, further: tuple[str, ...] = ()) -> CallsQuery:
    """The query of a request, which may have these `further` parameters. Raises ProblemError."""
    query = request.query
    limit = limit_of(request, {*_KNOWN, *further}, limit_max)
    for name in _TEXTS:
        text = query.get(name, "a")
        if not 1 <= len(text) <= ID_CHARS_MAX or any(category(char) in {"Cc", "Cs"} for char in text):
            raise invalid(name, f"must have 1 to {ID_CHARS_MAX} characters, and no control characters")
    for name in _FLAGS:
        if query.get(name, "true") not in {"true", "false"}:
            raise invalid(name, "must be true or false")
    slow_ms = natural_number(query.get("slow_ms", "0"))
    if slow_ms is None:
        raise invalid("slow_ms", "must be a number of milliseconds")
    return CallsQuery(
        from_ms=_moment_ms(query, "from") or 0,
        to_ms=_moment_ms(query, "to"),
        provider=query.get("provider", ""),
        user_id=query.get("user_id", ""),
        transaction_id=query.get("transaction_id", ""),
        game_no=query.get("game_no", ""),
        event=query.get("event", ""),
        code=query.get("code", ""),
        reason=query.get("reason", ""),
        failed=query.get("failed") == "true",
        unacknowledged=query.get("unacknowledged") == "true",
        slow_ms=slow_ms,
        before_id=None if "cursor" not in query else call_id_of(query["cursor"], "cursor"),
        limit=limit,
    )


def call_id_of(text: str, field: str = "call_id") -> int:
    """The id of a call, from its decimal digits. Raises ProblemError."""
    call_id = call_id_in(text)
    if call_id is None:
        raise invalid(field, "must be the id of a call")
    return call_id


def _moment_ms(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
    except (ValueError, OverflowError):
        raise invalid(name, "must be a moment such as 2026-01-31T12:00:00Z") from None
    return max(0, since.days * 86_400_000 + since.seconds * 1000 + since.microseconds // 1000)
