"""The scripts against the model: thousands of steps, without a service around them."""

from __future__ import annotations

import pytest

from tests.model import history
from tests.model.lua_stage import LuaStage
from tests.model.machine import Machine
from tests.model.moves import walk
from tests.model.soak import limit, run_machine, seeds


@limit
@pytest.mark.parametrize("examples", [10, pytest.param(40, marks=pytest.mark.long)])
def test_the_scripts_decide_as_the_model_does(client, examples):
    """Every answer, wallet, bet and entry, for any history; wallets are loaded anew at any point of it."""

    class ScriptsMachine(Machine):
        def new_stage(self) -> LuaStage:
            return LuaStage(client, keep_as="scripts-machine")

    for seed in seeds("usual"):
        run_machine(ScriptsMachine, seed, examples)


@limit
def test_a_long_walk(client):
    """Thousands of steps of one history."""
    for seed in seeds("0", "1"):
        walk(LuaStage(client, keep_as=f"walk-{seed}"), seed, steps=2_000)


@pytest.mark.parametrize("name", history.saved())
def test_saved_history(client, name):
    """What was once found, or is worth keeping, is decided as the model decides it."""
    LuaStage(client).play_all(history.load(name))
