"""What the supervisor counts.

prometheus-client decides at its first import whether it counts for all processes together, so it is imported only
after the parent has named PROMETHEUS_MULTIPROC_DIR.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

KINDS: Final = ("valkey", "writer", "worker", "admin")


def begin_counting() -> None:
    """Begin at 0: of a series that appears with its first death an alert sees no increase."""
    from seamless_wallet.observability.metrics import PROCESS_EXITS  # noqa: PLC0415 - see above

    for kind in KINDS:
        PROCESS_EXITS.labels(role=kind)


def count_death(role: str, pid: int | None, metrics_dir: Path) -> None:
    """One child less: its counters stay, its gauges go."""
    from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415 - see above

    from seamless_wallet.observability.metrics import PROCESS_EXITS  # noqa: PLC0415 - see above

    PROCESS_EXITS.labels(role=role).inc()
    if pid is not None:
        mark_process_dead(pid, str(metrics_dir))  # type: ignore[no-untyped-call]
