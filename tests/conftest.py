"""What all tests share."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest
import structlog

from tests import chosen_ledger
from tests.guardian import guard
from tests.postgres_server import NoPostgres, Postgres

WORKERS_PER_CORE = 2
"""Most tests wait for servers most of the time."""


def pytest_configure() -> None:
    """Nothing of a session outlives it, however it ends."""
    guard()


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


@pytest.fixture(scope="session")
def postgres_server() -> Postgres:
    """One server for all tests of a session. Where there is none the tests are skipped, but never in CI."""
    try:
        return chosen_ledger.postgres_server()
    except NoPostgres as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


def pytest_sessionfinish() -> None:
    """Nothing of a session is left running."""
    chosen_ledger.close_servers()
