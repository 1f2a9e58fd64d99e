"""The handlers that list: players, and a player's rounds. Each page is found by an index, and has the next cursor."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from seamless_wallet.backoffice import requests as parsing
from seamless_wallet.backoffice.handlers import READ_LIMIT_S
from seamless_wallet.backoffice.problems import Problem, ProblemError
from seamless_wallet.backoffice.responses import json_response, player_json, round_json

if TYPE_CHECKING:
    from aiohttp import web

    from seamless_wallet.backoffice.responses import Scales
    from seamless_wallet.ledger.ports import LedgerHistory, LedgerReader


class Lists:
    """The handlers of `/v1/players` and `/v1/players/{user_id}/rounds`, for GET."""

    def __init__(self, ledger: LedgerReader, history: LedgerHistory, scales: Scales) -> None:
        self._ledger = ledger
        self._history = history
        self._scales = scales

    async def players(self, request: web.Request) -> web.Response:
        """`GET /v1/players`: by user_id, a page at a time."""
        query = parsing.players_query(request)
        async with asyncio.timeout(READ_LIMIT_S):
            found = await self._history.players(parsing.one_more(query))
        page = found[: query.limit]
        next_cursor = page[-1].user_id if len(found) > query.limit else None
        players = [player_json(player, self._scales.of(player.currency)) for player in page]
        return json_response({"players": players, "next_cursor": next_cursor})

    async def rounds(self, request: web.Request) -> web.Response:
        """`GET /v1/players/{user_id}/rounds`: newest first, a page at a time. Raises ProblemError."""
        user_id = parsing.user_id_of(request)
        limit, before_seq = parsing.page_of(request)
        async with asyncio.timeout(READ_LIMIT_S):
            player = await self._ledger.wallet(user_id)
            found = await self._history.rounds(user_id, before_seq, limit + 1)
        if player is None:
            raise ProblemError(Problem.UNKNOWN_PLAYER, "create the player first")
        page = found[:limit]
        next_cursor = str(page[-1].seq) if len(found) > limit else None
        scale = self._scales.of(player.currency)
        return json_response({"rounds": [round_json(round_, scale) for round_ in page], "next_cursor": next_cursor})
