"""The history of calls in its file: each batch once, found by every id, deleted by age, size and player."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from seamless_wallet.calls.ports import CallsQuery
from seamless_wallet.calls.record import encode_batch
from seamless_wallet.calls.spool import Spool
from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.stores.sqlite_calls import SqliteCalls, collection, questions
from tests.call_history import BET, NOW_MS, call_record

ALL = CallsQuery()


@pytest.fixture
def spool(tmp_path):
    """Where workers leave their batches."""
    return Spool(tmp_path / "calls", "a")


@pytest.fixture
async def calls(tmp_path, spool):
    """The store."""
    async with SqliteCalls(tmp_path / "ledger.sqlite3.calls.db", spool) as store:
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
        call_record(received_ms=NOW_MS + 2, transaction_id="t-3", user_id="bob", provider="other", decide_us=900_000),
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
    monkeypatch.setattr(questions, "LOOKED_AT_MAX", 10)
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


async def test_two_collectors_take_each_batch_once(calls, spool, tmp_path):
    """Two admin processes, while one replaces the other."""
    for number in range(50):
        leave(spool, call_record(transaction_id=f"t-{number}"))
    async with SqliteCalls(tmp_path / "ledger.sqlite3.calls.db", spool) as other:
        await calls.collect()
        await other.collect()
    assert len((await calls.find(CallsQuery(limit=500))).calls) == 50


async def test_a_broken_file_is_told_and_removed(calls, spool):
    """And the calls of the others are kept."""
    spool.write(b"no batch", NOW_MS)
    leave(spool, BET)
    told: list[str] = []
    await calls.collect(told.append)
    assert await ids(calls) == ["t-1"]
    assert len(told) == 1
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


async def test_a_player_is_erased_to_the_last_byte(calls, spool, tmp_path):
    """Also what is not collected yet, and what SQLite's log has."""
    leave(spool, call_record(user_id="erase-me"), BET)
    await calls.collect()
    leave(spool, call_record(user_id="erase-me", request=b'{"user_id":"erase-me"}'))
    assert await calls.erase("erase-me") == 2
    assert await calls.erase("") == 0
    assert await ids(calls) == ["t-1"]
    for path in (path for path in tmp_path.rglob("*") if path.is_file()):
        assert b"erase-me" not in path.read_bytes(), path


async def test_old_calls_and_too_many_are_deleted(calls, spool):
    """In steps, the oldest first."""
    records = [call_record(received_ms=NOW_MS + n, transaction_id=f"t-{n}", request=b"x" * 1000) for n in range(1500)]
    leave(spool, *records)
    await calls.collect()
    while await calls.prune(NOW_MS + 100, 2**30):
        pass
    assert len((await calls.find(CallsQuery(limit=2000))).calls) == 1400
    while await calls.prune(0, 2**20):
        pass
    left = await ids(calls, limit=2000)
    assert 0 < len(left) < 1400
    assert left[0] == "t-1499"


async def test_a_locked_file_costs_a_collection_and_no_call(calls, spool, tmp_path, monkeypatch):
    """The batch waits in its file until somebody can take it."""
    await calls.collect()
    monkeypatch.setattr("seamless_wallet.stores.sqlite_calls.calls_file.BUSY_TIMEOUT_MS", 10)
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
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(collection, "insert", full)
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
