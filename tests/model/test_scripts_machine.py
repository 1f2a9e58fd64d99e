"""The scripts against the model: thousands of steps, without a service around them."""

from __future__ import annotations

import pytest

from seamless_wallet.commands import Kind
from tests.model import history
from tests.model.bets import Bet, State
from tests.model.lua_stage import LuaStage
from tests.model.machine import Machine
from tests.model.model import LIMIT
from tests.model.moves import ITEM_PARTS, Moves, walk
from tests.model.soak import limit, run_machine, seeds


@limit
@pytest.mark.parametrize("examples", [5, pytest.param(40, marks=pytest.mark.long)])
def test_the_scripts_decide_as_the_model_does(client, examples):
    """Every answer, wallet, bet and entry, for any history; wallets are loaded anew at any point of it."""

    class ScriptsMachine(Machine):
        def new_stage(self) -> LuaStage:
            return LuaStage(client, keep_as="scripts-machine")

    for seed in seeds("usual"):
        run_machine(ScriptsMachine, seed, examples)


@limit
@pytest.mark.parametrize("steps", [500, pytest.param(2_000, marks=pytest.mark.long)])
def test_a_long_walk(client, steps):
    """Many steps of one history."""
    for seed in seeds("0", "1"):
        walk(LuaStage(client, keep_as=f"walk-{seed}"), seed, steps)


def test_what_moves_say_is_within_the_limits(client, monkeypatch):
    """A wire format takes no other amounts, so no script ever sees one; a changed amount is another one all the same"""
    moves = Moves(LuaStage(client))
    monkeypatch.setattr(moves, "_seldom", lambda: True)
    largest = (("1", LIMIT, LIMIT, LIMIT),)
    for part in ITEM_PARTS:
        ((_, *amounts),) = moves._one_changed(part, largest)
        assert sorted(amounts) == [LIMIT - 1, LIMIT, LIMIT]
    for kind in (Kind.CANCEL, Kind.RESULT, Kind.CHANGE):
        for _ in range(50):
            _, *amounts = moves._item(kind, "1", Bet(State.OPEN, LIMIT))
            assert max(map(abs, amounts)) <= LIMIT


@pytest.mark.parametrize("name", history.saved())
def test_saved_history(client, name):
    """What was once found, or is worth keeping, is decided as the model decides it."""
    LuaStage(client).play_all(history.load(name))
