"""The results of a run, and the list of cases, for people at a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from seamless_wallet.conformance.case_registry import Case
from seamless_wallet.conformance.case_result import CaseResult, CaseStatus, RunResult
from seamless_wallet.conformance.report_formats import by_level, by_phase, summary
from seamless_wallet.errors import printable

_ALIKE_SHOWN = 4
_PASS, _SKIP = "[green]pass[/]", "[yellow]skip[/]"
_FAIL, _FAIL_UNCOUNTED = "[bold red]FAIL[/]", "[yellow]fail[/]"


def show(run: RunResult, console: Console, *, verbose: bool = False) -> None:
    """A line for each phase and level, then what failed and why something was skipped; all cases if `verbose`."""
    if verbose:
        for each in run.results:
            console.print(f"{_mark(run, each)}  {_title(each.case)}  [dim]{each.seconds * 1000:.0f} ms[/]")
        console.print()
    console.print(_counts_of("phase", by_phase(run.results)))
    console.print()
    levels = by_level(run.results).items()
    console.print(_counts_of("level", [(level.value, group) for level, group in levels if group]))
    failed = [each for each in run.results if each.status is CaseStatus.FAIL]
    for alike in _alike(sorted(failed, key=run.counts, reverse=True)):
        _show_failures(run, alike, console)
    for status, what in ((CaseStatus.SKIP, ""), (CaseStatus.PASS, " passed, but")):
        for alike in _alike(each for each in run.results if each.status is status and each.detail):
            cases = "1 case" if len(alike) == 1 else f"{len(alike)} cases"
            console.print(f"\n{_mark(run, alike[0])}  {cases}{what}: {escape(printable(alike[0].detail))}")
    if uncounted := sum(not run.counts(each) for each in failed):
        console.print(
            f"\n{uncounted} failed without counting, at level {run.level.value}: "
            "pass --level should or --level ours to count more"
        )
    counts = summary(run.results)
    console.print(f"\n{counts['pass']} passed, {counts['fail']} failed, {counts['skip']} skipped")


def _counts_of(what: str, groups: Sequence[tuple[str, Sequence[CaseResult]]]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column(what, min_width=32)
    for status in CaseStatus:
        table.add_column(status.value, justify="right")
    for name, group in groups:
        counts = summary(group)
        table.add_row(name, *(str(counts[status] or "") for status in CaseStatus))
    return table


def _alike(results: Iterable[CaseResult]) -> list[list[CaseResult]]:
    """Grouped by the first line of what they say; the next line is what was sent."""
    reasons: dict[str, list[CaseResult]] = {}
    for each in results:
        reasons.setdefault(each.detail.partition("\n")[0], []).append(each)
    return list(reasons.values())


def _show_failures(run: RunResult, alike: Sequence[CaseResult], console: Console) -> None:
    """The names of some cases, the failure that they share, and what the first of them sent."""
    console.print()
    for each in alike[:_ALIKE_SHOWN]:
        console.print(f"{_mark(run, each)}  {_title(each.case)}")
    if len(alike) > _ALIKE_SHOWN:
        console.print(f"      and {len(alike) - _ALIKE_SHOWN} more with the same failure; pass --verbose to see all")
    for line in alike[0].detail.splitlines():
        console.print(f"      {escape(printable(line))}")


def show_list(cases: Sequence[Case], console: Console) -> None:
    """Names, levels, rows and what is expected."""
    table = Table(box=None, pad_edge=False)
    table.add_column("case", no_wrap=True)
    table.add_column("level")
    table.add_column("row")
    table.add_column("expects")
    for phase, group in groupby(cases, key=lambda case: case.phase):
        table.add_row(f"\n[bold]{phase}[/]")
        for case in group:
            table.add_row(case.name, case.level.value, case.row, escape(case.title))
    console.print(table)


def _mark(run: RunResult, result: CaseResult) -> str:
    if result.status is CaseStatus.FAIL:
        return _FAIL if run.counts(result) else _FAIL_UNCOUNTED
    return _PASS if result.status is CaseStatus.PASS else _SKIP


def _title(case: Case) -> str:
    return f"[bold]{case.name}[/] (row {case.row}, {case.level.value}): {escape(case.title)}"
