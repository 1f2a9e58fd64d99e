"""The results of a run for programs: as JSON, and as JUnit XML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any
from xml.etree import ElementTree as ET

from seamless_wallet.conformance.case_registry import Level
from seamless_wallet.conformance.case_result import CaseResult, CaseStatus, RunResult
from seamless_wallet.errors import printable


def summary(results: Iterable[CaseResult]) -> dict[str, int]:
    """How many cases ended how."""
    counts = Counter(result.status for result in results)
    return {status.value: counts[status] for status in CaseStatus}


def by_phase(results: Sequence[CaseResult]) -> list[tuple[str, list[CaseResult]]]:
    """The results of each phase that was played, under its name."""
    groups = groupby(sorted(results, key=lambda result: result.case.phase), key=lambda result: result.case.phase)
    return [(phase.value, list(group)) for phase, group in groups]


def by_level(results: Sequence[CaseResult]) -> dict[Level, list[CaseResult]]:
    """The results of each level, from the gravest on."""
    return {level: [each for each in results if each.case.level is level] for level in Level}


def as_json(run: RunResult) -> dict[str, Any]:
    """What was run, `cases`, and a `summary`, also `by_level`. Durations are seconds."""
    cases = [
        {
            "name": each.case.name,
            "row": each.case.row,
            "phase": each.case.phase.value,
            "level": each.case.level.value,
            "status": each.status.value,
            "duration_s": round(each.seconds, 6),
            "detail": each.detail,
        }
        for each in run.results
    ]
    levels = {level.value: summary(group) for level, group in by_level(run.results).items()}
    return {
        "version": run.version,
        "target": dict(run.target),
        "options": dict(run.options),
        "level": run.level.value,
        "ok": run.passed,
        "duration_s": round(run.duration_s, 6),
        "cases": cases,
        "summary": {**summary(run.results), "by_level": levels},
    }


def as_junit(run: RunResult) -> bytes:
    """JUnit XML: a suite for each phase, a class for each row.

    Servers fail a build for every `failure`. So a case that fails and does not count is `skipped`, and says so. Times
    are shares of the run's time: they add up, though cases play at the same time.
    """
    root = ET.Element("testsuites", {"name": "wallet conformance", **_attributes(run, run.results)})
    for phase, group in by_phase(run.results):
        suite = ET.SubElement(root, "testsuite", {"name": phase, **_attributes(run, group)})
        _properties(suite, {"version": run.version, "url": run.target.get("url", ""), "level": run.level.value})
        for each in group:
            found = ET.SubElement(
                suite,
                "testcase",
                name=each.case.name,
                classname=f"row {each.case.row}",
                time=_time([each]),
            )
            _properties(found, {"level": each.case.level.value})
            if each.status is not CaseStatus.PASS:
                kind, detail = _verdict(run, each)
                first, _, _ = detail.partition("\n")
                ET.SubElement(found, kind, message=printable(first)).text = printable(detail)
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _verdict(run: RunResult, result: CaseResult) -> tuple[str, str]:
    """The element of a case that did not pass, and its text."""
    if run.counts(result):
        return "failure", result.detail
    if result.status is CaseStatus.SKIP:
        return "skipped", result.detail
    return "skipped", f"failed, which does not count at level {run.level.value}: {result.detail}"


def _properties(parent: ET.Element, values: dict[str, str]) -> None:
    properties = ET.SubElement(parent, "properties")
    for name, value in values.items():
        ET.SubElement(properties, "property", name=name, value=value)


def _attributes(run: RunResult, results: Sequence[CaseResult]) -> dict[str, str]:
    failures = sum(run.counts(result) for result in results)
    passed = summary(results)[CaseStatus.PASS.value]
    return {
        "tests": str(len(results)),
        "failures": str(failures),
        "skipped": str(len(results) - passed - failures),
        "time": _time(results),
    }


def _time(results: Iterable[CaseResult]) -> str:
    return f"{sum(result.share_s for result in results):.6f}"
