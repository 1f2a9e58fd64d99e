"""What came of a run: for people, as JSON, and as JUnit XML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import Any
from xml.etree import ElementTree as ET

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from seamless_wallet.conformance.case_result import Outcome, Status
from seamless_wallet.conformance.raw_webhook import printable
from seamless_wallet.conformance.registry import Case

_MARKS = {Status.PASS: "[green]pass[/]", Status.FAIL: "[bold red]FAIL[/]", Status.SKIP: "[yellow]skip[/]"}
_ALIKE_SHOWN = 4


def summary(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """How many cases ended how."""
    counts = Counter(outcome.status for outcome in outcomes)
    return {status.value: counts[status] for status in Status}


def as_json(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """`cases` with name, row, status and detail of each, and a `summary`."""
    cases = [
        {"name": each.case.name, "row": each.case.row, "status": each.status.value, "detail": each.detail}
        for each in outcomes
    ]
    return {"cases": cases, "summary": summary(outcomes)}


def as_junit(outcomes: Sequence[Outcome]) -> bytes:
    """JUnit XML: a suite for each phase, a class for each row."""
    root = ET.Element("testsuites", {"name": "wallet conformance", **_counts(outcomes)})
    for phase, group in _phases(outcomes):
        suite = ET.SubElement(root, "testsuite", {"name": phase, **_counts(group)})
        for each in group:
            found = ET.SubElement(
                suite, "testcase", name=each.case.name, classname=f"row {each.case.row}", time=f"{each.seconds:.3f}"
            )
            if each.status is not Status.PASS:
                kind = "failure" if each.status is Status.FAIL else "skipped"
                first, _, _ = each.detail.partition("\n")
                ET.SubElement(found, kind, message=printable(first)).text = printable(each.detail)
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def show(outcomes: Sequence[Outcome], console: Console, *, verbose: bool = False) -> None:
    """A line for each phase, then what failed and why something was skipped; all cases if `verbose`."""
    table = Table(box=None, pad_edge=False)
    table.add_column("phase")
    for status in Status:
        table.add_column(status.value, justify="right")
    for phase, group in _phases(outcomes):
        counts = summary(group)
        table.add_row(phase, *(str(counts[status] or "") for status in Status))
    if verbose:
        for each in outcomes:
            console.print(f"{_MARKS[each.status]}  {_title(each.case)}  [dim]{each.seconds * 1000:.0f} ms[/]")
        console.print()
    console.print(table)
    for alike in _failed_alike(outcomes):
        _show_failures(alike, console)
    reasons = Counter(each.detail for each in outcomes if each.status is Status.SKIP)
    for reason, count in reasons.items():
        cases = "1 case" if count == 1 else f"{count} cases"
        console.print(f"\n{_MARKS[Status.SKIP]}  {cases}: {escape(printable(reason))}")
    counts = summary(outcomes)
    if unsteady := [each.case.name for each in outcomes if each.status is Status.PASS and each.detail]:
        console.print(f"\nAnswers were lost and events sent again in cases that passed: {', '.join(unsteady)}")
    console.print(f"\n{counts['pass']} passed, {counts['fail']} failed, {counts['skip']} skipped")


def _failed_alike(outcomes: Sequence[Outcome]) -> list[list[Outcome]]:
    """Failures, those together that say the same; the first line says it, the next what was sent."""
    reasons: dict[str, list[Outcome]] = {}
    for each in outcomes:
        if each.status is Status.FAIL:
            reasons.setdefault(each.detail.partition("\n")[0], []).append(each)
    return list(reasons.values())


def _show_failures(alike: Sequence[Outcome], console: Console) -> None:
    """The cases, what they have in common, and what the first of them sent."""
    console.print()
    for each in alike[:_ALIKE_SHOWN]:
        console.print(f"{_MARKS[each.status]}  {_title(each.case)}")
    if len(alike) > _ALIKE_SHOWN:
        console.print(f"      and {len(alike) - _ALIKE_SHOWN} more that failed alike; --verbose names them")
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


def _phases(outcomes: Sequence[Outcome]) -> list[tuple[str, list[Outcome]]]:
    groups = groupby(sorted(outcomes, key=lambda outcome: outcome.case.phase), key=lambda outcome: outcome.case.phase)
    return [(phase.value, list(group)) for phase, group in groups]


def _title(case: Case) -> str:
    return f"[bold]{case.name}[/] (row {case.row}): {escape(case.title)}"


def _counts(outcomes: Sequence[Outcome]) -> dict[str, str]:
    counts = summary(outcomes)
    seconds = sum(outcome.seconds for outcome in outcomes)
    return {
        "tests": str(len(outcomes)),
        "failures": str(counts["fail"]),
        "skipped": str(counts["skip"]),
        "time": f"{seconds:.3f}",
    }
