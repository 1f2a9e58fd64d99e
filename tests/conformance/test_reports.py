"""What a report does with texts that it did not write."""

from __future__ import annotations

from io import StringIO
from xml.etree import ElementTree as ET

from rich.console import Console

from service.conformance import Outcome, Status, all_cases
from service.conformance.reports import as_junit, show

NASTY = "expected [bold]R0[/bold]; got \x00\x1b[31m & <R3>\nsent \ud800 ]]>"


def outcomes() -> list[Outcome]:
    """One of each, the last case first."""
    first, second, *_, last = all_cases()
    return [
        Outcome(last, Status.FAIL, NASTY, 0.5),
        Outcome(first, Status.PASS, "", 0.25),
        Outcome(second, Status.SKIP, "needs <more>", 0.0),
    ]


def test_junit_is_xml_whatever_a_wallet_answers():
    """Control characters and lone surrogates, which XML cannot hold, are written out."""
    root = ET.fromstring(as_junit(outcomes()))  # noqa: S314 - written just now
    assert [suite.attrib["name"] for suite in root] == ["1 login, logout", "9 concurrency"]
    (failure,) = root.findall(".//failure")
    assert failure.attrib["message"] == "expected [bold]R0[/bold]; got \\x00\\x1b[31m & <R3>"
    assert failure.text is not None
    assert failure.text.endswith("sent \\ud800 ]]>")
    assert root.attrib["time"] == "0.750"


def test_a_table_shows_an_answer_as_it_is():
    """Nothing in it is taken for markup or reaches the terminal as a command."""
    shown = StringIO()
    show(outcomes(), Console(file=shown, width=120, highlight=False, soft_wrap=True))
    assert "[bold]R0[/bold]; got \\x00\\x1b[31m & <R3>" in shown.getvalue()
    assert "\x1b" not in shown.getvalue()
    assert "1 passed, 1 failed, 1 skipped" in shown.getvalue()
