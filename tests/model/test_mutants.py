"""The comparison with the model can fail: every mutant of the scripts is found by a walk."""

from __future__ import annotations

import pytest

from seamless_wallet.commands import Command, digest
from seamless_wallet.ledger import entry as ledger
from seamless_wallet.wallet import prepared_event as event
from tests.model import history
from tests.model.lua_stage import LuaStage
from tests.model.moves import PARTS, walk
from tests.model.mutants import MUTANTS
from tests.model.replay import fails

FIRST_STEPS = 300
"""Of a first walk, on which most are found."""

STEPS = 2_000
WALKS = 3

FOUND_LATE = {
    "R1 before R3 in a batch",
    "a bet ahead of our clock is old",
    "changes have no limit",
    "grace ends a millisecond early",
    "the last change that fits is refused",
}
"""Mutants for which thousands of steps are needed."""


@pytest.mark.parametrize(
    "mutant",
    [pytest.param(name, marks=pytest.mark.long if name in FOUND_LATE else []) for name in MUTANTS],
    indirect=True,
)
@pytest.mark.usefixtures("mutant")
def test_the_mutant_is_found(client):
    """By a walk, or by one of the saved histories, which are short and go where walks seldom lead."""
    if fails(walk, LuaStage(client), "first", FIRST_STEPS):
        return
    for name in history.saved():
        if fails(LuaStage(client).play_all, history.load(name)):
            return
    for seed in range(WALKS):
        if fails(walk, LuaStage(client), seed, STEPS):
            return
    pytest.fail("the model and the mutant agree")


def test_those_that_are_found_late_are_of_them():
    """A name that is gone would be tried in every run."""
    assert set(MUTANTS) > FOUND_LATE


def forget(command: Command, part: str) -> bytes:
    """The fingerprint of an event in which one part does not count."""
    items = [[i.bet_index, i.amount, i.winloss, i.winloss_before] for i in command.items]
    whole: dict[str, str | int] = {
        "kind": command.kind,
        "currency": command.currency,
        "game": command.game_no,
        "amount": command.amount,
        "status": command.status,
    }
    for at, name in enumerate(("index", "stake", "winloss", "before")):
        whole[name] = repr([item[at] for item in (items if part == "order" else sorted(items))])
    return digest(*(value for name, value in whole.items() if name != part))


@pytest.mark.parametrize("part", sorted({part for parts in PARTS.values() for part in parts}))
def test_every_part_of_an_event_counts(client, monkeypatch, part):
    """A wallet whose fingerprints leave it out is found by a walk; `order`, if it counts, too; with all it is right."""
    left_out = ""
    for module in (event, ledger):
        monkeypatch.setattr(module, "fingerprint", lambda command: forget(command, left_out))
    walk(LuaStage(client), 0, 200)
    left_out = part
    for seed in range(WALKS):
        if fails(walk, LuaStage(client), seed, STEPS):
            return
    pytest.fail("the model and the mutant agree")
