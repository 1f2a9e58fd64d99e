"""The scripts against the model: thousands of steps, without a service around them."""

from __future__ import annotations

import os
import secrets
import tempfile
import time
from pathlib import Path

import pytest
import redis
from hypothesis.stateful import run_state_machine_as_test

from service.supervise.valkey import start_valkey
from tests.model.lua_stage import LuaStage
from tests.model.machine import Machine
from tests.model.soak import SOAK_S, Budget, limit, machine_settings
from tests.model.walk import Walk

STEPS = 2_000


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
        budget = Budget()
        disasters = ("reload",)

        def new_stage(self) -> LuaStage:
            return LuaStage(client)

    for _ in ScriptsMachine.budget.rounds():
        run_state_machine_as_test(ScriptsMachine, settings=machine_settings(examples=60, steps=50))


@limit
@pytest.mark.parametrize("seed", [0, 1] if not SOAK_S else [None])
def test_a_long_walk(client, seed):
    """Thousands of steps of one history, from a seed; `WALLET_WALK_SEED` repeats one."""
    seed = os.environ.get("WALLET_WALK_SEED") or (secrets.token_hex(4) if seed is None else seed)
    ends_s = time.monotonic() + SOAK_S
    stage = LuaStage(client)
    print("WALLET_WALK_SEED", seed)
    walk = Walk(stage, seed)
    taken = 0
    while taken < STEPS or time.monotonic() < ends_s:
        if taken and taken % STEPS == 0:
            seed = f"{seed}+"
            print("WALLET_WALK_SEED", seed)
            stage = LuaStage(client)
            walk = Walk(stage, seed)
        walk.step()
        taken += 1
    if not SOAK_S:
        print(stage.seen)
