"""A case that a wall passes has observed nothing: what answers everybody alike passes only what asks for no more.

The probe before a run would stop all of these (test_cli.py); here every case is played against them.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from functools import partial

import pytest

from seamless_wallet.commands import Code
from seamless_wallet.conformance import Status, all_cases
from seamless_wallet.conformance import case_events as conformance_events
from seamless_wallet.conformance.cash_desks import Action, NotDone
from tests.conformance.broken import SaysAlways, Wall
from tests.conformance.playing import GIVEN, outcomes_of
from tests.conformance.reference_wallet import Desk, Endpoint, Rules

WALLS: dict[str, Callable[[], Endpoint]] = {
    "http-404": partial(Wall, 404, b"Not Found"),
    "empty-object": partial(Wall, 200, b"{}"),
    **{f"always-{code.value}": partial(SaysAlways, code) for code in Code},
}

PLAIN_R2 = "a plain R2 to strangers is all that the row asks for, and what this wall tells them"
SAME_BALANCE = "R0 with the balance of before is all that the row asks for, and nobody has moved any money"

PASSED_ALWAYS = {
    "always-R2": {"strangers-are-all-answered-alike": PLAIN_R2, "unknown-provider": PLAIN_R2},
}
"""Cases that may pass, by wall, with the reason."""

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
"""The same beyond those: what a given player has is what the wall says, so that it cannot be wrong about it."""


class IdleDesk(Desk):
    """Says that one thing is done, and does nothing."""

    def __init__(self, rules: Rules, action: str) -> None:
        super().__init__(rules)
        self.action = action

    async def do(self, action: Action, user_id: str, currency: str, amount: str = "") -> str:
        return "" if action == self.action else await super().do(action, user_id, currency, amount)


class RefusingDesk(IdleDesk):
    """Refuses one thing always."""

    async def do(self, action: Action, user_id: str, currency: str, amount: str = "") -> str:
        if action == self.action:
            raise NotDone(f"no {action} today")
        return await super().do(action, user_id, currency, amount)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    """R1 is repeated at once."""
    monkeypatch.setattr(conformance_events, "_PAUSES_S", (0.0,))


def passed(outcomes) -> set[str]:
    """The names of the cases that passed."""
    return {name for name, outcome in outcomes.items() if outcome.status is Status.PASS}


@pytest.mark.parametrize("name", WALLS)
async def test_a_wall_passes_nothing(name):
    """But for what it really does; and a case that is skipped is no pass."""
    wall = WALLS[name]()
    outcomes = await outcomes_of(wall, desk=Desk(wall.rules), concurrency=100)
    assert passed(outcomes) == set(PASSED_ALWAYS.get(name, {}))
    assert {outcome.status for outcome in outcomes.values()} <= {Status.PASS, Status.FAIL}


@pytest.mark.parametrize("name", WALLS)
async def test_a_wall_passes_little_with_given_players(name):
    """Whose balance it may choose."""
    outcomes = await outcomes_of(WALLS[name](), given=GIVEN)
    assert passed(outcomes) == {*PASSED_ALWAYS.get(name, {}), *PASSED_WITH_GIVEN_PLAYERS.get(name, {})}


@pytest.mark.parametrize(
    ("desk", "action", "words"),
    [
        (IdleDesk, "block", "is_blocked"),
        (IdleDesk, "unblock", "is_unblocked"),
        (IdleDesk, "deposit", "is_given"),
        (IdleDesk, "withdraw", "takes?_out"),
        (RefusingDesk, "withdraw", "takes?_out"),
        (IdleDesk, "balance", '"balance"'),
        (RefusingDesk, "block", "is_blocked"),
    ],
)
async def test_no_case_believes_the_cash_desk(desk, action, words):
    """Who asks it for something sees that it is done."""
    asking = {case.name for case in all_cases() if re.search(words, inspect.getsource(case.play))}
    assert asking
    rules = Rules(grace_s=0.2)
    outcomes = await outcomes_of(Endpoint(rules), *asking, desk=desk(rules, action))
    assert passed(outcomes) == set()
