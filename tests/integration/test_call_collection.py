"""What the admin process does with calls: collect, delete what is too old or too much, and go on after a fault."""

from __future__ import annotations

import asyncio

import pytest

from seamless_wallet.calls.ports import CallsQuery
from seamless_wallet.calls.spool import Spool
from seamless_wallet.observability import metrics
from seamless_wallet.processes import call_history
from seamless_wallet.processes.call_history import CallCollection, open_calls
from seamless_wallet.processes.system_ports import SystemClock
from seamless_wallet.settings import Settings
from seamless_wallet.stores.sqlite_calls import SqliteCalls
from tests.call_history import call_record, encode_batch

DAY_MS = 86_400_000


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """A day and 16 MiB, collected without a pause."""
    monkeypatch.setattr(call_history, "COLLECT_CALLS_EVERY_S", 0.01)
    return Settings(data_dir=tmp_path, calls_days=1, calls_mib=16)


async def until(condition):
    """Wait for what the collection does."""
    async with asyncio.timeout(30):
        while not await condition():  # noqa: ASYNC110 - of another task
            await asyncio.sleep(0.02)


async def test_new_calls_are_kept_and_old_ones_go(settings):
    """Thousands of old ones in one go: as many may have to go as come."""
    clock = SystemClock()
    spool = Spool(settings.calls_spool_path, "a")
    now_ms = clock.now_ms()
    old = [call_record(received_ms=now_ms - 2 * DAY_MS, transaction_id=f"old-{number}") for number in range(2000)]
    spool.write(encode_batch([*old, call_record(received_ms=now_ms, transaction_id="new")]), now_ms)

    async with open_calls(settings) as calls, CallCollection(calls, settings, clock).running():

        async def only_the_new_one() -> bool:
            page = await calls.find(CallsQuery())
            return [stored.call.transaction_id for stored in page.calls] == ["new"]

        await until(only_the_new_one)


async def test_too_many_bytes_go_oldest_first(settings):
    """The newest call stays."""
    clock = SystemClock()
    spool = Spool(settings.calls_spool_path, "a")
    now_ms = clock.now_ms()
    for batch in range(30):
        records = [
            call_record(received_ms=now_ms + batch, transaction_id=f"{batch}-{number}", request=b"x" * 20_000)
            for number in range(50)
        ]
        spool.write(encode_batch(records), now_ms + batch)
    async with open_calls(settings) as calls, CallCollection(calls, settings, clock).running():

        async def settled() -> bool:
            everything = await calls.find(CallsQuery(limit=2000))
            newest = everything.calls[:1]
            return bool(newest) and newest[0].call.transaction_id.startswith("29-") and len(everything.calls) < 800

        await until(settled)


async def test_a_fault_is_logged_and_tried_again(settings, capsys):
    """The file is a directory, until somebody moves it away."""
    clock = SystemClock()
    settings.calls_path.mkdir()
    Spool(settings.calls_spool_path, "a").write(encode_batch([call_record(received_ms=clock.now_ms())]), 1)
    async with open_calls(settings) as calls, CallCollection(calls, settings, clock).running():
        await asyncio.sleep(0)

        async def told() -> bool:
            return "calls_not_collected" in capsys.readouterr().out

        await until(told)
        settings.calls_path.rmdir()

        async def collected() -> bool:
            return len((await calls.find(CallsQuery())).calls) == 1

        await until(collected)


async def test_a_bug_is_told_and_the_collection_goes_on(settings, capsys, monkeypatch):
    """What nobody expected is counted, too."""
    clock, faults = SystemClock(), metrics.UNEXPECTED_ERRORS.labels("calls")
    before, collect, bugs = faults.value, SqliteCalls.collect, [RuntimeError("a bug")]

    async def collect_some(*words):
        if bugs:
            raise bugs.pop()
        await collect(*words)

    monkeypatch.setattr(SqliteCalls, "collect", collect_some)
    Spool(settings.calls_spool_path, "a").write(encode_batch([call_record(received_ms=clock.now_ms())]), 1)
    async with open_calls(settings) as calls, CallCollection(calls, settings, clock).running():

        async def collected() -> bool:
            return len((await calls.find(CallsQuery())).calls) == 1

        await until(collected)
    assert faults.value == before + 1
    assert "calls_error" in capsys.readouterr().out


async def test_nothing_is_collected_while_the_disk_is_short(settings, capsys):
    """Calls wait in their files; what is too old goes all the same."""
    clock, free, looks = SystemClock(), [1.0], [0]
    spool = Spool(settings.calls_spool_path, "a")

    def leave(**changes) -> None:
        spool.write(encode_batch([call_record(received_ms=clock.now_ms(), **changes)]), clock.now_ms())

    def share(_) -> float:
        looks[0] += 1
        return free[0]

    async with open_calls(settings) as calls, CallCollection(calls, settings, clock, share).running():

        async def found(count: int) -> bool:
            return len((await calls.find(CallsQuery())).calls) == count

        leave(transaction_id="t-1")
        await until(lambda: found(1))
        free[0] = 0.04

        async def told() -> bool:
            return "5% of the disk" in capsys.readouterr().out

        await until(told)
        leave(transaction_id="t-2")
        before = looks[0]

        async def looked() -> bool:
            return looks[0] > before + 3

        await until(looked)
        assert await found(1)
        free[0] = 0.06
        await until(lambda: found(2))


@pytest.mark.parametrize("calls_days", [0, 1])
async def test_what_a_killed_worker_left_half_written_goes_while_the_admin_process_runs(settings, calls_days):
    """Nobody would ever erase it. What a worker is writing just now stays."""
    clock, spool = SystemClock(), Spool(settings.calls_spool_path, "a")
    spool.prepare()
    old, new = (spool.directory / f"{clock.now_ms() + ms:013d}-b-1.part" for ms in (-70_000, 600_000))
    kept = settings.model_copy(update={"calls_days": calls_days})
    async with open_calls(kept) as calls, CallCollection(calls, kept, clock).running():
        await calls.find(CallsQuery())  # it has begun
        for path in (old, new):
            path.touch()

        async def gone() -> bool:
            return not old.exists()

        await until(gone)
        assert new.exists()


async def test_nothing_is_deleted_when_no_history_is_kept(settings):
    """`WALLET_CALLS_DAYS=0` records nothing, and leaves what is there."""
    clock = SystemClock()
    off = settings.model_copy(update={"calls_days": 0})
    Spool(settings.calls_spool_path, "a").write(encode_batch([call_record(received_ms=1)]), 1)
    async with open_calls(off) as calls, CallCollection(calls, off, clock).running():

        async def collected() -> bool:
            return len((await calls.find(CallsQuery())).calls) == 1

        await until(collected)
        await calls.collect()
        assert await collected()
