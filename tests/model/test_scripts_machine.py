"""The scripts against the model: thousands of steps, without a service around them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
import redis
from hypothesis.stateful import run_state_machine_as_test

from service.supervise.valkey import start_valkey
from tests.model.lua_stage import LuaStage
from tests.model.machine import Machine
from tests.model.soak import Budget, limit, machine_settings


@pytest.fixture(scope="module")
def client():
    """A Valkey of the wheel."""
    with (
        tempfile.TemporaryDirectory(prefix="w") as path,
        start_valkey(Path(path)) as server,
        redis.Redis.from_url(server.url) as connected,
    ):
        yield connected


@limit
def test_the_scripts_decide_as_the_model_does(client):
    """Every answer, wallet, bet and entry, for any history; wallets are loaded anew at any point of it."""

    class ScriptsMachine(Machine):
        budget = Budget(seconds=6)
        disasters = ("reload",)

        def new_stage(self) -> LuaStage:
            return LuaStage(client)

    for _ in ScriptsMachine.budget.rounds():
        run_state_machine_as_test(ScriptsMachine, settings=machine_settings(examples=60, steps=50))
