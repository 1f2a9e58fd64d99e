"""What all tests share."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest
import structlog

WORKERS_PER_CORE = 2
"""Most tests wait for servers most of the time."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """What `-n auto` means."""
    return WORKERS_PER_CORE * len(os.sched_getaffinity(0))


@pytest.fixture(autouse=True)
def _log_as_configured_by_nobody() -> Iterator[None]:
    """A test that runs a command configures the log of the whole process, to a stream that is closed afterwards."""
    handlers = list(logging.root.handlers)
    yield
    structlog.reset_defaults()
    for handler in set(logging.root.handlers).difference(handlers):
        logging.root.removeHandler(handler)
