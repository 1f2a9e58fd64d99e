"""The errors that end a command without a decision: what the provider is told, and what the operator."""

from __future__ import annotations

from typing import Final, NamedTuple

from redis.exceptions import ResponseError

from seamless_wallet.commands import Answer, Code
from seamless_wallet.engine.pipeline import RedisUnavailable
from seamless_wallet.ledger.fold import FoldError
from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.observability import metrics
from seamless_wallet.observability.rate_limited_log import RateLimitedLog
from seamless_wallet.ports import Clock
from seamless_wallet.wallet.loader import WalletFrozen
from seamless_wallet.wallet.prepared_event import PreparedEvent


class Failure(NamedTuple):
    """One row: the answer's code and reason; the component that is counted as failing, the log's event and its remedy.

    Without a component nothing is counted or logged here: the answers' own metric has it, or the pipeline's.
    """

    code: Code
    reason: str
    component: str = ""
    log_event: str = ""
    remedy: str = ""


FAILURES: Final[dict[type[Exception], Failure]] = {
    TimeoutError: Failure(Code.R1, "deadline"),
    WalletFrozen: Failure(Code.R1, "frozen"),
    RedisUnavailable: Failure(Code.R1, "redis"),
    StoreError: Failure(
        Code.R1,
        "ledger",
        component="ledger",
        log_event="ledger_unavailable",
        remedy="check that the disk is there and that this process may read the ledger",
    ),
    FoldError: Failure(
        Code.R1,
        "ledger",
        component="ledger",
        log_event="ledger_inconsistent",
        remedy="run `wallet verify`; this player's events get R1 until it is resolved",
    ),
    ResponseError: Failure(
        Code.R1,
        "redis",
        component="script",
        log_event="script_failed",
        remedy="look the error up (`wallet docs operations`)",
    ),
}
"""All R1: what happened is unknown, or nothing did. The provider's retry learns the truth."""

EXPECTED: Final = tuple(FAILURES)
"""For `except`. Anything else is a bug."""


class FailureReport:
    """Counts and logs failures, once a second at most for each event of the log."""

    def __init__(self, clock: Clock) -> None:
        self._rate_limited_log = RateLimitedLog(monotonic_s=clock.monotonic_s)

    def answer(self, error: Exception, event: PreparedEvent) -> Answer:
        """The answer to an event that ended with one of EXPECTED."""
        failure = next(failure for kind, failure in FAILURES.items() if isinstance(error, kind))
        if failure.component:
            metrics.UNEXPECTED_ERRORS.labels(failure.component).inc()
            log_event = failure.log_event
            self._rate_limited_log.error(log_event, error=str(error), script=event.script.name, remedy=failure.remedy)
        return Answer(failure.code, failure.reason)
