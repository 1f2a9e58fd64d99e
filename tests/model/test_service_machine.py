"""The whole wallet against the model: every answer, wallet, bet, entry and account, through time and disasters."""

from __future__ import annotations

import pytest

from tests.model import history
from tests.model.machine import WINDOW_MS, Machine
from tests.model.service_stage import ServiceStage, Town
from tests.model.soak import Budget, limit, run_machine


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
            return ServiceStage(town, keep_as="service-machine")

    for seed in ServiceMachine.budget.seeds("usual"):
        run_machine(ServiceMachine, seed, examples=12)


@pytest.mark.parametrize("name", history.saved())
def test_saved_history(town, name):
    """What was once found, or is worth keeping, is answered as the model answers it."""
    ServiceStage(town).play_all(history.load(name))
