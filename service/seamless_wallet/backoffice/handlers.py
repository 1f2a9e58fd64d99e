"""The handlers of `/v1/players`: create, show and block players, deposit, withdraw."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import structlog

from seamless_wallet.backoffice import requests as parsing
from seamless_wallet.backoffice.problems import OUTCOME_UNKNOWN, Problem, ProblemError, invalid
from seamless_wallet.backoffice.responses import json_response, player_json
from seamless_wallet.commands import BACK_OFFICE, Answer, Code, Command, Kind, Policy
from seamless_wallet.money import format_minor

if TYPE_CHECKING:
    from aiohttp import web

    from seamless_wallet.backoffice.responses import Scales
    from seamless_wallet.ledger.fold import Wallet
    from seamless_wallet.ledger.ports import LedgerReader
    from seamless_wallet.ports import Clock, Randomness, WalletPort

CREATE_ID: Final = "«create»"
"""The transaction id of every creation, so that creating a player is idempotent. No Idempotency-Key is equal to it:
those are ASCII."""

RANDOM_KEY_BYTES: Final = 16
"""Of the transaction id that a change of status without an Idempotency-Key gets."""

READ_LIMIT_S: Final = 2.0
"""How long the ledger may take for one page or player. The wallet bounds its own part of a call."""

_audit: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("wallet.audit")

_REFUSALS: Final = {
    (Code.R3, "conflict"): (Problem.KEY_REUSED, "another request used this Idempotency-Key: choose a new one"),
    (Code.R3, "unknown_player"): (Problem.UNKNOWN_PLAYER, "create the player first"),
    (Code.R1, "blocked"): (Problem.BLOCKED, "nothing was moved; activate the player first"),
    (Code.R1, "overflow"): (Problem.OVERFLOW, "nothing was moved"),
    (Code.R4, "funds"): (Problem.FUNDS, "nothing was moved"),
}


class Players:
    """The handlers of `/v1/players`. Each one parses, asks the wallet or the ledger, and reports."""

    def __init__(
        self, wallet: WalletPort, ledger: LedgerReader, clock: Clock, randomness: Randomness, scales: Scales
    ) -> None:
        self._wallet = wallet
        self._ledger = ledger
        self._clock = clock
        self._randomness = randomness
        self._scales = scales
        self._policy = Policy()

    async def create(self, request: web.Request) -> web.Response:
        """`POST /v1/players`: 201, or 200 if the same player exists, 409 with another currency. Raises ProblemError."""
        body = await parsing.read_body(request, parsing.CreateBody)
        user_id = parsing.new_user_id(body.user_id)
        if body.currency not in self._scales:
            raise invalid("currency", "not one of the configured currencies")
        answered = await self.apply(Kind.CREATE, user_id, CREATE_ID, currency=body.currency)
        if answered.reason == "conflict":  # created with another currency, only just now
            raise ProblemError(Problem.PLAYER_EXISTS, "a player's currency never changes")
        refuse(answered)
        player = await self._player(user_id)
        if player.currency != body.currency:
            raise ProblemError(Problem.PLAYER_EXISTS, "a player's currency never changes")
        created = answered.reason == "create"
        headers = {"Location": f"/v1/players/{quote(user_id, safe='')}"} if created else None
        return json_response(self._player_json(player), 201 if created else 200, headers)

    async def show(self, request: web.Request) -> web.Response:
        """`GET /v1/players/{user_id}`: the committed state."""
        return json_response(self._player_json(await self._player(parsing.user_id_of(request))))

    async def set_status(self, request: web.Request) -> web.Response:
        """`PATCH /v1/players/{user_id}`: block or activate. An Idempotency-Key is accepted but not needed."""
        user_id = parsing.user_id_of(request)
        key = parsing.idempotency_key(request) or self._randomness.token(RANDOM_KEY_BYTES)
        body = await parsing.read_body(request, parsing.StatusBody)
        refuse(await self.apply(Kind.STATUS, user_id, key, status=body.status.value))
        return json_response(self._player_json(await self._player(user_id)))

    async def deposit(self, request: web.Request) -> web.Response:
        """`POST /v1/players/{user_id}/deposits`: allowed for blocked players; pays no debt."""
        return await self._move(request, Kind.DEPOSIT)

    async def withdraw(self, request: web.Request) -> web.Response:
        """`POST /v1/players/{user_id}/withdrawals`: at most balance − debt; refused for blocked players."""
        return await self._move(request, Kind.WITHDRAW)

    async def _move(self, request: web.Request, kind: Kind) -> web.Response:
        user_id = parsing.user_id_of(request)
        key = parsing.required_key(request)
        body = await parsing.read_body(request, parsing.AmountBody)
        currency = (await self._player(user_id)).currency
        scale = self._scales.of(currency)
        amount = parsing.movement_amount(body, scale)
        answered = await self.apply(kind, user_id, key, currency=currency, amount=amount)
        refuse(answered)
        if answered.balance is None or answered.debt is None:
            raise RuntimeError(f"{kind} answered {answered.code} without a balance")
        return json_response(
            {
                "user_id": user_id,
                "transaction_id": key,
                "kind": kind,
                "currency": currency,
                "amount": format_minor(amount, scale),
                "balance": format_minor(answered.balance, scale),
                "debt": format_minor(answered.debt, scale),
                "replayed": answered.reason == "duplicate",
            },
            201,
        )

    async def apply(self, kind: Kind, user_id: str, key: str, **content: Any) -> Answer:
        """Have one command decided, and write its line to the audit log, whatever comes of it."""
        now_ms = self._clock.now_ms()
        command = Command(
            kind=kind,
            provider=BACK_OFFICE,
            user_id=user_id,
            transaction_id=key,
            timestamp_ms=now_ms,
            received_ms=now_ms,
            **content,
        )
        line = _audit.bind(action=kind.value, user_id=user_id, key=key, **content)
        try:
            answered = await self._wallet.apply(command, self._policy)
        except BaseException as error:
            line.info("backoffice_command", code="unknown", reason=type(error).__name__)
            raise
        line.info("backoffice_command", code=answered.code.value, reason=answered.reason)
        return answered

    async def _player(self, user_id: str) -> Wallet:
        async with asyncio.timeout(READ_LIMIT_S):
            player = await self._ledger.wallet(user_id)
        if player is None:
            raise ProblemError(Problem.UNKNOWN_PLAYER, "create the player first")
        return player

    def _player_json(self, player: Wallet) -> dict[str, object]:
        return player_json(player, self._scales.of(player.currency))


def refuse(answered: Answer) -> None:
    """Raises ProblemError for a decision other than R0. An R1 that is no refusal leaves the outcome unknown."""
    if answered.code is Code.R0:
        return
    refusal = _REFUSALS.get((answered.code, answered.reason))
    if refusal is not None:
        raise ProblemError(*refusal)
    if answered.code is Code.R1:
        raise ProblemError(Problem.OUTCOME_UNKNOWN, OUTCOME_UNKNOWN)
    raise RuntimeError(f"the wallet answered the back office {answered.code} {answered.reason}")
