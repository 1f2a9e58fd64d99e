"""The handler of `/v1/audit`: what was done, by whom, and what came of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import msgspec

from seamless_wallet.actions.ports import ActionsQuery
from seamless_wallet.backoffice import queries as parsing
from seamless_wallet.backoffice.call_requests import call_id_of
from seamless_wallet.backoffice.handlers import READ_LIMIT_S
from seamless_wallet.backoffice.problems import invalid
from seamless_wallet.backoffice.responses import iso_utc, json_response
from seamless_wallet.commands import ID_CHARS_MAX

if TYPE_CHECKING:
    from aiohttp import web

    from seamless_wallet.actions.ports import ActionLog, StoredAction

_TEXTS: Final = ("actor", "user_id", "action")


class Actions:
    """The handler."""

    def __init__(self, log: ActionLog) -> None:
        self._log = log

    async def list(self, request: web.Request) -> web.Response:
        """`GET /v1/audit`: newest first, a page at a time. Raises ProblemError."""
        query = _query(request)
        async with asyncio.timeout(READ_LIMIT_S):
            found = await self._log.find(msgspec.structs.replace(query, limit=query.limit + 1))
        page = found[: query.limit]
        next_cursor = str(page[-1].id) if len(found) > query.limit else None
        return json_response({"actions": [action_json(stored) for stored in page], "next_cursor": next_cursor})


def action_json(stored: StoredAction) -> dict[str, Any]:
    """An action. An id is a string: it has more digits than JavaScript keeps."""
    action, outcome = stored.action, stored.outcome
    return {
        "id": str(stored.id),
        "time": iso_utc(action.started_ms),
        "actor": action.actor,
        "role": action.role,
        "peer": action.peer,
        "action": action.action,
        "method": action.method,
        "path": action.path,
        "user_id": action.user_id,
        "key": action.key,
        "parameters": action.parameters,
        "reason": action.reason,
        "outcome": None
        if outcome is None
        else {
            "time": iso_utc(outcome.ended_ms),
            "status": outcome.status,
            "problem": outcome.problem,
            "answer": outcome.answer,
        },
    }


def _query(request: web.Request) -> ActionsQuery:
    query = request.query
    limit = parsing.limit_of(request, {*_TEXTS, "from", "to", "limit", "cursor"})
    for name in _TEXTS:
        if not 1 <= len(query.get(name, "a")) <= ID_CHARS_MAX:
            raise invalid(name, f"must have 1 to {ID_CHARS_MAX} characters")
    begin, end = (parsing.moment_of(request, name) if name in query else None for name in ("from", "to"))
    return ActionsQuery(
        from_ms=begin or 0,
        to_ms=end,
        actor=query.get("actor", ""),
        user_id=query.get("user_id", ""),
        action=query.get("action", ""),
        before_id=call_id_of(query["cursor"], "cursor") if "cursor" in query else None,
        limit=limit,
    )
