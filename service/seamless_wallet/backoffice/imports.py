"""The handler of `/v1/imports`: many players with their opening balances in one request.

Each one is created, and each balance deposited, as by the requests for single players: decided in Lua, committed,
audited. What is refused of one player concerns no other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from seamless_wallet.backoffice import requests as parsing
from seamless_wallet.backoffice.handlers import CREATE_ID, READ_LIMIT_S, refuse
from seamless_wallet.backoffice.problems import OUTCOME_UNKNOWN, Problem, ProblemError, invalid
from seamless_wallet.backoffice.responses import json_response
from seamless_wallet.commands import BACK_OFFICE, Kind
from seamless_wallet.ledger.ports import Archived
from seamless_wallet.money import AmountError, parse_minor

if TYPE_CHECKING:
    from aiohttp import web

    from seamless_wallet.backoffice.handlers import Players
    from seamless_wallet.backoffice.requests import ImportedPlayer
    from seamless_wallet.backoffice.responses import Scales
    from seamless_wallet.ledger.ports import LedgerHistory

OPENING_ID: Final = "«opening»"
"""The transaction id of every opening balance: a player has one for ever, from whatever file it comes. No
Idempotency-Key is equal to it: those are ASCII."""

AT_ONCE: Final = 100
"""Players of one request who are decided at the same time."""


class Imports:
    """The handler. `players` decides, and keeps the audit log."""

    def __init__(self, players: Players, history: LedgerHistory, scales: Scales) -> None:
        self._players = players
        self._history = history
        self._scales = scales

    async def take(self, request: web.Request) -> web.Response:
        """`POST /v1/imports`: a result for each player, in their order. Raises ProblemError."""
        body = await parsing.read_body(request, parsing.ImportBody)
        results: list[dict[str, Any]] = [{}] * len(body.players)
        waiting = iter(enumerate(body.players))
        async with asyncio.TaskGroup() as group:
            for _ in range(min(AT_ONCE, len(body.players))):
                group.create_task(self._take_waiting(waiting, results))
        return json_response({"results": results})

    async def _take_waiting(self, waiting: Iterator[tuple[int, ImportedPlayer]], results: list[dict[str, Any]]) -> None:
        for place, player in waiting:
            try:
                outcome, problem, detail = await self._take_one(player), None, ""
            except ProblemError as error:
                outcome = "unknown" if error.problem is Problem.OUTCOME_UNKNOWN else "refused"
                problem, detail = error.problem.slug, error.detail
            except OSError:  # the ledger is away
                outcome, problem, detail = "unknown", Problem.OUTCOME_UNKNOWN.slug, OUTCOME_UNKNOWN
            results[place] = {
                "user_id": player.user_id,
                "outcome": outcome,
                "problem": problem,
                "detail": detail,
            }

    async def _take_one(self, player: ImportedPlayer) -> str:
        """`taken`, or `known` if all of it was there before. Raises ProblemError."""
        user_id, currency = parsing.new_user_id(player.user_id), player.currency
        if currency not in self._scales:
            raise invalid("currency", "not one of the configured currencies")
        amount = _opening_balance(player.balance, self._scales.of(currency))
        created = await self._players.apply(Kind.CREATE, user_id, CREATE_ID, currency=currency)
        if created.reason == "conflict":
            raise _other_currency()
        refuse(created)
        if created.currency != currency:
            raise _other_currency()
        outcome = "taken" if created.reason == "create" else "known"
        if not amount:
            return outcome
        if outcome == "known" and await self._has_opened(user_id, amount):
            return outcome
        moved = await self._players.apply(Kind.DEPOSIT, user_id, OPENING_ID, currency=currency, amount=amount)
        if moved.reason == "conflict":  # another request was faster
            raise _other_balance()
        refuse(moved)
        return outcome if moved.reason == "duplicate" else "taken"

    async def _has_opened(self, user_id: str, amount: int) -> bool:
        """Whether a player has this opening balance. Raises ProblemError if there was another one.

        The ledger is asked first: a conflict is told to the operator as an attack, and a wrong file is none.
        """
        try:
            async with asyncio.timeout(READ_LIMIT_S):
                entry = await self._history.event(BACK_OFFICE, user_id, OPENING_ID)
        except Archived:  # it has; whether of this amount, the mark of the event tells
            return False
        if entry is not None and entry.command.amount != amount:
            raise _other_balance()
        return entry is not None


def _opening_balance(text: str, scale: int) -> int:
    """In minor units, 0 or more. Raises ProblemError."""
    try:
        minor = parse_minor(text, scale)
    except AmountError as error:
        raise invalid("balance", str(error)) from None
    if minor < 0:
        raise invalid("balance", "must not be negative")
    return minor


def _other_balance() -> ProblemError:
    return ProblemError(Problem.KEY_REUSED, "the player has had another opening balance, and keeps it")


def _other_currency() -> ProblemError:
    return ProblemError(Problem.PLAYER_EXISTS, "the player exists with another currency, which never changes")
