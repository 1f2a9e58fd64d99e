"""Each answer is counted by event, code and reason; what alerts look at begins at 0."""

from __future__ import annotations

from seamless_wallet.commands import Answer, Code
from seamless_wallet.observability import metrics
from seamless_wallet.providers import build_provider
from seamless_wallet.webhook.call_counters import FAULTS, UNKNOWN, CallCounters

PROFILE = build_provider(name="x", api_id="x", api_key="k" * 32, currencies={"KRW": 2}, random_bytes=bytes).profile


def requests(provider: str) -> dict[tuple[str, ...], float]:
    """Event, code and reason → how many."""
    series = metrics.WEBHOOK_REQUESTS.series.items()
    return {labels[1:]: each.value for labels, each in series if labels[0] == provider}


def test_the_series_that_alerts_look_at_are_there_before_the_first_call():
    """Every fault of every event, strangers, and what is usual."""
    CallCounters("early", PROFILE)
    begun = requests("early")
    assert set(begun.values()) == {0}
    events = {event for event, _, _ in begun} - {UNKNOWN}
    assert events == PROFILE.event_types
    assert all((event, "R1", reason) in begun for event in events for reason in FAULTS)
    assert (UNKNOWN, "R2", "undecryptable") in begun
    assert ("bet", "R4", "funds") in begun


def test_an_answer_is_counted_with_its_duration():
    """Also one that is rare, of which there was no series."""
    counters = CallCounters("counted", PROFILE)
    counters.count("bet", Answer(Code.R3, "unknown_player"), 0.25)
    assert requests("counted")["bet", "R3", "unknown_player"] == 1
    *buckets, total = metrics.WEBHOOK_REQUEST_DURATION_SECONDS.labels("counted", "bet", "R3").value
    assert (buckets[metrics.CALL_BOUNDS_S.index(0.3)], sum(buckets), total) == (1, 1, 0.25)


def test_the_buckets_have_edges_where_providers_give_up():
    """0.3 s and 3 s, and the longest deadline that settings allow."""
    assert {0.3, 3.0, 60.0} <= set(metrics.CALL_BOUNDS_S)
