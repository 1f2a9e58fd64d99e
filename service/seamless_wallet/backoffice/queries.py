"""Strict reading of what stands behind the question mark: which page of what."""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from unicodedata import category

import msgspec

from seamless_wallet.backoffice.problems import invalid
from seamless_wallet.commands import ID_CHARS_MAX, PlayerStatus
from seamless_wallet.ledger.records import EntriesQuery, LeftOpenQuery, PlayersQuery
from seamless_wallet.money import AMOUNT_MAX

if TYPE_CHECKING:
    from aiohttp import web

LIMIT_DEFAULT: Final = 50
LIMIT_MAX: Final = 500
OPEN_HOURS_DEFAULT: Final = 24
OPEN_HOURS_MAX: Final = 1_000_000

_PLACE: Final = re.compile(r"[0-9]{1,18}(\.[0-9]{1,18})?")
_NUMBER: Final = re.compile(r"[0-9]{1,16}")


def page_of(request: web.Request, others: AbstractSet[str] = frozenset()) -> tuple[int, int | None]:
    """`limit`: how many entries at most. `cursor`: only entries before this seq; None: from the newest on.

    `others`: parameters that there may be besides. Raises ProblemError.
    """
    query = request.query
    limit = limit_of(request, {"limit", "cursor", *others})
    if "cursor" not in query:
        return limit, None
    cursor = natural_number(query["cursor"])
    if cursor is None:
        raise invalid("cursor", "must be the next_cursor of an earlier page")
    return limit, cursor


def players_query(request: web.Request) -> PlayersQuery:
    """`limit`, `prefix`, `status`, `owing`, and `cursor`: only players after this user_id. Raises ProblemError."""
    query = request.query
    limit = limit_of(request, {"limit", "cursor", "prefix", "status", "owing"})
    for name in ("cursor", "prefix"):
        text = query.get(name, "a")
        if not 1 <= len(text) <= ID_CHARS_MAX or any(category(char) in {"Cc", "Cs"} for char in text):
            raise invalid(name, f"must have 1 to {ID_CHARS_MAX} characters, and no control characters")
    if query.get("status", PlayerStatus.ACTIVE) not in PlayerStatus.__members__.values():
        raise invalid("status", "must be one of " + ", ".join(PlayerStatus))
    if query.get("owing", "true") not in {"true", "false"}:
        raise invalid("owing", "must be true or false")
    owing = query.get("owing") == "true"
    return PlayersQuery(query.get("prefix", ""), query.get("status", ""), owing, query.get("cursor", ""), limit)


def left_open_query(request: web.Request, now_ms: int) -> LeftOpenQuery:
    """`hours`: how long they are open at least; `provider`, and `limit` and `cursor` of a page. Raises ProblemError."""
    query = request.query
    limit = limit_of(request, {"hours", "provider", "limit", "cursor"})
    hours = natural_number(query.get("hours", str(OPEN_HOURS_DEFAULT)))
    if hours is None or hours > OPEN_HOURS_MAX:
        raise invalid("hours", f"must be a number from 0 to {OPEN_HOURS_MAX}")
    cursor = query.get("cursor", "")
    if cursor and not _PLACE.fullmatch(cursor):
        raise invalid("cursor", "must be the next_cursor of an earlier page")
    return LeftOpenQuery(max(0, now_ms - hours * 3_600_000), query.get("provider", ""), cursor, limit)


def entries_query(request: web.Request) -> EntriesQuery:
    """`limit`, `cursor` as for a page, and moments: `from` (not before) and `to` (before). Raises ProblemError."""
    limit, before_seq = page_of(request, {"from", "to"})
    begin, end = (moment_of(request, name) if name in request.query else None for name in ("from", "to"))
    return EntriesQuery(begin or 0, end, before_seq, limit)


def balance_moment(request: web.Request) -> int:
    """`at`, epoch milliseconds, of a request with no other parameter. Raises ProblemError."""
    if set(request.query) != {"at"} or len(request.query.getall("at")) > 1:
        raise invalid("at", "give it once, and nothing else")
    return moment_of(request, "at")


def moment_of(request: web.Request, name: str) -> int:
    """A parameter, in epoch milliseconds. Raises ProblemError."""
    try:
        return moment_ms(request.query[name])
    except ValueError:
        raise invalid(name, "must be a moment such as 2026-01-31T12:00:00Z, a + in it percent-encoded") from None


def moment_ms(text: str) -> int:
    """Epoch milliseconds of a moment in ISO 8601, UTC unless it says else; 0 if it is before. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    try:
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError as error:
        raise ValueError(str(error)) from None
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return max(0, since.days * 86_400_000 + since.seconds * 1000 + since.microseconds // 1000)


def one_more(query: PlayersQuery) -> PlayersQuery:
    """The same with a row more: that tells whether another page follows."""
    return msgspec.structs.replace(query, limit=query.limit + 1)


def limit_of(request: web.Request, known: set[str], limit_max: int = LIMIT_MAX) -> int:
    """`limit`, of a request with no other parameters than these, each once. Raises ProblemError."""
    query = request.query
    for name in query:
        if name not in known or len(query.getall(name)) > 1:
            raise invalid(name, "unknown or repeated parameter")
    limit = natural_number(query.get("limit", str(LIMIT_DEFAULT)))
    if limit is None or not 1 <= limit <= limit_max:
        raise invalid("limit", f"must be a number from 1 to {limit_max}")
    return limit


def natural_number(text: str) -> int | None:
    """A small natural number, digits only."""
    return int(text) if _NUMBER.fullmatch(text) and int(text) <= AMOUNT_MAX else None
