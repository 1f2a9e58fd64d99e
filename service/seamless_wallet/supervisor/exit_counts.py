"""Counts the children that ended without being told to.

prometheus-client decides at its first import whether it counts for all processes together. It is therefore imported
only after the supervisor has named the metrics directory in the environment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

KINDS: Final = ("valkey", "writer", "worker", "admin")


def start_exit_counts() -> None:
    """Begin at 0: an alert sees no increase in a series that appears with the first exit."""
    from seamless_wallet.observability.metrics import PROCESS_EXITS  # noqa: PLC0415 - see above

    for kind in KINDS:
        PROCESS_EXITS.labels(role=kind)


def count_exit(kind: str, pid: int | None, metrics_dir: Path) -> None:
    """Count one exit. The child's counters stay, its gauges go."""
    from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415 - see above

    from seamless_wallet.observability.metrics import PROCESS_EXITS  # noqa: PLC0415 - see above

    PROCESS_EXITS.labels(role=kind).inc()
    if pid is not None:
        mark_process_dead(pid, str(metrics_dir))  # type: ignore[no-untyped-call]
