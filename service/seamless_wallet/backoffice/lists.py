"""The handlers that tell of the past: players, a player's entries, rounds and balance. Each finds it by an index."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from msgspec import structs

from seamless_wallet.backoffice import queries
from seamless_wallet.backoffice import requests as parsing
from seamless_wallet.backoffice.handlers import READ_LIMIT_S
from seamless_wallet.backoffice.problems import Problem, ProblemError
from seamless_wallet.backoffice.responses import balance_json, entry_json, json_response, player_json, round_json

if TYPE_CHECKING:
    from aiohttp import web

    from seamless_wallet.backoffice.responses import Scales
    from seamless_wallet.ledger.fold import Wallet
    from seamless_wallet.ledger.ports import LedgerHistory, LedgerReader


class Lists:
    """The handlers of `/v1/players` and of what is below a player, for GET. A page has the cursor of the next one."""

    def __init__(self, ledger: LedgerReader, history: LedgerHistory, scales: Scales) -> None:
        self._ledger = ledger
        self._history = history
        self._scales = scales

    async def players(self, request: web.Request) -> web.Response:
        """`GET /v1/players`: by user_id, a page at a time."""
        query = queries.players_query(request)
        async with asyncio.timeout(READ_LIMIT_S):
            found = await self._history.players(queries.one_more(query))
        page = found[: query.limit]
        next_cursor = page[-1].user_id if len(found) > query.limit else None
        players = [player_json(player, self._scales.of(player.currency)) for player in page]
        return json_response({"players": players, "next_cursor": next_cursor})

    async def entries(self, request: web.Request) -> web.Response:
        """`GET /v1/players/{user_id}/entries`: newest first, a page at a time, of a time. Raises ProblemError."""
        user_id, query = parsing.user_id_of(request), queries.entries_query(request)
        async with asyncio.timeout(READ_LIMIT_S):
            player = await self._player(user_id)
            found = await self._history.history(user_id, structs.replace(query, limit=query.limit + 1))
        page = found[: query.limit]
        next_cursor = str(page[-1].seq) if len(found) > query.limit else None
        scale = self._scales.of(player.currency)
        return json_response({"entries": [entry_json(entry, scale) for entry in page], "next_cursor": next_cursor})

    async def balance(self, request: web.Request) -> web.Response:
        """`GET /v1/players/{user_id}/balance?at=…`: what the player had then. Raises ProblemError."""
        user_id, at_ms = parsing.user_id_of(request), queries.balance_moment(request)
        async with asyncio.timeout(READ_LIMIT_S):
            player = await self._player(user_id)
            entry = await self._history.entry_at(user_id, at_ms)
        if entry is None:
            raise ProblemError(Problem.UNKNOWN_PLAYER, "the player was not there yet")
        return json_response(balance_json(player, entry, at_ms, self._scales.of(player.currency)))

    async def rounds(self, request: web.Request) -> web.Response:
        """`GET /v1/players/{user_id}/rounds`: newest first, a page at a time. Raises ProblemError."""
        user_id = parsing.user_id_of(request)
        limit, before_seq = queries.page_of(request)
        async with asyncio.timeout(READ_LIMIT_S):
            player = await self._player(user_id)
            found = await self._history.rounds(user_id, before_seq, limit + 1)
        page = found[:limit]
        next_cursor = str(page[-1].seq) if len(found) > limit else None
        scale = self._scales.of(player.currency)
        return json_response({"rounds": [round_json(round_, scale) for round_ in page], "next_cursor": next_cursor})

    async def _player(self, user_id: str) -> Wallet:
        player = await self._ledger.wallet(user_id)
        if player is None:
            raise ProblemError(Problem.UNKNOWN_PLAYER, "create the player first")
        return player
