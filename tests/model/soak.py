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


class Budget:
    """Time for new examples in a soak; what has failed is shrunk in any case."""

    def __init__(self) -> None:
        self._ends_s = time.monotonic() + SOAK_S
        self.failed = False

    @property
    def spent(self) -> bool:
        return SOAK_S > 0 and time.monotonic() > self._ends_s and not self.failed

    def seeds(self, usual: str) -> Iterator[str]:
        """`TEST_SEED` alone; else the usual one in the suite, and new ones in a soak while there is time. Printed."""
        first = SEED or (secrets.token_hex(4) if SOAK_S else usual)
        print(f"TEST_SEED={first}")
        yield first
        while SOAK_S and not SEED and not self.spent:
            following = secrets.token_hex(4)
            print(f"TEST_SEED={following}")
            yield following


def run_machine(machine: type[RuleBasedStateMachine], from_seed: str, examples: int) -> None:
    """Play examples of 50 steps that follow from the seed; report the shortest that fails."""
    run_state_machine_as_test(seed(from_seed)(machine), settings=example_settings(examples))


def example_settings(examples: int) -> settings:
    """The same examples every time in the suite; in a soak ten times as many, and others."""
    return settings(
        max_examples=examples * (10 if SOAK_S else 1),
        derandomize=not SOAK_S,
        database=None,
        stateful_step_count=50,
        deadline=None,
        print_blob=True,
        phases=[phase for phase in Phase if phase is not Phase.explain],  # takes longer than all else
        suppress_health_check=list(HealthCheck),
    )
