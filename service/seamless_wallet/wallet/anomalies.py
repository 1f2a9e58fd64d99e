"""Events that contradict what is stored: refused like others, and told to the operator with their ids."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import structlog

from seamless_wallet.commands import Answer, Command
from seamless_wallet.observability import metrics

ANOMALY_REASONS: Final = frozenset(
    {
        "conflict",
        "bet_differs",
        "cancel_of_settled",
        "result_of_cancelled",
        "settled_differently",
        "orphan",
        "change_of_cancelled",
        "change_outdated",
        "change_superseded",
        "too_many_changes",
    }
)
"""Reasons of an answer."""

ALARM: Final = "conflict"
"""The reason that may be an attack: whoever sees two bodies under ECB can join them to a third one (SECURITY.md)."""

log = structlog.get_logger(__name__)


def begin_anomaly_counts(providers: Iterable[str]) -> None:
    """Have the anomalies of these providers counted from 0: of a series that appears late an alert sees no increase."""
    for provider in providers:
        for reason in ANOMALY_REASONS:
            metrics.ANOMALIES.labels(provider, reason)


def report_anomaly(command: Command, answer: Answer) -> None:
    """Count and log the command if its answer is an anomaly."""
    if answer.reason not in ANOMALY_REASONS:
        return
    metrics.ANOMALIES.labels(command.provider, answer.reason).inc()
    line = log.bind(
        reason=answer.reason,
        provider=command.provider,
        kind=command.kind,
        user_id=command.user_id,
        transaction_id=command.transaction_id,
        game_no=command.game_no,
    )
    if answer.reason == ALARM:
        line.error("anomaly")
    else:
        line.warning("anomaly")
