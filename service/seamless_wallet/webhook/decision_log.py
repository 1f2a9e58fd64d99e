"""One line for each decision, for who looks for a fault: at the level DEBUG alone."""

from __future__ import annotations

from typing import Final

import structlog

from seamless_wallet.webhook.call_phases import AnsweredCall

_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger(__name__)


class DecisionLog:
    """Writes the line `call_decided`: ids, code, reason, and milliseconds by phase. No key, no header, no text."""

    def ended(self, answered: AnsweredCall) -> None:
        """Write it."""
        answer = answered.answer
        _log.debug(
            "call_decided",
            provider=answered.provider,
            event_type=answered.event,
            **answered.ids,
            code=answer.code.value,
            reason=answer.reason,
            place=answer.detail,
            taken_ms=_ms(answered.call.started_s, answered.ended_s),
            phases_ms={phase.name: _ms(phase.began_s, phase.ended_s) for phase in answered.phases},
        )


def _ms(began_s: float, ended_s: float) -> float:
    return round((ended_s - began_s) * 1000, 3)
