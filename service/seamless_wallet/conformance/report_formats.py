"""The results of a run: for people, as JSON, and as JUnit XML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import Any
from xml.etree import ElementTree as ET

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from seamless_wallet.clients.error_text import printable
from seamless_wallet.conformance.case_registry import Case
from seamless_wallet.conformance.case_result import CaseResult, CaseStatus

_MARKS = {CaseStatus.PASS: "[green]pass[/]", CaseStatus.FAIL: "[bold red]FAIL[/]", CaseStatus.SKIP: "[yellow]skip[/]"}
_ALIKE_SHOWN = 4


def summary(results: Sequence[CaseResult]) -> dict[str, int]:
    """How many cases ended how."""
    counts = Counter(result.status for result in results)
    return {status.value: counts[status] for status in CaseStatus}


def as_json(results: Sequence[CaseResult]) -> dict[str, Any]:
    """`cases` with name, row, status and detail of each, and a `summary`."""
    cases = [
        {"name": each.case.name, "row": each.case.row, "status": each.status.value, "detail": each.detail}
        for each in results
    ]
    return {"cases": cases, "summary": summary(results)}


def as_junit(results: Sequence[CaseResult]) -> bytes:
    """JUnit XML: a suite for each phase, a class for each row."""
    root = ET.Element("testsuites", {"name": "wallet conformance", **_counts(results)})
    for phase, group in _phases(results):
        suite = ET.SubElement(root, "testsuite", {"name": phase, **_counts(group)})
        for each in group:
            found = ET.SubElement(
                suite, "testcase", name=each.case.name, classname=f"row {each.case.row}", time=f"{each.seconds:.3f}"
            )
            if each.status is not CaseStatus.PASS:
                kind = "failure" if each.status is CaseStatus.FAIL else "skipped"
                first, _, _ = each.detail.partition("\n")
                ET.SubElement(found, kind, message=printable(first)).text = printable(each.detail)
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def show(results: Sequence[CaseResult], console: Console, *, verbose: bool = False) -> None:
    """A line for each phase, then what failed and why something was skipped; all cases if `verbose`."""
    table = Table(box=None, pad_edge=False)
    table.add_column("phase")
    for status in CaseStatus:
        table.add_column(status.value, justify="right")
    for phase, group in _phases(results):
        counts = summary(group)
        table.add_row(phase, *(str(counts[status] or "") for status in CaseStatus))
    if verbose:
        for each in results:
            console.print(f"{_MARKS[each.status]}  {_title(each.case)}  [dim]{each.seconds * 1000:.0f} ms[/]")
        console.print()
    console.print(table)
    for alike in _failed_alike(results):
        _show_failures(alike, console)
    reasons = Counter(each.detail for each in results if each.status is CaseStatus.SKIP)
    for reason, count in reasons.items():
        cases = "1 case" if count == 1 else f"{count} cases"
        console.print(f"\n{_MARKS[CaseStatus.SKIP]}  {cases}: {escape(printable(reason))}")
    counts = summary(results)
    if unsteady := [each.case.name for each in results if each.status is CaseStatus.PASS and each.detail]:
        console.print(f"\nAnswers were lost and events sent again in cases that passed: {', '.join(unsteady)}")
    console.print(f"\n{counts['pass']} passed, {counts['fail']} failed, {counts['skip']} skipped")


def _failed_alike(results: Sequence[CaseResult]) -> list[list[CaseResult]]:
    """Failures, grouped by the first line of what they say; the next line is what was sent."""
    reasons: dict[str, list[CaseResult]] = {}
    for each in results:
        if each.status is CaseStatus.FAIL:
            reasons.setdefault(each.detail.partition("\n")[0], []).append(each)
    return list(reasons.values())


def _show_failures(alike: Sequence[CaseResult], console: Console) -> None:
    """The names of some cases, the failure that they share, and what the first of them sent."""
    console.print()
    for each in alike[:_ALIKE_SHOWN]:
        console.print(f"{_MARKS[each.status]}  {_title(each.case)}")
    if len(alike) > _ALIKE_SHOWN:
        console.print(f"      and {len(alike) - _ALIKE_SHOWN} more with the same failure; pass --verbose to see all")
    for line in alike[0].detail.splitlines():
        console.print(f"      {escape(printable(line))}")


def show_list(cases: Sequence[Case], console: Console) -> None:
    """Names, rows and what is expected."""
    table = Table(box=None, pad_edge=False)
    table.add_column("case", no_wrap=True)
    table.add_column("row")
    table.add_column("expects")
    for phase, group in groupby(cases, key=lambda case: case.phase):
        table.add_row(f"\n[bold]{phase}[/]")
        for case in group:
            table.add_row(case.name, case.row, escape(case.title))
    console.print(table)


def _phases(results: Sequence[CaseResult]) -> list[tuple[str, list[CaseResult]]]:
    groups = groupby(sorted(results, key=lambda result: result.case.phase), key=lambda result: result.case.phase)
    return [(phase.value, list(group)) for phase, group in groups]


def _title(case: Case) -> str:
    return f"[bold]{case.name}[/] (row {case.row}): {escape(case.title)}"


def _counts(results: Sequence[CaseResult]) -> dict[str, str]:
    counts = summary(results)
    seconds = sum(result.seconds for result in results)
    return {
        "tests": str(len(results)),
        "failures": str(counts["fail"]),
        "skipped": str(counts["skip"]),
        "time": f"{seconds:.3f}",
    }
