"""The budget: ratios within one run, each with its target, and whether it was met. Absolute figures drift by half."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from typing import Final

import msgspec

from benchmarks.figures import Loads, Names, Pass, Run, latencies, median_cpu_us, median_rate

Measure = Callable[[Pass], float]


class Target(msgspec.Struct, frozen=True):
    """One row: what is measured in a pass, NaN when it was not, and the bound that it must keep."""

    name: str
    measure: Measure
    bound: float
    is_minimum: bool = False
    unit: str = "×"
    first_version: str = ""
    stretch: str = ""


class Row(msgspec.Struct, frozen=True):
    """A target as a run found it: the median over its passes."""

    name: str
    first_version: str
    target: str
    stretch: str
    measured: str
    verdict: str
    value: float | None


def _cpu_ratio(peer: str, ours: str = Names.WALLET) -> Measure:
    return lambda found: _ratio(
        median_cpu_us(found.turns, Loads.ONE_BET, ours), median_cpu_us(found.turns, Loads.ONE_BET, peer)
    )


def _paired_cpu_ratio(role: str = "") -> Measure:
    return lambda found: _ratio(
        median_cpu_us(found.turns, Loads.PAIRED, Names.WALLET, role),
        median_cpu_us(found.turns, Loads.PAIRED, Names.EMPTY),
    )


def _rate_ratio(peer: str, ours: str = Names.WALLET) -> Measure:
    return lambda found: _ratio(
        median_rate(found.turns, Loads.ONE_BET, ours), median_rate(found.turns, Loads.ONE_BET, peer)
    )


def _hot(system: str) -> Measure:
    return lambda found: _ratio(
        median_rate(found.turns, Loads.HOT, system), median_rate(found.turns, Loads.ONE_BET, system)
    )


def _latency_ratio(load: str, percentile: float) -> Measure:
    return lambda found: _ratio(
        latencies(found.turns, load, Names.WALLET).ms(percentile),
        latencies(found.turns, load, Names.POSTGRES).ms(percentile),
    )


def _figure(name: str) -> Measure:
    return lambda found: statistics.median(found.figures[name]) if name in found.figures else math.nan


def _declined(found: Pass) -> float:
    taken = median_cpu_us(found.turns, Loads.ONE_BET, Names.WALLET, "worker")
    return _ratio(median_cpu_us(found.turns, Loads.DECLINED, Names.WALLET, "worker"), taken)


def _two_workers(found: Pass) -> float:
    one, two = (median_cpu_us(found.turns, Loads.TWO_WORKERS, name) for name in (Names.ONE_WORKER, Names.TWO_WORKERS))
    return _ratio(two, one)


def _ratio(ours: float, theirs: float) -> float:
    return ours / theirs if theirs else math.nan


_SLOW, _FAST, _HALF = Loads.at_rate(100), Loads.at_rate(300), Loads.at_share(0.5)

BUDGET: Final = (
    Target("all CPU a bet against the empty handler", _paired_cpu_ratio(), 3.5, False, "×", "5.5–6.7", "3"),
    Target("all CPU a bet against PostgreSQL alone", _cpu_ratio(Names.POSTGRES), 0.75, False, "×", "1.1", "0.6"),
    Target(
        "all CPU a bet, ledger in PostgreSQL, against it alone",
        _cpu_ratio(Names.POSTGRES, ours=Names.ON_POSTGRES),
        0.85,
        stretch="0.6",
    ),
    Target("throughput against PostgreSQL alone", _rate_ratio(Names.POSTGRES), 1.4, True, "×", "0.7–0.83", "2"),
    Target(
        "throughput, ledger in PostgreSQL, against it alone",
        _rate_ratio(Names.POSTGRES, Names.ON_POSTGRES),
        1.4,
        is_minimum=True,
        stretch="2",
    ),
    Target("throughput against the Redis wallet, not durable", _rate_ratio(Names.REDIS), 1.0, True, "×", "0.75"),
    Target("worker CPU against the empty handler", _paired_cpu_ratio("worker"), 2.0, False, "×", "2.2–2.9", "1.8"),
    Target(
        "Valkey CPU a bet",
        lambda found: median_cpu_us(found.turns, Loads.ONE_BET, Names.WALLET, "valkey"),
        65,
        unit="µs",
        first_version="102",
        stretch="55",
    ),
    Target("one hot player against uniform", _hot(Names.WALLET), 0.9, True, "×", "1.0"),
    Target("the same of PostgreSQL alone", _hot(Names.POSTGRES), math.nan),
    Target("p50 at 100/s against PostgreSQL alone", _latency_ratio(_SLOW, 50), 1.5),
    Target("p99 at 100/s against PostgreSQL alone", _latency_ratio(_SLOW, 99), 1.0),
    Target("p50 at 300/s against PostgreSQL alone", _latency_ratio(_FAST, 50), 1.5),
    Target("p99 at 300/s against PostgreSQL alone", _latency_ratio(_FAST, 99), 1.0),
    Target("p99 at half of capacity against PostgreSQL alone", _latency_ratio(_HALF, 99), 1.0),
    Target("p99.9 at half of capacity against PostgreSQL alone", _latency_ratio(_HALF, 99.9), 1.0),
    Target("Redis bytes an active player", _figure("redis_bytes_player"), 220, unit="B"),
    Target("Redis bytes a round", _figure("redis_bytes_round"), 200, unit="B"),
    Target(
        "Redis bytes a remembered event", _figure("redis_bytes_event"), 90, unit="B", first_version="520–630 in all"
    ),
    Target("1 M players against 10 k, throughput, both warm", _figure("many_players_ratio"), 0.9, True),
    Target("worker memory over 1 M requests: growth", _figure("worker_growth"), 1.05),
    Target("start to ready, embedded, existing data", _figure("start_s"), 2.0, unit="s", first_version="4"),
    Target("CPU a request with two workers against one", _two_workers, 1.05),
    Target("a declined bet against a taken one, worker CPU", _declined, 1.4, False, "×", "1.7", "1.2"),
)


def rows(run: Run) -> list[Row]:
    """Each target as this run found it, met or not."""
    return [_row(target, [target.measure(each) for each in run.passes]) for target in BUDGET]


def _row(target: Target, values: list[float]) -> Row:
    known = [value for value in values if not math.isnan(value)]
    value = statistics.median(known) if known else None
    bound = "" if math.isnan(target.bound) else f"{'≥' if target.is_minimum else '≤'} {target.bound:g} {target.unit}"
    return Row(
        name=target.name,
        first_version=target.first_version,
        target=bound,
        stretch=target.stretch,
        measured="not measured" if value is None else f"{_rounded(value)} {target.unit}",
        verdict=_verdict(target, value),
        value=value,
    )


def _verdict(target: Target, value: float | None) -> str:
    if value is None or math.isnan(target.bound):
        return ""
    return "met" if (value >= target.bound if target.is_minimum else value <= target.bound) else "missed"


def _rounded(value: float) -> str:
    return f"{value:.0f}" if value >= 20 else f"{value:.2f}"
