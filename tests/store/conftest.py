"""The ledger that a test of the conformance suite has to itself, on each backend."""

from __future__ import annotations

import itertools

import pytest

from seamless_wallet.ledger.ports import LedgerHistory, LedgerStore
from seamless_wallet.stores.postgres import PostgresLedger
from seamless_wallet.stores.sqlite import SqliteLedger
from tests.postgres_server import Postgres
from tests.store.backends import SHARDS, PostgresBackend, SqliteBackend
from tests.store.books import CURRENCIES, Book

NONCE = "first"
"""Of the writer of `store`."""
CONFORM: tuple[type[LedgerStore], ...] = (SqliteLedger, PostgresLedger)  # for mypy
HISTORIES: tuple[type[LedgerHistory], ...] = (SqliteLedger, PostgresLedger)

TEMPLATE = "template_ledger"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_template(postgres_server: Postgres) -> Postgres:
    """The server, with a database that has an empty ledger of two shards: it is copied for each test."""
    postgres_server.run("createdb", "-h", str(postgres_server.socket_directory), "-U", "postgres", TEMPLATE)
    PostgresBackend(postgres_server, TEMPLATE).init()
    return postgres_server


@pytest.fixture
def postgres_backend(postgres_template):
    """A ledger of two shards in a database of its own."""
    name = f"ledger_{next(_numbers)}"
    connect = ("-h", str(postgres_template.socket_directory), "-U", "postgres")
    postgres_template.run("createdb", *connect, "-T", TEMPLATE, name)
    yield PostgresBackend(postgres_template, name)
    postgres_template.run("dropdb", *connect, "--force", name)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test runs on every backend, or on those that its module names in BACKENDS."""
    if "backend" in metafunc.fixturenames:
        metafunc.parametrize("backend", getattr(metafunc.module, "BACKENDS", ("sqlite", "postgres")), indirect=True)


@pytest.fixture
def backend(request, tmp_path):
    """A ledger of two shards, made but not opened."""
    if request.param == "postgres":
        return request.getfixturevalue("postgres_backend")
    made = SqliteBackend(tmp_path)
    made.init()
    return made


@pytest.fixture
async def store(backend):
    """The ledger, opened by its writer, every shard in epoch 1."""
    opened = backend.open(SHARDS, CURRENCIES)
    backend.become_writer(opened)
    await opened.take_over(NONCE, range(SHARDS), 0)
    for shard in range(SHARDS):
        assert await opened.open_epoch(shard, 0, 1, "run", "repl", "") == 0
    yield opened
    await opened.close()


@pytest.fixture
def book():
    """What Redis streamed of shard 0: a player with money."""
    book = Book(0, SHARDS)
    book.create()
    book.deposit(10_000)
    return book


@pytest.fixture
def other():
    """The same of shard 1."""
    book = Book(1, SHARDS)
    book.create()
    book.deposit(5_000)
    return book
