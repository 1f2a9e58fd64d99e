"""The scripts against the model: thousands of steps, without a service around them."""

from __future__ import annotations

import pytest

from tests.model import history
from tests.model.lua_stage import LuaStage
from tests.model.machine import Machine
from tests.model.soak import SOAK_S, Budget, limit, run_machine
from tests.model.walk import Walk

STEPS = 2_000


@limit
def test_the_scripts_decide_as_the_model_does(client):
    """Every answer, wallet, bet and entry, for any history; wallets are loaded anew at any point of it."""

    class ScriptsMachine(Machine):
        budget = Budget()
        disasters = ("reload",)

        def new_stage(self) -> LuaStage:
            return LuaStage(client, keep_as="scripts-machine")

    for seed in ScriptsMachine.budget.seeds("usual"):
        run_machine(ScriptsMachine, seed, examples=60)


@limit
@pytest.mark.parametrize("usual", ["0", "1"] if not SOAK_S else ["-"])
def test_a_long_walk(client, usual):
    """Thousands of steps of one history."""
    budget = Budget()
    for seed in budget.seeds(usual):
        Walk(LuaStage(client, keep_as=f"walk-{seed}"), seed).play(STEPS, lambda: budget.spent)


@pytest.mark.parametrize("name", history.saved())
def test_saved_history(client, name):
    """What was once found, or is worth keeping, is decided as the model decides it."""
    LuaStage(client).play_all(history.load(name))
