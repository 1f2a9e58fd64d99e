"""The whole wallet against the model: every answer, wallet, bet, entry and account, through time and disasters."""

from __future__ import annotations

import pytest

from tests.model import history
from tests.model.machine import Machine
from tests.model.moves import walk
from tests.model.service_stage import ServiceStage, Town
from tests.model.soak import limit, run_machine, seeds


@pytest.fixture(scope="module")
def town():
    """One wallet for all histories."""
    opened = Town()
    yield opened
    opened.close()


@limit
@pytest.mark.parametrize("examples", [2, pytest.param(8, marks=pytest.mark.long)])
def test_the_wallet_answers_as_the_model_does(town, examples):
    """For any history, with time passing, old events, epochs that end, restarts and fail-overs."""

    class ServiceMachine(Machine):
        def new_stage(self) -> ServiceStage:
            return ServiceStage(town, keep_as="service-machine")

    for seed in seeds("usual"):
        run_machine(ServiceMachine, seed, examples)


@limit
def test_a_walk_through_the_wallet(town):
    """Hundreds of steps of one history."""
    for seed in seeds("0"):
        walk(ServiceStage(town, keep_as=f"wallet-walk-{seed}"), seed, steps=400)


@pytest.mark.parametrize("name", history.saved())
def test_saved_history(town, name):
    """What was once found, or is worth keeping, is answered as the model answers it."""
    ServiceStage(town).play_all(history.load(name))
