"""The handlers of `/v1/calls`: look up, export, acknowledge, decide again, erase."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec
import structlog
from aiohttp import web

from seamless_wallet.access_roles import AccessRole
from seamless_wallet.backoffice import call_requests, call_responses
from seamless_wallet.backoffice import requests as parsing
from seamless_wallet.backoffice.auth import require_role
from seamless_wallet.backoffice.handlers import READ_LIMIT_S
from seamless_wallet.backoffice.problems import Problem, ProblemError, invalid
from seamless_wallet.backoffice.responses import entry_json, json_response
from seamless_wallet.calls.record import decision_phases_us
from seamless_wallet.commands import BACK_OFFICE, Kind

if TYPE_CHECKING:
    from seamless_wallet.backoffice.responses import Scales
    from seamless_wallet.calls.ports import CallRecorder, CallStore, StoredCall
    from seamless_wallet.calls.record import CallRecord
    from seamless_wallet.commands import Answer, Command, Policy
    from seamless_wallet.ledger.ports import LedgerHistory, LedgerReader
    from seamless_wallet.ports import Clock, WalletPort

TRIES_MAX: Final = 50
"""Calls about the same event that one call is told with."""

EXPORT_BYTES_MAX: Final = 32 * 2**20
EXPORT_PAGE: Final = 100
"""Calls that are read at once: with the longest texts they are 13 MiB."""

REPLAYED_KINDS: Final = frozenset({Kind.BET, Kind.CANCEL, Kind.RESULT, Kind.CHANGE})

_FORMS: Final = {
    "jsonl": (call_responses.calls_jsonl, "application/x-ndjson"),
    "csv": (call_responses.calls_csv, "text/csv"),
}

_audit: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("wallet.audit")


class CallDecoder(Protocol):
    """Reads recorded requests again, with the formats and policies of the providers of now."""

    def command_of(self, stored: StoredCall) -> tuple[Command, Policy]:
        """What a call asked. Raises ValueError, with why it cannot be decided again."""


class _Moments:
    """Of an event that is decided again."""

    sent_s = answered_s = 0.0


class Calls:
    """The handlers. `recorder` keeps what is decided again; None: no history is kept."""

    def __init__(
        self,
        store: CallStore,
        decoder: CallDecoder,
        recorder: CallRecorder | None,
        wallet: WalletPort,
        ledger: LedgerReader,
        history: LedgerHistory,
        clock: Clock,
        scales: Scales,
    ) -> None:
        self._store = store
        self._decoder = decoder
        self._recorder = recorder
        self._wallet = wallet
        self._ledger = ledger
        self._history = history
        self._clock = clock
        self._scales = scales

    async def list(self, request: web.Request) -> web.Response:
        """`GET /v1/calls`: newest first, a page at a time."""
        query = msgspec.structs.replace(call_requests.calls_query(request), texts=False)
        async with asyncio.timeout(READ_LIMIT_S):
            page = await self._store.find(query)
        next_cursor = None if page.next_id is None else str(page.next_id)
        return json_response(
            {"calls": [call_responses.call_json(stored) for stored in page.calls], "next_cursor": next_cursor}
        )

    async def export(self, request: web.Request) -> web.Response:
        """`GET /v1/calls/export`: CSV or lines of JSON; header Next-Cursor if there is more. Raises ProblemError."""
        query = call_requests.calls_query(request, limit_max=call_requests.EXPORT_LIMIT_MAX, further=("format",))
        name = request.query.get("format", "jsonl")
        if name not in _FORMS:
            raise invalid("format", "must be one of " + ", ".join(_FORMS))
        write, content_type = _FORMS[name]
        found: list[StoredCall] = []
        size, next_id = 0, query.before_id
        while True:
            part = msgspec.structs.replace(query, before_id=next_id, limit=min(EXPORT_PAGE, query.limit - len(found)))
            async with asyncio.timeout(READ_LIMIT_S):
                page = await self._store.find(part)
            found += page.calls
            size += sum(len(stored.call.request) + len(stored.call.reply) for stored in page.calls)
            next_id = page.next_id
            if next_id is None or len(found) >= query.limit or size >= EXPORT_BYTES_MAX:
                break
        headers = {} if next_id is None else {"Next-Cursor": str(next_id)}
        body = await asyncio.to_thread(write, found)
        return web.Response(body=body, content_type=content_type, charset="utf-8", headers=headers)

    async def show(self, request: web.Request) -> web.Response:
        """`GET /v1/calls/{call_id}`: with the entry of its event, and the other calls about it."""
        stored = await self._call(request)
        async with asyncio.timeout(READ_LIMIT_S):
            tries = await self._store.tries(stored.call, TRIES_MAX)
        entry, is_known = await self._entry_of(stored.call)
        return json_response(
            {
                **call_responses.call_json(stored, texts=True),
                "entry": entry,
                "entry_known": is_known,
                "tries": [call_responses.call_json(each) for each in tries if each.id != stored.id],
            }
        )

    async def acknowledge(self, request: web.Request) -> web.Response:
        """`POST /v1/calls/{call_id}/acknowledgement`: it needs nothing more. Raises ProblemError."""
        call_id = call_requests.call_id_of(request.match_info["call_id"])
        body = await parsing.read_body(request, parsing.AcknowledgementBody)
        stored = await self._store.acknowledge(call_id, self._clock.now_ms(), body.note)
        if stored is None:
            raise _unknown_call()
        _audit.info("call_acknowledged", call=str(call_id), user_id=stored.call.user_id)
        return json_response(call_responses.call_json(stored))

    async def erase(self, request: web.Request) -> web.Response:
        """`DELETE /v1/players/{user_id}/calls`: the ledger keeps what moved money."""
        user_id = parsing.user_id_of(request)
        erased = await self._store.erase(user_id)
        _audit.info("calls_erased", user_id=user_id, count=erased)
        return json_response({"user_id": user_id, "erased": erased})

    async def replay(self, request: web.Request) -> web.Response:
        """`POST /v1/calls/{call_id}/replay`: have the event decided again, by the same way. Raises ProblemError."""
        stored = await self._call(request)
        body = await parsing.read_body(request, parsing.ReplayBody)
        try:
            command, policy = self._decoder.command_of(stored)
        except ValueError as error:
            raise ProblemError(Problem.NOT_REPLAYABLE, str(error)) from None
        if command.kind not in REPLAYED_KINDS:
            raise ProblemError(Problem.NOT_REPLAYABLE, "only bets, cancels, results and changes are decided again")
        if body.confirm != command.kind:
            warning = ": the game of a bet may be over" if command.kind is Kind.BET else ""
            raise invalid("confirm", f"must be {command.kind}, as that is what the call asked{warning}")
        if command.kind is Kind.BET:
            require_role(request, AccessRole.MONEY)
        line = _audit.bind(call=str(stored.id), action=command.kind.value, user_id=command.user_id, why=body.reason)
        moments, began_s = _Moments(), self._clock.monotonic_s()
        try:
            answer = await self._wallet.apply(command, policy, moments)
        except BaseException as error:
            line.info("call_replayed", code="unknown", reason=type(error).__name__)
            raise
        line.info("call_replayed", code=answer.code.value, reason=answer.reason)
        phases_us = decision_phases_us(began_s, moments.sent_s, moments.answered_s, self._clock.monotonic_s())
        self._record(stored, command, answer, phases_us)
        return json_response({"replay_of": str(stored.id), "code": answer.code.value, "reason": answer.reason})

    def _record(self, stored: StoredCall, command: Command, answer: Answer, phases_us: tuple[int, int, int]) -> None:
        """Keep what was decided as a call of its own: nobody was answered."""
        if self._recorder is None:
            return
        queue_us, redis_us, commit_us = phases_us
        record = msgspec.structs.replace(
            stored.call,
            received_ms=command.received_ms,
            peer=BACK_OFFICE,
            key_slot="",
            code=answer.code.value,
            reason=answer.reason,
            place=answer.detail,
            problem="",
            read_us=0,
            open_us=0,
            queue_us=queue_us,
            redis_us=redis_us,
            commit_us=commit_us,
            seal_us=0,
            reply=b"",
            replay_of=stored.id,
        )
        self._recorder.record(record)

    async def _call(self, request: web.Request) -> StoredCall:
        call_id = call_requests.call_id_of(request.match_info["call_id"])
        async with asyncio.timeout(READ_LIMIT_S):
            stored = await self._store.call(call_id)
        if stored is None:
            raise _unknown_call()
        return stored

    async def _entry_of(self, call: CallRecord) -> tuple[dict[str, Any] | None, bool]:
        """The entry of a call's event, and whether the ledger could be asked: a call of its outage is told, too."""
        if not (call.user_id and call.transaction_id):
            return None, True
        try:
            async with asyncio.timeout(READ_LIMIT_S):
                player = await self._ledger.wallet(call.user_id)
                entry = await self._history.event(call.provider, call.user_id, call.transaction_id)
        except OSError:
            return None, False
        if player is None or entry is None:
            return None, True
        return entry_json(entry, self._scales.of(player.currency)), True


def _unknown_call() -> ProblemError:
    return ProblemError(Problem.UNKNOWN_CALL, "it may have been deleted, as calls are after WALLET_CALLS_DAYS")
