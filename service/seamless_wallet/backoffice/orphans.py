"""What is still to come: results of bets that are not known, and rounds whose results have not come."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from msgspec import structs

from seamless_wallet.backoffice import call_requests, queries
from seamless_wallet.backoffice.handlers import READ_LIMIT_S
from seamless_wallet.backoffice.problems import invalid
from seamless_wallet.backoffice.responses import iso_utc, json_response, left_open_json
from seamless_wallet.commands import digest

if TYPE_CHECKING:
    from aiohttp import web

    from seamless_wallet.backoffice.responses import Scales
    from seamless_wallet.calls.ports import CallsQuery, CallStore, StoredCall
    from seamless_wallet.ledger.ports import LedgerHistory, LedgerReader
    from seamless_wallet.ports import Clock

ORPHAN: Final = "orphan"
"""The reason of a call whose result or change is of a bet that is not known."""

ORPHAN_PARAMETERS: Final = frozenset(
    {"from", "to", "provider", "user_id", "transaction_id", "game_no", "limit", "cursor"}
)

ORPHAN_TRIES_MAX: Final = 1_000
"""Calls about one event that are looked at."""


class Orphans:
    """The handlers of `/v1/orphans` and `/v1/rounds/open`."""

    def __init__(
        self, calls: CallStore, ledger: LedgerReader, history: LedgerHistory, clock: Clock, scales: Scales
    ) -> None:
        self._calls = calls
        self._ledger = ledger
        self._history = history
        self._clock = clock
        self._scales = scales

    async def list(self, request: web.Request) -> web.Response:
        """`GET /v1/orphans`: by their newest call, a page at a time. Raises ProblemError."""
        for name in request.query:
            if name not in ORPHAN_PARAMETERS:
                raise invalid(name, "unknown or repeated parameter")
        query = call_requests.calls_query(request)
        async with asyncio.timeout(READ_LIMIT_S):
            orphans, next_id = await find_orphans(self._calls, self._ledger, query)
        return json_response({"orphans": orphans, "next_cursor": None if next_id is None else str(next_id)})

    async def left_open(self, request: web.Request) -> web.Response:
        """`GET /v1/rounds/open`: those that were placed first in front, a page at a time. Raises ProblemError."""
        query = queries.left_open_query(request, self._clock.now_ms())
        async with asyncio.timeout(READ_LIMIT_S):
            try:
                found = await self._history.left_open(structs.replace(query, limit=query.limit + 1))
            except ValueError:
                raise invalid("cursor", "must be the next_cursor of an earlier page") from None
        page = found[: query.limit]
        next_cursor = page[-1].place if len(found) > query.limit else None
        rounds = [left_open_json(each, self._scales.of(each.currency)) for each in page]
        return json_response({"rounds": rounds, "next_cursor": next_cursor})


async def find_orphans(
    calls: CallStore, ledger: LedgerReader, query: CallsQuery
) -> tuple[Sequence[dict[str, Any]], int | None]:
    """Events that were answered `orphan` and are in no entry by now, each once, and where the list goes on.

    Raises OSError if the calls or the ledger cannot be read.
    """
    page = await calls.find(structs.replace(query, reason=ORPHAN, texts=False))
    told = []
    for stored in page.calls:
        tries = [each for each in await calls.tries(stored.call, ORPHAN_TRIES_MAX) if each.call.reason == ORPHAN]
        if not tries or tries[-1].id == stored.id:
            told.append((stored, tries or [stored]))
    keys = [_event_key(stored) for stored, _ in told]
    settled = (await ledger.find_events(keys)).events if keys else {}
    return [
        _orphan_json(stored, tries)
        for (stored, tries), (_, event) in zip(told, keys, strict=True)
        if event not in settled
    ], page.next_id


def _event_key(stored: StoredCall) -> tuple[str, bytes]:
    call = stored.call
    return call.user_id, digest("event", call.provider, call.user_id, call.transaction_id)


def _orphan_json(stored: StoredCall, tries: Sequence[StoredCall]) -> dict[str, Any]:
    call = stored.call
    return {
        "call": str(stored.id),
        "provider": call.provider,
        "user_id": call.user_id,
        "transaction_id": call.transaction_id,
        "game_no": call.game_no,
        "event": call.event,
        "first": iso_utc(tries[0].call.received_ms),
        "last": iso_utc(call.received_ms),
        "tries": len(tries),
    }
