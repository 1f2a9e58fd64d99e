"""The tables of a run in the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median
from typing import Final

from rich.console import Console
from rich.table import Table

from benchmarks.budget import Row
from benchmarks.figures import Loads, Run, Turn, cpu_by_role, latencies, median_cpu_us, median_rate
from benchmarks.latencies import PERCENTILES

WORDS: Final = {"load", "system", "of it", "what", "what agreed"}
"""Columns that are read and not compared."""

BUSY: Final = 0.2
"""Of the machine: what others may take before rates and latencies say more of them than of what is measured."""

_COLOURS: Final = {"met": "green", "missed": "yellow", "": ""}


def print_run(run: Run, rows: Sequence[Row], console: Console) -> None:
    """Throughput and CPU, latency, the budget, what agreed, and what the machine did meanwhile."""
    for title, columns, lines in tables(run, rows):
        table = Table(title=title, title_justify="left", title_style="bold")
        for column in columns:
            table.add_column(column, justify="left" if column in WORDS else "right")
        for line in lines:
            table.add_row(*line, style=_COLOURS.get(line[-1], ""))
        console.print(table)
    console.print(conditions(run))


def tables(run: Run, rows: Sequence[Row]) -> Iterator[tuple[str, list[str], list[list[str]]]]:
    """Each table of the report: its title, its columns, its lines."""
    closed = [turn for turn in run.turns if not turn.offered and turn.load != Loads.WARM_UP]
    yield (
        "Closed loop: as many as it takes. CPU in µs a request; medians of turns",
        ["load", "system", "requests/s", "p50 ms", "p99 ms", "all CPU", "of it", "load's own"],
        [_closed_line(run, load, system) for load, system in _kinds(closed)],
    )
    opened = [turn for turn in run.turns if turn.offered]
    yield (
        "Open loop: latency from the intended time, ms",
        ["load", "system", "offered/s", *[f"p{percentile:g}" for percentile in PERCENTILES], "requests"],
        [_open_line(run, load, system) for load, system in _kinds(opened)],
    )
    yield (
        f"Budget: on SQLite unless said otherwise, one worker; medians of {len(run.passes)} pass(es)",
        ["what", "first version", "target", "stretch", "measured", "verdict"],
        [[row.name, row.first_version, row.target, row.stretch, row.measured, row.verdict] for row in rows],
    )
    yield (
        "Checks: every answer was decrypted and is the one it must be; afterwards",
        ["system", "what agreed"],
        [[system, said] for system, said in run.passes[-1].checks.items()],
    )


def conditions(run: Run) -> str:
    """The machine, and what disturbed it."""
    steal, others = max(turn.steal for turn in run.turns), median(turn.others for turn in run.turns)
    late = max(turn.late_p99_ms for turn in run.turns)
    machine = ", ".join(f"{name} {value}" for name, value in run.machine.items())
    busy = " They took so much that only the ratios of CPU mean something." if others > BUSY else ""
    return (
        f"{machine}. Steal time: at most {steal:.1%} in a turn. Other processes took {others:.0%} of the machine "
        f"at the median.{busy} The load itself was up to {late:.1f} ms late at p99, which counts as latency. "
        "Compare ratios within one run: absolute rates drift by half."
    )


def _kinds(turns: Sequence[Turn]) -> list[tuple[str, str]]:
    """Load and system of each kind of turn, loads in the order of their first turn, the fastest system first."""
    kinds = list(dict.fromkeys((turn.load, turn.system) for turn in turns))
    loads = list(dict.fromkeys(load for load, _ in kinds))
    return sorted(kinds, key=lambda kind: (loads.index(kind[0]), -median_rate(turns, *kind)))


def _closed_line(run: Run, load: str, system: str) -> list[str]:
    turns = run.turns
    taken = latencies(turns, load, system)
    percentiles = [f"{taken.ms(percentile):.1f}" if taken.count else "" for percentile in (50, 99)]
    roles = ", ".join(f"{role} {us:.0f}" for role, us in cpu_by_role(turns, load, system).items() if us >= 0.5)
    own = max(turn.generator_us for turn in turns if (turn.load, turn.system) == (load, system))
    rate, cpu_us = median_rate(turns, load, system), median_cpu_us(turns, load, system)
    return [load, system, f"{rate:.0f}", *percentiles, f"{cpu_us:.0f}", roles, f"{own:.0f}"]


def _open_line(run: Run, load: str, system: str) -> list[str]:
    taken = latencies(run.turns, load, system)
    offered = next(turn.offered for turn in run.turns if (turn.load, turn.system) == (load, system))
    return [
        load,
        system,
        f"{offered:.0f}",
        *[f"{taken.ms(percentile):.1f}" for percentile in PERCENTILES],
        f"{taken.count}",
    ]
