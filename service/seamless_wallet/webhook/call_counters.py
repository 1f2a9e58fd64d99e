"""What is counted of the calls of one provider: by event, code and reason, and how long they took."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, NamedTuple

from seamless_wallet.commands import Answer, Code, Kind
from seamless_wallet.observability import metrics

if TYPE_CHECKING:
    from seamless_wallet.observability.instruments import CounterSeries, HistogramSeries
    from seamless_wallet.providers import Profile

UNKNOWN: Final = "unknown"
"""The label of providers that are not configured, and of events that could not be read."""

FAULTS: Final = ("deadline", "redis", "ledger", "writer", "backlog", "frozen", "overflow", "fault")
"""Why a call is R1 although nothing forbids it."""

EVENT_UNKNOWN: Final = (
    (Code.R1, "fault"),
    *((Code.R2, reason) for reason in ("api_key", "api_id", "body", "undecryptable")),
    *((Code.R3, reason) for reason in ("json", "schema", "event_type")),
)
"""How a call may end of which the event is not known."""


class Called(NamedTuple):
    """What one more answer of a kind is counted by."""

    counter: CounterSeries
    seconds: HistogramSeries


class CallCounters:
    """Counts the answers of one provider. Series that alerts look at begin at 0."""

    def __init__(self, provider: str, profile: Profile) -> None:
        self._provider = provider
        self._called: dict[tuple[str, Code, str], Called] = {}
        for kind, events in profile.event_names.items():
            for event in events:
                for code, reason in _usual(kind):
                    self._begin(event, code, reason)
        for code, reason in EVENT_UNKNOWN:
            self._begin(UNKNOWN, code, reason)

    def count(self, event: str, answer: Answer, seconds: float) -> None:
        """One answer, and how long it took. `event` is one of the profile's, or UNKNOWN."""
        key = (event, answer.code, answer.reason)
        called = self._called.get(key) or self._begin(*key)
        called.counter.inc()
        called.seconds.observe(seconds)

    def _begin(self, event: str, code: Code, reason: str) -> Called:
        labels = (self._provider, event, code.value)
        called = Called(
            metrics.WEBHOOK_REQUESTS.labels(*labels, reason), metrics.WEBHOOK_REQUEST_DURATION_SECONDS.labels(*labels)
        )
        self._called[event, code, reason] = called
        return called


def _usual(kind: Kind) -> Iterable[tuple[Code, str]]:
    """How a call of this kind usually ends, and how it must not."""
    yield Code.R0, kind.value
    yield Code.R0, "repeated"
    yield Code.R0, "duplicate"
    yield Code.R3, "conflict"
    if kind in {Kind.BET, Kind.CHANGE}:
        yield Code.R4, "funds"
    for reason in FAULTS:
        yield Code.R1, reason
