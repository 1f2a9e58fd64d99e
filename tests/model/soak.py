"""How long the machines run: the same examples every time in the suite, new ones for `WALLET_SOAK_S` in a soak."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings

SOAK_S = float(os.environ.get("WALLET_SOAK_S", "0"))

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

    def rounds(self) -> Iterator[int]:
        """One, or as many as fit into a soak."""
        yield 0
        number = 1
        while SOAK_S and not self.spent:
            yield number
            number += 1


def machine_settings(examples: int, steps: int = 50) -> settings:
    """For one round: ten times as many examples in a soak."""
    return settings(
        max_examples=examples * (10 if SOAK_S else 1),
        derandomize=not SOAK_S,
        stateful_step_count=steps,
        deadline=None,
        print_blob=True,
        phases=[phase for phase in Phase if phase is not Phase.explain],  # takes longer than all else
        suppress_health_check=list(HealthCheck),
    )
