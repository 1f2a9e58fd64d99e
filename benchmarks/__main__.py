"""The benchmark suite: the wallet beside what one would use instead, in one run, with every answer checked.

    python -m benchmarks [--passes N] [--full] [--tigerbeetle ADDRESS] [--output build/bench]

One pass takes some minutes on two cores. It prints tables, and writes results.json and report.html. If an answer, a
balance or a count is wrong, the run is void, nothing is written, and the exit status is 1. Ratios within one run hold
on other machines; absolute rates do not. `make bench` is one pass; `make bench-full` five and what takes long.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from benchmarks import budget
from benchmarks.figures import OUTPUT, Pass, Run
from benchmarks.generator import WrongAnswer
from benchmarks.long_runs import long_runs
from benchmarks.report.page import page
from benchmarks.report.terminal import print_run
from benchmarks.suite import Plan, one_pass

FULL_PASSES: Final = 5
WIDTH: Final = 160
"""Columns of a report that no terminal shows."""


def machine() -> dict[str, str]:
    """What the figures depend on."""
    cpus = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(": ")[2] for line in cpus if line.startswith("model name")), platform.machine())
    return {
        "CPU": f"{len(os.sched_getaffinity(0))} × {model}",
        "Linux": platform.release(),
        "Python": platform.python_version(),
        "load before": f"{os.getloadavg()[0]:.1f}",
    }


def measure(plan: Plan, passes: int, *, full: bool, console: Console) -> Run:
    """All passes, and with `full` the long ones. Raises WrongAnswer."""
    run = Run(machine(), datetime.now(UTC).isoformat(timespec="seconds"), [])
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=None)

        def show(title: str) -> None:
            if not console.is_terminal:
                console.print(title, markup=False, highlight=False)
            progress.update(task, description=f"pass {len(run.passes) + 1} of {passes}: {title}", advance=1)

        for number in range(passes):
            found: Pass = one_pass(plan, show)
            if full and number == 0:
                found.figures |= long_runs(show)
            run.passes.append(found)
            progress.update(task, total=progress.tasks[task].completed / len(run.passes) * passes)
    return run


def main(argv: list[str] | None = None) -> int:
    """Run it. Returns 0, or 1 if the run is void: a missed target is a finding and no failure."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--passes", type=int, default=0, help=f"default: 1, with --full {FULL_PASSES}")
    parser.add_argument("--full", action="store_true", help="also what takes long: 1 M players, 1 M requests")
    parser.add_argument("--tigerbeetle", default="", metavar="ADDRESS", help="a running TigerBeetle server")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--bets", type=int, default=Plan().bets, help="requests of each turn")
    parser.add_argument("--turns", type=int, default=Plan().turns, help="of each system in a pass")
    options = parser.parse_args(argv)
    console = Console()
    if not console.is_terminal:
        console.width = WIDTH
    plan = Plan(bets=options.bets, turns=options.turns, tigerbeetle=options.tigerbeetle)
    try:
        run = measure(plan, options.passes or (FULL_PASSES if options.full else 1), full=options.full, console=console)
    except WrongAnswer as wrong:
        console.print(f"VOID: {wrong}", style="red", markup=False)
        return 1
    rows = budget.rows(run)
    print_run(run, rows, console)
    options.output.mkdir(parents=True, exist_ok=True)
    results, report = options.output / "results.json", options.output / "report.html"
    results.write_bytes(msgspec.json.format(msgspec.json.encode({"budget": rows, "run": run}), indent=1))
    report.write_text(page(run, rows))
    console.print(f"{results}\n{report}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
