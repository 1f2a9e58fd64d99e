"""Where the ledgers of tests are: in SQLite files, or with TEST_LEDGER=postgres in databases of a server of theirs."""

from __future__ import annotations

import itertools
import os
from typing import Final

import pytest

from tests.postgres_server import Postgres

ON_POSTGRES: Final = os.environ.get("TEST_LEDGER", "sqlite") == "postgres"

in_a_file = pytest.mark.skipif(ON_POSTGRES, reason="what the test does with the ledger it does with a file")

_numbers = itertools.count(1)
_servers: list[Postgres] = []


def postgres_server() -> Postgres:
    """The one of this session, started when it is first asked for. Raises NoPostgres."""
    if not _servers:
        _servers.append(Postgres().start())
    return _servers[0]


def close_servers() -> None:
    """At the end of the session."""
    while _servers:
        _servers.pop().close()


def new_database(template: str = "template1") -> str:
    """The name of a database of its own."""
    name = f"ledger_{next(_numbers)}"
    postgres_server().run("createdb", *_where(), "-T", template, name)
    return name


def drop_database(name: str) -> None:
    """Whoever is connected to it."""
    postgres_server().run("dropdb", *_where(), "--force", name)


def _where() -> tuple[str, ...]:
    return ("-h", str(postgres_server().socket_directory), "-U", "postgres")
