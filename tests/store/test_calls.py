"""The history of calls in each store: each batch once, found by every id, deleted by age, size and player."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import asyncpg
import pytest

from seamless_wallet.calls.ports import CallsQuery
from seamless_wallet.calls.spool import Spool
from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.stores import call_batches, call_queries
from seamless_wallet.stores.postgres_calls import PostgresCalls
from seamless_wallet.stores.postgres_calls import collection as postgres_collection
from seamless_wallet.stores.sqlite_calls import SqliteCalls
from seamless_wallet.stores.sqlite_calls import collection as sqlite_collection
from tests.call_history import BET, NOW_MS, call_record, encode_batch

ALL = CallsQuery()
DAY_MS = 86_400_000


@pytest.fixture
def spool(tmp_path):
    """Where workers leave their batches."""
    return Spool(tmp_path / "calls", "a")


@pytest.fixture(params=["sqlite", "postgres"])
def another(request, tmp_path, spool):
    """Opens the store once more."""
    if request.param == "sqlite":
        yield lambda: SqliteCalls(tmp_path / "ledger.sqlite3.calls.db", spool)
        return
    url = request.getfixturevalue("calls_url")
    yield lambda: PostgresCalls(url, spool)


@pytest.fixture
async def calls(another):
    """The store."""
    async with another() as store:
        yield store


def leave(spool, *records):
    """A batch."""
    spool.write(encode_batch(records), NOW_MS)


async def ids(calls, **conditions):
    """The transactions that a query finds."""
    page = await calls.find(CallsQuery(**conditions))
    return [stored.call.transaction_id for stored in page.calls]


async def test_a_call_is_found_as_it_was_recorded(calls, spool):
    """Every field, under an id that begins with its time."""
    leave(spool, BET)
    await calls.collect()
    page = await calls.find(ALL)
    (stored,) = page.calls
    assert (stored.call, page.next_id) == (BET, None)
    assert await calls.call(stored.id) == stored
    assert await calls.call(1) is None
    assert list(spool.batches()) == []


async def test_calls_are_found_by_each_field(calls, spool):
    """And by several together."""
    leave(
        spool,
        BET,
        call_record(
            received_ms=NOW_MS + 1, transaction_id="t-2", game_no="g-2", event="result", code="R1", reason="redis"
        ),
        call_record(received_ms=NOW_MS + 2, transaction_id="t-3", user_id="bob", provider="other", commit_us=900_000),
        call_record(received_ms=NOW_MS + 3, transaction_id="t-4", code="R4", reason="funds"),
    )
    await calls.collect()
    assert await ids(calls) == ["t-4", "t-3", "t-2", "t-1"]
    assert await ids(calls, from_ms=NOW_MS + 1, to_ms=NOW_MS + 3) == ["t-3", "t-2"]
    assert await ids(calls, provider="other") == ["t-3"]
    assert await ids(calls, user_id="ann") == ["t-4", "t-2", "t-1"]
    assert await ids(calls, transaction_id="t-2") == ["t-2"]
    assert await ids(calls, game_no="g-1") == ["t-4", "t-3", "t-1"]
    assert await ids(calls, event="result") == ["t-2"]
    assert await ids(calls, code="R4", reason="funds") == ["t-4"]
    assert await ids(calls, failed=True) == ["t-2"]
    assert await ids(calls, slow_ms=900) == ["t-3"]
    assert await ids(calls, user_id="ann", game_no="g-1", code="R0") == ["t-1"]
    assert await ids(calls, user_id="ann'; DROP TABLE call; --") == []


async def test_pages_follow_each_other(calls, spool):
    """Also through calls of one millisecond, of several batches."""
    for batch in range(3):
        leave(spool, *(call_record(transaction_id=f"t-{batch}-{number}") for number in range(7)))
    await calls.collect()
    found, before_id = [], None
    while True:
        page = await calls.find(CallsQuery(before_id=before_id, limit=4))
        found += [stored.id for stored in page.calls]
        before_id = page.next_id
        if before_id is None:
            break
    assert len(found) == len(set(found)) == 21
    assert found == sorted(found, reverse=True)


async def test_a_rare_call_is_found_in_bounded_steps(calls, spool, monkeypatch):
    """A page may be empty and still have a next one."""
    monkeypatch.setattr(call_queries, "LOOKED_AT_MAX", 10)
    leave(spool, *(call_record(transaction_id=f"t-{n}", code="R1" if n == 0 else "R0", reason="x") for n in range(35)))
    await calls.collect()
    steps, before_id, found = 0, None, []
    while steps == 0 or before_id is not None:
        page = await calls.find(CallsQuery(code="R1", before_id=before_id))
        found += page.calls
        before_id = page.next_id
        steps += 1
    assert [stored.call.transaction_id for stored in found] == ["t-0"]
    assert steps == 4


async def test_a_batch_is_taken_once_whenever_the_collector_dies(calls, spool, monkeypatch):
    """It died after its commit and before the file was removed."""
    leave(spool, BET)

    def die(*_, **__):
        raise OSError(5, "killed here")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", die)
        with pytest.raises(StoreError):
            await calls.collect()
    assert len(list(spool.batches())) == len((await calls.find(ALL)).calls) == 1
    await calls.collect()
    assert len((await calls.find(ALL)).calls) == 1
    assert list(spool.batches()) == []


async def test_two_collectors_take_each_batch_once(calls, another, spool, monkeypatch):
    """Two admin processes at once, while one replaces the other, each with a batch at a time."""
    monkeypatch.setattr(call_batches, "TAKEN_BYTES_MAX", 1)
    for number in range(50):
        leave(spool, call_record(transaction_id=f"t-{number}"))
    async with another() as other:
        await asyncio.gather(calls.collect(), other.collect())
    found = (await calls.find(CallsQuery(limit=500))).calls
    assert len({stored.call.transaction_id for stored in found}) == len({stored.id for stored in found}) == 50
    assert list(spool.batches()) == []


async def test_a_call_is_kept_whatever_its_ids_are(calls, spool):
    """What a wrong request has there may be any text."""
    odd = call_record(
        user_id="a\0b",
        transaction_id="\N{PILE OF POO}'\\",
        game_no="\0",
        code="R3",
        reason="id",
        place="\0",
        problem="\0",
    )
    leave(spool, odd, BET)
    await calls.collect()
    assert await ids(calls) == ["t-1", "\N{PILE OF POO}'\\"]
    assert await ids(calls, transaction_id="\N{PILE OF POO}'\\") == ["\N{PILE OF POO}'\\"]


async def test_calls_of_any_time_are_kept(calls, spool):
    """A worker's clock may be wrong. Ids follow time; calls of one millisecond in several batches are told apart."""
    times = [NOW_MS, NOW_MS - 40 * DAY_MS, NOW_MS + DAY_MS, NOW_MS, 1]
    for number, received_ms in enumerate(times):
        leave(spool, call_record(received_ms=received_ms, transaction_id=f"t-{number}"))
        await calls.collect()
    assert await ids(calls) == ["t-2", "t-3", "t-0", "t-1", "t-4"]
    assert await ids(calls, from_ms=NOW_MS - DAY_MS, to_ms=NOW_MS + 1) == ["t-3", "t-0"]


async def test_a_broken_file_is_told_and_removed(calls, spool):
    """And the calls of the others are kept."""
    spool.write(b"no batch", NOW_MS)
    leave(spool, BET)
    told: list[str] = []
    await calls.collect(told.append)
    assert await ids(calls) == ["t-1"]
    assert len(told) == 1
    assert list(spool.batches()) == []


async def test_a_batch_that_no_table_takes_holds_up_nobody(calls, spool):
    """It is told and removed, alone of all that are taken with it."""
    leave(spool, BET)
    leave(spool, call_record(received_ms=2**50), call_record(transaction_id="lost"))
    leave(spool, call_record(transaction_id="t-2"))
    told: list[str] = []
    await calls.collect(told.append)
    await asyncio.sleep(0)  # what a thread told is heard
    assert await ids(calls) == ["t-2", "t-1"]
    assert len(told) == 1
    assert "cannot be kept" in told[0]
    assert list(spool.batches()) == []


async def test_tries_of_an_event_are_found(calls, spool):
    """Those of the same provider, player and transaction, oldest first; none for a call without an id."""
    leave(
        spool,
        call_record(code="R1", reason="redis"),
        call_record(received_ms=NOW_MS + 5),
        call_record(user_id="bob"),
        call_record(transaction_id=""),
    )
    await calls.collect()
    assert [stored.call.code for stored in await calls.tries(BET, 10)] == ["R1", "R0"]
    assert await calls.tries(call_record(transaction_id=""), 10) == []


async def test_texts_are_read_only_for_who_wants_them(calls, spool):
    """They are most of what is kept: a list of calls, and the other calls about an event, do without."""
    leave(spool, BET)
    await calls.collect()
    bare = call_record(request=b"", reply=b"")
    assert [stored.call for stored in (await calls.find(CallsQuery(texts=False))).calls] == [bare]
    assert [stored.call for stored in await calls.tries(BET, 10)] == [bare]
    assert [stored.call for stored in (await calls.find(ALL)).calls] == [BET]


async def test_a_failed_call_is_acknowledged(calls, spool):
    """Then it is no longer among those that somebody has to look at."""
    leave(spool, call_record(code="R1", reason="redis"))
    await calls.collect()
    (stored,) = (await calls.find(CallsQuery(unacknowledged=True))).calls
    changed = await calls.acknowledge(stored.id, NOW_MS + 9, "provider told")
    assert (changed.acknowledged_ms, changed.note) == (NOW_MS + 9, "provider told")
    assert (await calls.find(CallsQuery(unacknowledged=True))).calls == []
    assert await calls.call(stored.id) == changed
    assert await calls.acknowledge(1, NOW_MS, "") is None


async def test_a_player_is_erased(calls, spool, tmp_path):
    """Also what is not collected yet. From a file to the last byte, SQLite's log included."""
    leave(spool, call_record(user_id="erase-me"), BET)
    await calls.collect()
    leave(spool, call_record(user_id="erase-me", request=b'{"user_id":"erase-me"}'))
    assert await calls.erase("erase-me") == 2
    assert await calls.erase("") == 0
    assert await ids(calls) == ["t-1"]
    for path in (path for path in tmp_path.rglob("*") if path.is_file()):
        assert b"erase-me" not in path.read_bytes(), path


@pytest.mark.parametrize("another", ["sqlite"], indirect=True)
async def test_what_could_not_be_erased_to_the_last_byte_is_said(calls, spool, tmp_path, monkeypatch):
    """While somebody reads, the log beside the file keeps what was written before."""
    monkeypatch.setattr("seamless_wallet.stores.sqlite.side_file.BUSY_TIMEOUT_MS", 10)
    leave(spool, call_record(user_id="erase-me"))
    await calls.collect()
    path = tmp_path / "ledger.sqlite3.calls.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM call").fetchone()
        with pytest.raises(StoreError, match="once more"):
            await calls.erase("erase-me")
    assert await calls.erase("erase-me") == 0
    assert not any(b"erase-me" in each.read_bytes() for each in tmp_path.rglob("*") if each.is_file())


async def test_old_calls_are_deleted(calls, spool):
    """In steps of calls, or by whole days."""
    days = [call_record(received_ms=NOW_MS + day * DAY_MS, transaction_id=f"t-{day}") for day in range(5)]
    leave(spool, *days)
    await calls.collect()
    while await calls.prune((NOW_MS // DAY_MS + 2) * DAY_MS, 2**30):
        pass
    assert await ids(calls) == ["t-4", "t-3", "t-2"]
    leave(spool, days[0])
    await calls.collect()
    assert await ids(calls) == ["t-4", "t-3", "t-2", "t-0"]


async def test_too_many_bytes_go_oldest_first(calls, spool):
    """Although all are of one day. A day of which a part is gone takes late calls."""
    for batch in range(16):
        texts = [f"t-{batch}-{number}" for number in range(50)]
        leave(
            spool,
            *(
                call_record(received_ms=NOW_MS + batch, transaction_id=text, request=os.urandom(20_000))
                for text in texts
            ),
        )
        await calls.collect()
        while await calls.prune(0, 8 * 2**20):
            pass
    left = await ids(calls, limit=2000)
    assert 100 < len(left) < 450
    assert left == [f"t-{batch}-{number}" for batch in range(15, -1, -1) for number in range(49, -1, -1)][: len(left)]
    leave(spool, call_record(transaction_id="late"))
    await calls.collect()
    assert (await ids(calls, limit=2000))[-1] == "late"


@pytest.mark.parametrize("another", ["sqlite"], indirect=True)
async def test_a_locked_file_costs_a_collection_and_no_call(calls, spool, tmp_path, monkeypatch):
    """The batch waits in its file until somebody can take it."""
    await calls.collect()
    monkeypatch.setattr("seamless_wallet.stores.sqlite.side_file.BUSY_TIMEOUT_MS", 10)
    leave(spool, BET)
    async with SqliteCalls(tmp_path / "ledger.sqlite3.calls.db", spool) as hurried:
        with closing(sqlite3.connect(tmp_path / "ledger.sqlite3.calls.db", isolation_level=None)) as locker:
            locker.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreError, match="locked"):
                await hurried.collect()
            assert len(list(spool.batches())) == 1
            assert await ids(calls) == []
        await hurried.collect()
        assert await ids(hurried) == ["t-1"]


async def test_a_failed_insert_loses_nothing(calls, spool, monkeypatch):
    """A full disk in the middle of a transaction: the file stays, and the next attempt takes it."""
    leave(spool, BET)

    def full(*_):
        if isinstance(calls, SqliteCalls):
            raise sqlite3.OperationalError("database or disk is full")
        raise asyncpg.DiskFullError("no space left: the disk is full")

    with monkeypatch.context() as patched:
        for store in (sqlite_collection, postgres_collection):
            patched.setattr(store, "insert", full)
        with pytest.raises(StoreError, match="full"):
            await calls.collect()
    await calls.collect()
    assert await ids(calls) == ["t-1"]


async def test_a_file_that_is_none_is_refused(tmp_path, spool):
    """With what to do."""
    path = tmp_path / "calls.db"
    path.write_bytes(b"not a database, but long enough to be read as one" * 100)
    async with SqliteCalls(path, spool) as calls:
        with pytest.raises(StoreError, match="move it away"):
            await calls.find(ALL)


@pytest.mark.parametrize("another", ["sqlite"], indirect=True)
async def test_a_process_that_looks_takes_nothing_from_the_one_that_writes(calls, spool, tmp_path):
    """It must not believe that it is the last one, and remove the log: what is written from then on would be lost."""
    leave(spool, BET)
    await calls.find(ALL)
    await calls.collect()  # the second connection of this process
    look = (
        "import sqlite3, sys; "
        "print(sqlite3.connect(sys.argv[1]).execute('SELECT acknowledged_ms FROM call').fetchone()[0])"
    )
    path = tmp_path / "ledger.sqlite3.calls.db"

    def looked() -> str:
        return subprocess.run([sys.executable, "-c", look, path], capture_output=True, text=True, check=True).stdout

    assert looked() == "0\n"
    (stored,) = (await calls.find(ALL)).calls
    await calls.acknowledge(stored.id, 5, "")
    assert looked() == "5\n"
