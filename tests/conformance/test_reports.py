"""What a report does with texts that it did not write."""

from __future__ import annotations

from io import StringIO
from xml.etree import ElementTree as ET

from rich.console import Console

from seamless_wallet.conformance import CaseResult, CaseStatus, Level, RunResult, all_cases
from seamless_wallet.conformance.case_registry import Case
from seamless_wallet.conformance.report_formats import as_json, as_junit
from seamless_wallet.conformance.report_tables import show
from seamless_wallet.conformance.run_clock import RunClock

NASTY = "expected [bold]R0[/bold]; got \x00\x1b[31m & <R3>\nsent \ud800 ]]>"


TARGET = {"url": "https://wallet.example/hook"}


def first_of(level: Level, at: int = 0) -> Case:
    """A case of this level."""
    return [case for case in all_cases() if case.level is level][at]


def result(case: Case, status: CaseStatus, detail: str = "", seconds: float = 0.25) -> CaseResult:
    """A case that took its time alone."""
    return CaseResult(case, status, detail, seconds, seconds)


def run_of(*results: CaseResult, level: Level = Level.OURS, strict: bool = False) -> RunResult:
    """A run in which this came out."""
    return RunResult(results=results, target=TARGET, options={"only": []}, level=level, strict=strict)


def one_of_each() -> RunResult:
    """The last case first."""
    first, second, *_, last = all_cases()
    return run_of(
        result(last, CaseStatus.FAIL, NASTY, 0.5),
        result(first, CaseStatus.PASS),
        result(second, CaseStatus.SKIP, "needs <more>", 0.0),
    )


def shown(run: RunResult) -> str:
    """What a person reads."""
    text = StringIO()
    show(run, Console(file=text, width=120, highlight=False, soft_wrap=True))
    return text.getvalue()


def test_junit_is_xml_whatever_a_wallet_answers():
    """Control characters and lone surrogates, which XML cannot hold, are written out."""
    root = ET.fromstring(as_junit(one_of_each()))  # noqa: S314 - written just now
    assert [suite.attrib["name"] for suite in root] == ["1 login, logout", "9 concurrency"]
    (failure,) = root.findall(".//failure")
    assert failure.attrib["message"] == "expected [bold]R0[/bold]; got \\x00\\x1b[31m & <R3>"
    assert failure.text is not None
    assert failure.text.endswith("sent \\ud800 ]]>")
    assert float(root.attrib["time"]) == 0.75


def test_a_table_shows_an_answer_as_it_is():
    """Nothing in it is taken for markup or reaches the terminal as a command."""
    text = shown(one_of_each())
    assert "[bold]R0[/bold]; got \\x00\\x1b[31m & <R3>" in text
    assert "\x1b" not in text
    assert "1 passed, 1 failed, 1 skipped" in text


def test_failures_that_say_the_same_are_shown_together():
    """Some names and how many more, and the reason once, with what the first of them sent."""
    first, second, *others = all_cases()
    same = [result(case, CaseStatus.FAIL, f"login: HTTP 500\nsent {number}") for number, case in enumerate(others)]
    text = shown(
        run_of(result(first, CaseStatus.FAIL, "only this one\nsent x"), *same, result(second, CaseStatus.PASS))
    )
    assert text.count("login: HTTP 500") == text.count("only this one") == 1
    assert f"and {len(others) - 4} more with the same failure" in text
    assert "sent 0" in text
    assert "sent 1" not in text
    assert all(each.case.name in text for each in same[:4])
    assert len(text.splitlines()) < 35


def test_a_reason_to_skip_is_shown_as_it_is():
    """It may hold what a hook has printed."""
    text = shown(run_of(result(all_cases()[0], CaseStatus.SKIP, "the hook said \x1b[31mno")))
    assert "1 case: the hook said \\x1b[31mno" in text


def test_only_a_case_that_counts_fails_the_run():
    """Each level includes those before it; a skipped case counts if the run is strict."""
    for case_level, counted_at in (
        (Level.MUST, set(Level)),
        (Level.SHOULD, {Level.SHOULD, Level.OURS}),
        (Level.OURS, {Level.OURS}),
    ):
        for level in Level:
            failed = result(first_of(case_level), CaseStatus.FAIL, "no")
            skipped = result(first_of(case_level), CaseStatus.SKIP, "no")
            assert run_of(failed, level=level).passed is (level not in counted_at)
            assert run_of(skipped, level=level).passed
            assert run_of(skipped, level=level, strict=True).passed is (level not in counted_at)


def test_a_failure_that_does_not_count_is_shown_and_told_apart():
    """In the table with a mark of its own, below those that count, and with what would count it."""
    hardening = result(first_of(Level.SHOULD), CaseStatus.FAIL, "too lax\nsent x")
    grave = result(first_of(Level.MUST), CaseStatus.FAIL, "money is lost\nsent y")
    text = shown(run_of(hardening, grave, level=Level.MUST))
    assert f"FAIL  {grave.case.name} (row {grave.case.row}, must)" in text
    assert f"fail  {hardening.case.name} (row {hardening.case.row}, should)" in text
    assert text.index("money is lost") < text.index("too lax")
    assert "1 failed without counting, at level must: pass --level should" in text
    assert "0 passed, 2 failed, 0 skipped" in text
    assert "without counting" not in shown(run_of(hardening, grave, level=Level.SHOULD))


def test_junit_has_no_failure_that_does_not_count():
    """CI servers fail a build for it; the case is there, with what was found and its level."""
    hardening = result(first_of(Level.SHOULD), CaseStatus.FAIL, "too lax\nsent x")
    grave = result(first_of(Level.MUST), CaseStatus.FAIL, "money is lost\nsent y")
    root = ET.fromstring(as_junit(run_of(hardening, grave, level=Level.MUST)))  # noqa: S314 - written just now
    assert (root.attrib["failures"], root.attrib["skipped"]) == ("1", "1")
    (skipped,) = root.findall(".//skipped")
    assert skipped.attrib["message"] == "failed, which does not count at level must: too lax"
    levels = {case.attrib["name"]: case.find("properties/property[@name='level']") for case in root.iter("testcase")}
    assert {name: found.attrib["value"] for name, found in levels.items() if found is not None} == {
        hardening.case.name: "should",
        grave.case.name: "must",
    }


def test_json_says_what_was_run():
    """Version, target, options, level and duration of the run; phase, level and duration of each case."""
    document = as_json(one_of_each())
    assert set(document) == {
        "version",
        "target",
        "options",
        "level",
        "ok",
        "duration_s",
        "cases",
        "summary",
    }
    assert (document["target"], document["level"], document["ok"]) == (TARGET, "ours", False)
    assert document["duration_s"] == 0.75
    assert set(document["cases"][0]) == {"name", "row", "phase", "level", "status", "duration_s", "detail"}
    assert document["cases"][0]["phase"] == "9 concurrency"
    by_level = document["summary"].pop("by_level")
    assert document["summary"] == {"pass": 1, "fail": 1, "skip": 1}
    assert {status: sum(counts[status] for counts in by_level.values()) for status in ("pass", "fail", "skip")} == {
        "pass": 1,
        "fail": 1,
        "skip": 1,
    }


def test_what_could_not_be_judged_is_said_of_cases_that_passed():
    """With how many they are, and in the words of the case."""
    note = "balances were judged to within a minor unit: that of ann is finer than 2 digits"
    first, second, *_ = all_cases()
    text = shown(run_of(result(first, CaseStatus.PASS, note), result(second, CaseStatus.PASS, note)))
    assert f"pass  2 cases passed, but: {note}" in text


def test_shares_add_up_to_the_time_of_the_run():
    """While several cases play, each gets its part of the time that passes."""
    now_s = 100.0
    clock = RunClock(lambda: now_s)
    clock.begin("a")
    now_s += 3
    clock.begin("b")
    now_s += 4
    assert clock.end("a") == 3 + 2
    clock.begin("c")
    now_s += 6
    assert (clock.end("b"), clock.end("c")) == (2 + 3, 3)
    now_s += 50  # nobody plays
    clock.begin("d")
    now_s += 1
    assert clock.end("d") == 1
