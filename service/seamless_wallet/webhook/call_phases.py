"""The phases of an answered call, for those who tell of single calls: the log at DEBUG, and spans."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from seamless_wallet.commands import Answer
from seamless_wallet.observability.call_context import CallContext
from seamless_wallet.webhook.call_records import Call


class CallPhase(NamedTuple):
    """One part of a call, from one moment of the monotonic clock to another, in seconds.

    Their names are those of wallet_webhook_phase_duration_seconds.
    """

    name: str
    began_s: float
    ended_s: float


class AnsweredCall(NamedTuple):
    """What is told of a call: never its texts, its key or its headers."""

    call: Call
    context: CallContext
    provider: str
    event: str
    answer: Answer
    ended_s: float

    @property
    def phases(self) -> list[CallPhase]:
        """Those that it came to, in their order: each begins where the one before ended."""
        call = self.call
        replies_s = call.decided_s or call.opened_s or call.started_s
        moments = (
            ("open", call.opened_s),
            ("queue", call.sent_s or call.decided_s),
            ("redis", call.answered_s or (call.sent_s and call.decided_s)),
            ("commit", call.decided_s if call.answered_s else 0.0),
        )
        found, began_s = [], call.started_s
        for name, ended_s in moments:
            if ended_s:
                found.append(CallPhase(name, began_s, ended_s))
                began_s = ended_s
        return [*found, CallPhase("reply", replies_s, self.ended_s)]

    @property
    def ids(self) -> dict[str, str]:
        """What the event is about."""
        command, echo, ids = self.call.command, self.call.echo, self.call.ids
        if command is None:
            return {
                "user_id": echo.user_id or "",
                "transaction_id": ids.transaction_id,
                "game_no": ids.game_no,
            }
        return {
            "user_id": command.user_id,
            "transaction_id": command.transaction_id,
            "game_no": command.game_no,
        }


class CallWatcher(Protocol):
    """Is told of each call once it is answered, before the answer is sent."""

    def ended(self, answered: AnsweredCall) -> None:
        """Tell of it. Returns at once; what it raises is counted, and costs no answer."""
