"""A PostgreSQL with a standby, for whoever asks for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.postgres_pair import Pair
from tests.postgres_server import Postgres


@pytest.fixture(scope="module")
def primaries(postgres_server: Postgres) -> Iterator[list[Postgres]]:
    """The one server that is left of the pairs before. Where there is none, tests are skipped."""
    made = [Postgres().start()]
    yield made
    for server in made:
        server.close()


@pytest.fixture
def pair(primaries: list[Postgres]) -> Iterator[Pair]:
    """A primary and its standby. Whichever takes writes in the end is the primary of the next one."""
    made = Pair(primaries.pop())
    yield made
    primaries.append(made.close())
