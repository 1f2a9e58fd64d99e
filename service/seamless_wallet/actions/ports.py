"""What is recorded of an action, and what the back office and the command line need of a store of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec


class Action(msgspec.Struct, frozen=True):
    """What somebody asked for. Nothing in it is a token. Texts are empty where there is nothing to say."""

    started_ms: int  # epoch milliseconds
    actor: str  # the name of the token
    role: str
    peer: str  # the address of the connection
    action: str
    method: str
    path: str
    user_id: str
    key: str  # the Idempotency-Key
    parameters: str  # the query or the body, of which the beginning is kept
    reason: str


class ActionOutcome(msgspec.Struct, frozen=True):
    """What came of an action: an HTTP status, the kind of problem ("" if none), and the beginning of the answer."""

    ended_ms: int
    status: int
    problem: str
    answer: str


class StoredAction(msgspec.Struct, frozen=True):
    """An action with its id. `outcome` is None while it is under way, and for ever if the process ended meanwhile."""

    id: int
    action: Action
    outcome: ActionOutcome | None


class ActionsQuery(msgspec.Struct, frozen=True):
    """Which actions, newest first. Empty texts and None leave a field open."""

    from_ms: int = 0
    to_ms: int | None = None
    actor: str = ""
    user_id: str = ""
    action: str = ""
    before_id: int | None = None
    limit: int = 50


class ActionLog(Protocol):
    """A store of actions. Raises an OSError with one line for people when it cannot be read or written."""

    async def begin(self, action: Action) -> int:
        """Record an action, on disk when this returns; its id."""

    async def end(self, action_id: int, outcome: ActionOutcome) -> None:
        """Record what came of it."""

    async def find(self, query: ActionsQuery) -> Sequence[StoredAction]:
        """Actions, newest first."""
