"""What stands between a token and a handler: the role that the route needs, and the record of what is asked.

An action is recorded before it is done, also one that the role does not allow, and its outcome afterwards. If it cannot
be recorded, it is not done.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final
from unicodedata import category

import orjson
import structlog
from aiohttp import hdrs, web

from seamless_wallet.actions.ports import Action, ActionOutcome
from seamless_wallet.backoffice import requests as parsing
from seamless_wallet.backoffice.auth import holder_of, require_role
from seamless_wallet.backoffice.problems import Problem, ProblemError, invalid
from seamless_wallet.commands import ID_CHARS_MAX
from seamless_wallet.ledger.ports import Archived
from seamless_wallet.observability import metrics

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

    from seamless_wallet.actions.ports import ActionLog
    from seamless_wallet.backoffice.routes import Route
    from seamless_wallet.ports import Clock

AUDIT_REASON: Final = "Audit-Reason"
"""The header that says why."""

RECORD_LIMIT_S: Final = 2.0
"""How long recording an action may take."""

KEPT_CHARS_MAX: Final = 4096
"""Of the path, the parameters and the answer so much is kept. Of ids and reasons as much as a valid one has."""

HIDDEN: Final = "***"
"""Stands where the caller has written its own token."""

_JSON: Final = "application/json"
_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("wallet.backoffice")


class Guard:
    """Guards the routes of one application."""

    def __init__(self, actions: ActionLog, clock: Clock) -> None:
        self._actions = actions
        self._clock = clock

    def guarded(self, route: Route) -> Handler:
        """The handler of a route, for those who may use it."""
        if route.least is None:
            return route.handler
        least = route.least

        async def handle(request: web.Request) -> web.StreamResponse:
            require_role(request, least)
            return await route.handler(request)

        async def record_and_handle(request: web.Request) -> web.StreamResponse:
            action_id = await self._begin(await self._action(request, route.action))
            try:
                response = await handle(request)
            except BaseException as error:
                await self._end(action_id, *_outcome_of(error))
                raise
            answer = _text(response.body) if isinstance(response, web.Response) and _is_json(response) else ""
            await self._end(action_id, response.status, "", _kept(request, answer))
            return response

        return record_and_handle if route.action else handle

    async def _action(self, request: web.Request, name: str) -> Action:
        """What is asked. Raises ProblemError for a body that cannot be read: then nothing is done either."""
        body = b""
        if request.method in {hdrs.METH_POST, hdrs.METH_PATCH} and request.content_type == _JSON:
            body = await parsing.read_raw(request)
        said: dict[str, Any] = {}
        with suppress(orjson.JSONDecodeError):
            decoded = orjson.loads(body)
            said = decoded if isinstance(decoded, dict) else {}
        holder = holder_of(request)
        reason = _reason(request) or said.get("reason") or said.get("note") or ""
        user_id = request.match_info.get("user_id") or said.get("user_id") or ""
        return Action(
            started_ms=self._clock.now_ms(),
            actor=holder.name,
            role=holder.role.value,
            peer=request.remote or "",
            action=name,
            method=request.method,
            path=_kept(request, request.path),
            user_id=_kept(request, user_id, ID_CHARS_MAX),
            key=_kept(request, request.headers.get(parsing.IDEMPOTENCY_KEY, ""), ID_CHARS_MAX),
            parameters=_kept(request, _text(body) if body else request.query_string),
            reason=_kept(request, reason, parsing.NOTE_CHARS_MAX),
        )

    async def _begin(self, action: Action) -> int:
        try:
            async with asyncio.timeout(RECORD_LIMIT_S):
                return await self._actions.begin(action)
        except OSError as error:  # TimeoutError too
            metrics.ACTIONS_NOT_RECORDED.labels("begin").inc()
            _log.error("action_not_recorded", action=action.action, error=str(error) or type(error).__name__)
            raise ProblemError(Problem.NOT_RECORDED, "nothing was done; repeat the request") from None

    async def _end(self, action_id: int, status: int, problem: str, answer: str) -> None:
        """The action is done, whether this can be recorded or not."""
        outcome = ActionOutcome(self._clock.now_ms(), status, problem, answer)
        try:
            async with asyncio.timeout(RECORD_LIMIT_S):
                await self._actions.end(action_id, outcome)
        except OSError as error:
            metrics.ACTIONS_NOT_RECORDED.labels("end").inc()
            _log.error("outcome_not_recorded", id=str(action_id), status=status, error=str(error))


def _outcome_of(error: BaseException) -> tuple[int, str, str]:
    """Status, kind of problem and detail of what a handler raised."""
    if isinstance(error, ProblemError):
        return error.problem.status, error.problem.slug, error.detail
    if isinstance(error, web.HTTPException):
        return error.status, "", ""
    if isinstance(error, Archived):
        return Problem.ARCHIVED.status, Problem.ARCHIVED.slug, str(error)
    if isinstance(error, OSError):
        return Problem.OUTCOME_UNKNOWN.status, Problem.OUTCOME_UNKNOWN.slug, ""
    return Problem.FAULT.status, Problem.FAULT.slug, type(error).__name__


def _reason(request: web.Request) -> str:
    """The header that says why. Raises ProblemError."""
    reason = request.headers.get(AUDIT_REASON, "")
    if len(reason) > parsing.NOTE_CHARS_MAX or any(category(char) in {"Cc", "Cs"} for char in reason):
        raise invalid(AUDIT_REASON, f"must have at most {parsing.NOTE_CHARS_MAX} characters in UTF-8, none of control")
    return reason


def _kept(request: web.Request, text: object, chars_max: int = KEPT_CHARS_MAX) -> str:
    """The beginning of a text: whoever has a token must not be able to fill a disk.

    Without the caller's token, wherever somebody has written it by mistake, and without half characters.
    """
    token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")[2].strip()
    plain = str(text).encode(errors="replace").decode()
    return (plain.replace(token, HIDDEN) if token else plain)[:chars_max]


def _text(body: object) -> str:
    return body.decode(errors="replace") if isinstance(body, bytes | bytearray) else ""


def _is_json(response: web.Response) -> bool:
    return response.content_type == _JSON
