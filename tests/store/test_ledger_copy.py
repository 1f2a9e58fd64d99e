"""A SQLite ledger is copied into a PostgreSQL database: all of it, proven, or nothing."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from seamless_wallet.commands import Kind, event_digest
from seamless_wallet.ledger.ports import LeaseHeld, StoreError
from seamless_wallet.ledger.records import EntriesQuery
from seamless_wallet.stores import ledger_copy
from seamless_wallet.stores.ledger_copy import CopiedLedger, CopyFailed
from seamless_wallet.stores.postgres import archiving
from seamless_wallet.stores.postgres.setup import is_made
from seamless_wallet.stores.postgres.sql import IMPORT_SQL
from tests.chosen_ledger import drop_database, new_database
from tests.store.backends import PostgresBackend
from tests.store.test_archive import JANUARY, findings

BACKENDS = ("sqlite",)
DAY_MS = 24 * 60 * 60 * 1000
JANUARY_MS = int(datetime(2026, 1, 10, tzinfo=UTC).timestamp() * 1000)


def quiet(_title: str) -> Any:
    """A progress bar that nobody sees."""
    return lambda _done, _total: None


async def copied(backend, target: PostgresBackend) -> CopiedLedger:
    """As the command does."""
    return await ledger_copy.copy_ledger(backend.path, target.url, quiet)


@pytest.fixture
def target(postgres_server):
    """A database with nothing in it."""
    name = new_database()
    yield PostgresBackend(postgres_server, name)
    drop_database(name)


@pytest.fixture
async def filled(backend, store, book, other):
    """Players with every kind of entry over some months, of shards whose commits are mixed. Nobody writes it."""
    book.now_ms = other.now_ms = JANUARY_MS
    for number in range(70):  # past a signpost
        book.bet(f"g{number}", a=1)
    book.post(book.command(Kind.LOGIN))
    other.bet("h1", a=700, b=300)
    await store.commit([book.take(), other.take()])
    book.now_ms = other.now_ms = JANUARY_MS + 30 * DAY_MS
    for number in range(70):
        book.result(f"g{number}", a=(1, 1))
    other.cancel("h1", a=700, b=300)
    other.cancel("h2", a=5)
    await store.commit([other.take()])
    await store.commit([book.take()])
    other.now_ms = JANUARY_MS + 90 * DAY_MS
    other.bet("h3", a=9)
    void = other.post(other.command(Kind.DEPOSIT, amount=1))
    void.void = "contradicted"
    await store.commit([other.take()])
    await store.close()


async def everything(opened: Any, users: list[str]) -> list[Any]:
    """What a ledger says of itself and of players."""
    told: list[Any] = [await opened.trial_balance(), await opened.registered_scripts(), opened.shards, opened.scales]
    told += [(head.epoch, head.seq) for head in await opened.heads()]
    for user in users:
        told += [await opened.wallet(user), await opened.rounds(user, None, 100), await opened.open_rounds(user, 100)]
        for query in (EntriesQuery(limit=1_000), EntriesQuery(to_ms=JANUARY_MS + DAY_MS, limit=1_000)):
            entries = await opened.history(user, query)
            told += [(e.seq, e.epoch, e.user_id, e.provider, e.payload, e.decided) for e in entries]
    return told


async def test_a_copy_has_all_that_the_file_has(backend, filled, book, other, target):
    """In another order and under other names; and its old events are duplicates."""
    users = [book.user, other.user]
    done = await copied(backend, target)
    async with backend.open() as before, target.open() as after:
        assert await everything(after, users) == await everything(before, users)
        assert await findings(after) == []
        assert after.uuid == done.uuid != before.uuid
        assert [(head.run_id, head.nonce) for head in await after.heads()] == [("", ""), ("", "")]
        bet = book.entries[2].command
        was, found = [await each.lookup(0, bet, event_digest(bet)) for each in (before, after)]
        assert found == was
        assert found.record is not None
        assert not await after.has_named("first")
    assert done.months == ("2023-11", "2026-01", "2026-02", "2026-04")
    assert sum(done.seqs) == len(book.entries) + len(other.entries)


async def test_the_writer_goes_on_from_a_copy_and_its_months_can_be_archived(
    backend, filled, book, other, target, tmp_path
):
    """With a new epoch, as no Redis server has served it yet."""
    await copied(backend, target)
    async with target.open() as store:
        await store.take_over("second", (0, 1), 0)
        assert await store.open_epoch(0, 1, 2, "run-2", "repl-2", "") == len(book.entries)
        book.epoch, book.token = 2, ""
        book.deposit(5)
        await store.commit([book.take()])
        assert await findings(store) == []
        for month in (date(2023, 11, 1), JANUARY):
            file = tmp_path / f"{month}"
            done = await archiving.archive(target.url, month, file, cold_ms=0, drop=True, bars=quiet)
            assert done.entries == (4 if month < JANUARY else 72)
            assert await findings(store) == []


@pytest.mark.parametrize("step", ["set_shard", "script"])
async def test_a_copy_that_is_killed_is_not_there(backend, filled, target, monkeypatch, step):
    """The database is as empty as it was, and the same command again ends it."""
    query = IMPORT_SQL[step]
    monkeypatch.setitem(IMPORT_SQL, step, "SELECT pg_terminate_backend(pg_backend_pid())")
    with pytest.raises(StoreError):
        await copied(backend, target)
    monkeypatch.setitem(IMPORT_SQL, step, query)
    assert not is_made(target.url)
    await copied(backend, target)
    async with target.open() as store:
        assert await findings(store) == []


async def test_a_database_that_has_anything_is_refused(backend, filled, target):
    """It stays as it is. One that `wallet init` has made is empty."""
    target.init()
    await copied(backend, target)
    rows = target.rows("SELECT count(*), sum(balance) FROM entry")
    with pytest.raises(CopyFailed, match="is not empty: name an empty database"):
        await copied(backend, target)
    assert target.rows("SELECT count(*), sum(balance) FROM entry") == rows


HARMS = {
    "UPDATE wallet SET balance = balance + 1": "does not hold together",
    "UPDATE wallet SET last = 999, balance = 1": "does not hold together",
    "UPDATE entry SET payload = zeroblob(4) WHERE seq = 5": "does not hold together",
    "DELETE FROM mark WHERE bet_index = ''": "does not hold together",
    "INSERT INTO mark SELECT 1, player, digest, bet_index, entry, 'O 9' FROM mark WHERE state LIKE 'S %'": (
        "has a row of mark that cannot be"
    ),
    "UPDATE mark SET entry = 999 WHERE bet_index = ''": "has a row of mark that cannot be",
}
"""What is done to a ledger, and what is said of it: the check finds it in the copy, or PostgreSQL does not take it."""


@pytest.mark.parametrize("harm", HARMS)
async def test_a_ledger_with_findings_is_not_copied(backend, filled, target, harm):
    """One line says what is wrong with it and what to do, and nothing is kept."""
    assert backend.tamper(harm)
    with pytest.raises(CopyFailed, match=rf"{HARMS[harm]}, and nothing of it was kept: .*; run `wallet verify`$"):
        await copied(backend, target)
    assert not is_made(target.url)


async def test_what_is_not_what_was_read_is_not_kept(backend, filled, target, monkeypatch):
    """The comparison does not rest on the verification."""
    monkeypatch.setitem(IMPORT_SQL, "analyze", "UPDATE ledger.shard SET token = 'x'")
    with pytest.raises(CopyFailed, match=r"^shard of the copy are not those of .*; nothing of it was kept$"):
        await copied(backend, target)
    assert not is_made(target.url)


async def test_a_ledger_that_has_a_writer_is_not_copied(backend, store, target):
    """Stop the service first. A file that is not there, and one that is no ledger, are refused as everywhere."""
    with pytest.raises(LeaseHeld, match="is the writer of"):
        await copied(backend, target)
    with pytest.raises(StoreError, match="there is no ledger at"):
        await ledger_copy.copy_ledger(Path("/nonexistent/ledger"), target.url, quiet)
