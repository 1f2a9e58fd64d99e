"""How long the machines run: briefly in the suite, `WALLET_SOAK_S` seconds each in a soak."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

SOAK_S = float(os.environ.get("WALLET_SOAK_S", "0"))

limit = pytest.mark.timeout(0 if SOAK_S else 60)
"""A soak ends by itself."""


def rounds() -> Iterator[int]:
    """One, or as many as fit into the soak."""
    started_s, number = time.monotonic(), 0
    while number == 0 or time.monotonic() < started_s + SOAK_S:
        yield number
        number += 1


def machine_settings(examples: int, steps: int) -> settings:
    """For one round: ten times as many examples in a soak."""
    return settings(
        max_examples=examples * (10 if SOAK_S else 1),
        stateful_step_count=steps,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
