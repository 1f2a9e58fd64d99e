"""The ledger that a test of the conformance suite has to itself, on each backend."""

from __future__ import annotations

import pytest

from seamless_wallet.ledger.ports import LedgerHistory, LedgerStore
from seamless_wallet.stores.kept_calls import KeptCalls
from seamless_wallet.stores.postgres import PostgresLedger
from seamless_wallet.stores.postgres_calls import PostgresCalls, init_calls
from seamless_wallet.stores.sqlite import SqliteLedger
from seamless_wallet.stores.sqlite_calls import SqliteCalls
from tests.chosen_ledger import drop_database, new_database
from tests.store.backends import SHARDS, PostgresBackend, SqliteBackend
from tests.store.books import CURRENCIES, Book

NONCE = "first"
"""Of the writer of `store`."""
CONFORM: tuple[type[LedgerStore], ...] = (SqliteLedger, PostgresLedger)  # for mypy
CALLS: tuple[type[KeptCalls], ...] = (SqliteCalls, PostgresCalls)
HISTORIES: tuple[type[LedgerHistory], ...] = (SqliteLedger, PostgresLedger)


@pytest.fixture(scope="session")
def postgres_template(postgres_server):
    """A database that has an empty ledger of two shards: it is copied for each test."""
    name = new_database()
    PostgresBackend(postgres_server, name).init()
    return name


@pytest.fixture(scope="session")
def calls_template(postgres_server):
    """A database that has an empty history: it is copied for each test."""
    name = new_database()
    init_calls(postgres_server.url(name))
    return name


@pytest.fixture
def calls_url(postgres_server, calls_template):
    """An empty history of calls in a database of its own."""
    name = new_database(calls_template)
    yield postgres_server.url(name)
    drop_database(name)


@pytest.fixture
def postgres_backend(postgres_server, postgres_template):
    """A ledger of two shards in a database of its own."""
    name = new_database(postgres_template)
    yield PostgresBackend(postgres_server, name)
    drop_database(name)


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
