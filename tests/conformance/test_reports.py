"""What a report does with texts that it did not write."""

from __future__ import annotations

from io import StringIO
from xml.etree import ElementTree as ET

from rich.console import Console

from seamless_wallet.conformance import CaseResult, CaseStatus, all_cases
from seamless_wallet.conformance.report_formats import as_junit, show

NASTY = "expected [bold]R0[/bold]; got \x00\x1b[31m & <R3>\nsent \ud800 ]]>"


def results() -> list[CaseResult]:
    """One of each, the last case first."""
    first, second, *_, last = all_cases()
    return [
        CaseResult(last, CaseStatus.FAIL, NASTY, 0.5),
        CaseResult(first, CaseStatus.PASS, "", 0.25),
        CaseResult(second, CaseStatus.SKIP, "needs <more>", 0.0),
    ]


def shown(results: list[CaseResult]) -> str:
    """What a person reads."""
    text = StringIO()
    show(results, Console(file=text, width=120, highlight=False, soft_wrap=True))
    return text.getvalue()


def test_junit_is_xml_whatever_a_wallet_answers():
    """Control characters and lone surrogates, which XML cannot hold, are written out."""
    root = ET.fromstring(as_junit(results()))  # noqa: S314 - written just now
    assert [suite.attrib["name"] for suite in root] == ["1 login, logout", "9 concurrency"]
    (failure,) = root.findall(".//failure")
    assert failure.attrib["message"] == "expected [bold]R0[/bold]; got \\x00\\x1b[31m & <R3>"
    assert failure.text is not None
    assert failure.text.endswith("sent \\ud800 ]]>")
    assert root.attrib["time"] == "0.750"


def test_a_table_shows_an_answer_as_it_is():
    """Nothing in it is taken for markup or reaches the terminal as a command."""
    text = shown(results())
    assert "[bold]R0[/bold]; got \\x00\\x1b[31m & <R3>" in text
    assert "\x1b" not in text
    assert "1 passed, 1 failed, 1 skipped" in text


def test_failures_that_say_the_same_are_shown_together():
    """Some names and how many more, and the reason once, with what the first of them sent."""
    first, second, *others = all_cases()
    same = [
        CaseResult(case, CaseStatus.FAIL, f"login: HTTP 500\nsent {number}", 0.1) for number, case in enumerate(others)
    ]
    text = shown(
        [
            CaseResult(first, CaseStatus.FAIL, "only this one\nsent x", 0.1),
            *same,
            CaseResult(second, CaseStatus.PASS, "", 0.1),
        ]
    )
    assert text.count("login: HTTP 500") == text.count("only this one") == 1
    assert f"and {len(others) - 4} more with the same failure" in text
    assert "sent 0" in text
    assert "sent 1" not in text
    assert all(result.case.name in text for result in same[:4])
    assert len(text.splitlines()) < 30


def test_a_reason_to_skip_is_shown_as_it_is():
    """It may hold what a hook has printed."""
    text = shown([CaseResult(all_cases()[0], CaseStatus.SKIP, "the hook said \x1b[31mno", 0.0)])
    assert "1 case: the hook said \\x1b[31mno" in text
