"""The whole wallet against the model: every answer, wallet, bet, entry and account, through time and disasters."""

from __future__ import annotations

import pytest
from hypothesis.stateful import run_state_machine_as_test

from tests.model import history
from tests.model.machine import WINDOW_MS, Machine
from tests.model.service_stage import ServiceStage, Town
from tests.model.soak import Budget, limit, machine_settings


@pytest.fixture(scope="module")
def town():
    """One wallet for all histories."""
    opened = Town()
    yield opened
    opened.close()


@limit
def test_the_wallet_answers_as_the_model_does(town):
    """For any history, with time passing, old events, epochs that end, restarts and fail-overs."""

    class ServiceMachine(Machine):
        budget = Budget()
        passages = (*Machine.passages, WINDOW_MS, WINDOW_MS + 1, WINDOW_MS + 1)
        disasters = (
            "wipe",
            "wipe",
            "forget_rounds",
            "forget_rounds",
            "cut",
            "scripts",
            "writer",
            "restart",
            "fail_over",
        )

        def new_stage(self) -> ServiceStage:
            return ServiceStage(town)

    for _ in ServiceMachine.budget.rounds():
        run_state_machine_as_test(ServiceMachine, settings=machine_settings(examples=12, steps=50))


@pytest.mark.parametrize("name", history.saved())
def test_saved_history(town, name):
    """What was once found, or is worth keeping, is answered as the model answers it."""
    stage = ServiceStage(town)
    for action in history.load(name):
        stage.play(action)
