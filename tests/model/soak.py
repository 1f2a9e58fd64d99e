"""How long the random tests run, and from which seeds: the same every time in the suite, new ones in a soak."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

SOAK_S = float(os.environ.get("TEST_SOAK_S", "0"))
SEED = os.environ.get("TEST_SEED", "")

limit = pytest.mark.timeout(0 if SOAK_S else 180)
"""A soak ends by itself; the suite has so many examples, however busy the machine is."""


def seeds(*usual: str) -> Iterator[str]:
    """`TEST_SEED` alone; else the usual ones in the suite, and new ones in a soak while there is time. Printed."""
    for each in [SEED] if SEED else usual if not SOAK_S else _new_seeds():
        print(f"TEST_SEED={each}")
        yield each


def _new_seeds() -> Iterator[str]:
    ends_s = time.monotonic() + SOAK_S
    while time.monotonic() < ends_s:
        yield secrets.token_hex(4)


def run_machine(machine: type[RuleBasedStateMachine], from_seed: str, examples: int) -> None:
    """Play examples of 50 steps that follow from the seed; report the shortest that fails."""
    run_state_machine_as_test(seed(from_seed)(machine), settings=example_settings(examples))


def example_settings(examples: int) -> settings:
    """The same examples every time in the suite; in a soak others."""
    return settings(
        max_examples=examples,
        derandomize=not SOAK_S,
        database=None,
        stateful_step_count=50,
        deadline=None,
        print_blob=True,
        phases=[phase for phase in Phase if phase is not Phase.explain],  # takes longer than all else
        suppress_health_check=list(HealthCheck),
    )
