"""By how much the clock of a server differs from ours, as a metric."""

from __future__ import annotations

from seamless_wallet.observability import metrics


def tell_clock_difference(server: str, asked_ms: int, there_ms: float | None, answered_ms: int) -> None:
    """The server's clock said `there_ms` somewhere between our question and its answer; None: it has ours."""
    if there_ms is not None:
        difference_ms = max(asked_ms - there_ms, there_ms - answered_ms - 1, 0.0)  # ours are whole milliseconds
        metrics.CLOCK_DIFFERENCE_SECONDS.labels(server).set(difference_ms / 1000)
