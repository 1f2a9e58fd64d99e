"""What the cases say of themselves is so."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from pathlib import Path

import pytest

from seamless_wallet.conformance import Level, Phase, all_cases, select
from seamless_wallet.conformance.case_registry import cases_of
from seamless_wallet.conformance.conformance_reference import reference

ROOT = Path(__file__).resolve().parents[2]
PARAGRAPHS = {"wire", "always", "identity"}
UNSEEN = {"7", "18", "83"}


def test_every_case_is_of_a_row_that_exists():
    """A number of the table, or one of the paragraphs without a number."""
    rows = set(re.findall(r"^\| (\d+) \|", (ROOT / "docs" / "semantics.md").read_text(), re.MULTILINE))
    assert {case.row for case in all_cases()} <= rows | PARAGRAPHS
    assert rows - {case.row for case in all_cases()} == UNSEEN


def test_every_case_says_what_it_expects():
    """In a sentence that fits a table."""
    for case in all_cases():
        assert case.title.endswith((".", "!")), case.name
        assert 12 < len(case.title) < 200, case.name


def test_the_cases_that_wait_say_so():
    """Whoever plays with given players is told how long it takes."""
    for case in all_cases():
        text = inspect.getsource(case.play)
        waits = re.search(r"\.(player_without_session|leave|wait_for_grace)\(", text) is not None
        assert case.waits is waits, case.name


def test_every_phase_has_cases():
    """And they come in the order of the phases."""
    counts = Counter(case.phase for case in all_cases())
    assert set(counts) == set(Phase)
    assert [case.phase for case in all_cases()] == sorted(case.phase for case in all_cases())


def test_cases_are_chosen_by_name_or_row():
    """A glob on names, `row:` and its number, or `level:` and its name; several add up."""
    assert {case.level for case in select(["level:ours"])} == {Level.OURS}
    assert select(["level:"]) == select(["level:mus"]) == []
    assert [case.name for case in select(["login-tells-the-balance"])] == ["login-tells-the-balance"]
    assert {case.row for case in select(["row:66"])} == {"66"}
    assert len(select(["row:66", "row:67"])) == len(select(["row:66"])) + len(select(["row:67"]))
    assert all(case.name.startswith("copies-of-") for case in select(["copies-of-*"]))
    assert len(select([])) == len(all_cases())
    assert select(["row:6"]) != select(["row:66"])
    assert select(["nonsense"]) == select(["row:"]) == []


def test_two_cases_cannot_have_one_name():
    """A second one is refused when it is made."""

    async def login_tells_the_balance(context) -> None:
        """Something else."""

    with pytest.raises(ValueError, match="login-tells-the-balance"):
        cases_of(Phase.BETS)("30", Level.MUST)(login_tells_the_balance)


def test_the_page_is_the_one_that_the_code_makes():
    """After a change of a case run
    `python -m seamless_wallet.conformance.conformance_reference > docs/conformance.md`.
    """
    assert (ROOT / "docs" / "conformance.md").read_text() == reference()


def test_modules_of_cases_stay_small():
    """250 lines each; and every one of them is imported."""
    modules = sorted((ROOT / "service" / "seamless_wallet" / "conformance" / "cases").glob("[a-z]*.py"))
    assert {case.play.__module__.rpartition(".")[2] for case in all_cases()} == {path.stem for path in modules}
    for path in modules:
        assert len(path.read_text().splitlines()) <= 250, path.name
