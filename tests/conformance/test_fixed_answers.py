"""A case that a fixed answer passes has observed nothing: it may pass only what asks for no other answer.

The probe before a run would stop all of these (test_cli.py); here every case is played against them.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from functools import partial

import pytest

from seamless_wallet.clients.back_office_ports import Action, BackOfficeRefused
from seamless_wallet.commands import Code
from seamless_wallet.conformance import CaseStatus, all_cases
from seamless_wallet.conformance import case_events as conformance_events
from tests.conformance.broken import FixedAnswer, FixedCode
from tests.conformance.playing import GIVEN, results_of
from tests.conformance.reference_wallet import Endpoint, ReferenceBackOffice, Rules

FIXED_ANSWERS: dict[str, Callable[[], Endpoint]] = {
    "http-404": partial(FixedAnswer, 404, b"Not Found"),
    "empty-object": partial(FixedAnswer, 200, b"{}"),
    **{f"always-{code.value}": partial(FixedCode, code) for code in Code},
}

PLAIN_R2 = "a plain R2 to strangers is all that the row asks for, and what this one tells them"
SAME_BALANCE = "R0 with the balance of before is all that the row asks for, and nobody has moved any money"

PASSED_ALWAYS = {
    "always-R2": {"strangers-are-all-answered-alike": PLAIN_R2, "unknown-provider": PLAIN_R2},
}
"""Cases that may pass, by endpoint, with the reason."""

PASSED_WITH_GIVEN_PLAYERS = {
    "always-R0": {
        "cancel-of-an-unknown-bet": "R0 without money, at once; its tombstone is the matter of other cases",
        "login-again-changes-nothing": SAME_BALANCE,
        "login-tells-the-balance": SAME_BALANCE,
        "logout-tells-the-balance": SAME_BALANCE,
        "logout-twice": SAME_BALANCE,
        "logout-without-a-session": SAME_BALANCE,
        "repeated-login-and-logout": SAME_BALANCE,
        "replies-are-sealed-and-carry-the-headers": "these are sealed, and do",
    },
}
"""The same beyond those: what a given player has is what the endpoint says, so that it cannot be wrong about it."""


class IdleBackOffice(ReferenceBackOffice):
    """Says that one thing is done, and does nothing."""

    def __init__(self, rules: Rules, action: str) -> None:
        super().__init__(rules)
        self.action = action

    async def do(self, action: Action, user_id: str, currency: str, amount: str = "") -> str:
        return "" if action == self.action else await super().do(action, user_id, currency, amount)


class RefusingBackOffice(IdleBackOffice):
    """Refuses one thing always."""

    async def do(self, action: Action, user_id: str, currency: str, amount: str = "") -> str:
        if action == self.action:
            raise BackOfficeRefused(f"no {action} today")
        return await super().do(action, user_id, currency, amount)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    """R1 is repeated at once."""
    monkeypatch.setattr(conformance_events, "_PAUSES_S", (0.0,))


def passed(results) -> set[str]:
    """The names of the cases that passed."""
    return {name for name, result in results.items() if result.status is CaseStatus.PASS}


@pytest.mark.parametrize("name", FIXED_ANSWERS)
async def test_a_fixed_answer_passes_nothing(name):
    """But for what it really does; and a case that is skipped is no pass."""
    endpoint = FIXED_ANSWERS[name]()
    results = await results_of(endpoint, back_office=ReferenceBackOffice(endpoint.rules), concurrency=100)
    assert passed(results) == set(PASSED_ALWAYS.get(name, {}))
    assert {result.status for result in results.values()} <= {CaseStatus.PASS, CaseStatus.FAIL}


@pytest.mark.parametrize("name", FIXED_ANSWERS)
async def test_a_fixed_answer_passes_little_with_given_players(name):
    """Whose balance it may choose."""
    results = await results_of(FIXED_ANSWERS[name](), given=GIVEN)
    assert passed(results) == {*PASSED_ALWAYS.get(name, {}), *PASSED_WITH_GIVEN_PLAYERS.get(name, {})}


@pytest.mark.parametrize(
    ("back_office", "action", "words"),
    [
        (IdleBackOffice, "block", r"\.block\("),
        (IdleBackOffice, "unblock", r"\.unblock\("),
        (IdleBackOffice, "deposit", r"\.deposit\("),
        (IdleBackOffice, "withdraw", r"\.(cannot_)?withdraw\("),
        (RefusingBackOffice, "withdraw", r"\.(cannot_)?withdraw\("),
        (IdleBackOffice, "balance", '"balance"'),
        (RefusingBackOffice, "block", r"\.block\("),
    ],
)
async def test_no_case_believes_the_back_office(back_office, action, words):
    """Who asks it for something sees that it is done."""
    asking = {case.name for case in all_cases() if re.search(words, inspect.getsource(case.play))}
    assert asking
    rules = Rules(grace_s=0.2)
    results = await results_of(Endpoint(rules), *asking, back_office=back_office(rules, action))
    assert passed(results) == set()
