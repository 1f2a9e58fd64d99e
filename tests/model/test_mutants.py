"""The comparison with the model can fail: every mutant of the scripts is found by a walk."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.model import history
from tests.model.lua_stage import LuaStage
from tests.model.moves import walk
from tests.model.mutants import MUTANTS

STEPS = 2_000
WALKS = 3


@pytest.mark.parametrize("mutant", MUTANTS, indirect=True)
@pytest.mark.usefixtures("mutant")
def test_the_mutant_is_found(client):
    """By a walk, or by one of the saved histories."""
    for seed in range(WALKS):
        if fails(walk, LuaStage(client), seed, STEPS):
            return
    for name in history.saved():
        if fails(LuaStage(client).play_all, history.load(name)):
            return
    pytest.fail("the model and the mutant agree")


def fails(play: Callable[..., None], *arguments: object) -> bool:
    """Whether a wrong answer, a refusal to fold, an error of Redis shows."""
    try:
        play(*arguments)
    except Exception:  # noqa: BLE001 - see above
        return True
    return False
