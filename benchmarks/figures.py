"""What a run has found: its turns, its other figures, and what is computed from them."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.latencies import Latencies

OUTPUT: Final = Path("build/bench")
"""Where a run leaves results.json and report.html."""


class Names:
    """Of the systems, as reports show them."""

    WALLET: Final = "wallet"
    ONE_WORKER: Final = "wallet, one worker"
    TWO_WORKERS: Final = "wallet, two workers"
    ON_POSTGRES: Final = "wallet on PostgreSQL"
    EMPTY: Final = "empty handler"
    REDIS: Final = "Redis wallet"
    POSTGRES: Final = "PostgreSQL alone"
    CONSTRAINED: Final = "PostgreSQL, constraints"
    BARE: Final = "bare scripts"
    WAY: Final = "the way alone"
    WAY_TO_POSTGRES: Final = "the way alone, to PostgreSQL"
    TIGERBEETLE: Final = "TigerBeetle"


class Loads:
    """What is played."""

    ONE_BET: Final = "one bet"
    PAIRED: Final = "one bet, side by side"
    DECLINED: Final = "declined bet"
    HOT: Final = "one hot player"
    TWO_WORKERS: Final = "one or two workers"
    MIX_UNIFORM: Final = "mix, uniform"
    MIX_ZIPF: Final = "mix, Zipf"
    MIX_HOT: Final = "mix, one player"
    WARM_UP: Final = "warm-up"

    @staticmethod
    def at_rate(rate: float) -> str:
        """An open loop of so many a second."""
        return f"open, {rate:.0f}/s"

    @staticmethod
    def at_share(share: float) -> str:
        """An open loop of so much of what the slower one can do."""
        return f"open, {share:.0%} of capacity"


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """What one turn measured."""

    load: str
    system: str
    requests: int
    seconds: float
    cpu_us: dict[str, float]
    """Of each role's processes, per request."""
    generator_us: float
    """CPU of the load itself, per request."""
    steal: float
    """Which part of the machine's time the hypervisor gave to others."""
    others: float
    """Which part of it went to processes that are not of this turn."""
    latencies: str
    """As `Latencies.encode` writes them."""
    offered: float = 0.0
    """Requests a second that were due; 0: a closed loop."""
    late_p99_ms: float = 0.0
    """By how much the load itself was late, at 99 %."""

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    @property
    def all_cpu_us(self) -> float:
        """Of all its processes, per request."""
        return sum(self.cpu_us.values())


class Pass(msgspec.Struct):
    """One pass over everything."""

    turns: list[Turn] = []
    figures: dict[str, list[float]] = {}
    """What is no turn: seconds of starts, bytes."""
    checks: dict[str, str] = {}
    """What agreed, by system."""


class Run(msgspec.Struct):
    """All passes, and on what they ran."""

    machine: dict[str, str]
    started: str
    passes: list[Pass]

    @property
    def turns(self) -> list[Turn]:
        """Of all passes."""
        return [turn for each in self.passes for turn in each.turns]


def of(turns: Iterable[Turn], load: str, system: str) -> list[Turn]:
    """The turns of one load on one system."""
    return [turn for turn in turns if (turn.load, turn.system) == (load, system)]


def median_rate(turns: Iterable[Turn], load: str, system: str) -> float:
    """Requests a second. NaN if it was not played."""
    return _median([turn.rate for turn in of(turns, load, system)])


def median_cpu_us(turns: Iterable[Turn], load: str, system: str, role: str = "") -> float:
    """Per request, of all its processes or those of one role. NaN if it was not played."""
    return _median([turn.cpu_us.get(role, 0.0) if role else turn.all_cpu_us for turn in of(turns, load, system)])


def cpu_by_role(turns: Iterable[Turn], load: str, system: str) -> dict[str, float]:
    """Medians per request, the largest first."""
    found = of(turns, load, system)
    roles = {role for turn in found for role in turn.cpu_us}
    medians = {role: _median([turn.cpu_us.get(role, 0.0) for turn in found]) for role in roles}
    return dict(sorted(medians.items(), key=lambda item: -item[1]))


def latencies(turns: Iterable[Turn], load: str, system: str) -> Latencies:
    """Of all its turns together."""
    total = Latencies()
    for turn in of(turns, load, system):
        total.add(Latencies.decode(turn.latencies))
    return total


def _median(values: Sequence[float]) -> float:
    return statistics.median(values) if values else float("nan")
