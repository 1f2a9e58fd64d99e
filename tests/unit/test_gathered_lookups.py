"""Look-ups that share a snapshot: none is answered by one that began before it was asked, and none spoils another."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from seamless_wallet.commands import Command, Kind
from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.ledger.records import LedgerLookup
from seamless_wallet.stores import gathered_lookups
from seamless_wallet.stores.gathered_lookups import AskedLookup, GatheredLookups

COMMAND = Command(kind=Kind.LOGIN, provider="p", user_id="u", transaction_id="t", timestamp_ms=1, received_ms=1)


def asked(shard: int) -> AskedLookup:
    """A look-up that is told apart by its shard."""
    return AskedLookup(shard, COMMAND, b"")


class Database:
    """Answers with how much was committed when the snapshot began, once it is let."""

    def __init__(self) -> None:
        self.committed = 1
        self.read: list[list[int]] = []
        self.may_answer = asyncio.Semaphore(0)
        self.faults: dict[int, Exception] = {}
        self.fault: Exception | None = None

    async def __call__(self, together: Sequence[AskedLookup]) -> Sequence[LedgerLookup | Exception]:
        snapshot = self.committed
        self.read.append([each.shard for each in together])
        await self.may_answer.acquire()
        if self.fault:
            raise self.fault
        return [self.faults.get(each.shard) or LedgerLookup(1, snapshot, None, None, {}) for each in together]


@pytest.fixture
def database():
    """A slow one."""
    return Database()


async def started(*coroutines) -> list[asyncio.Task]:
    """Tasks that have come to where they wait."""
    tasks = [asyncio.create_task(each) for each in coroutines]
    for _ in range(5):
        await asyncio.sleep(0)
    return tasks


async def test_what_is_asked_during_a_read_is_read_together_after_it(database):
    """The second snapshot has what was committed before its look-ups were asked; the first one may not have it."""
    lookups = GatheredLookups(database)
    (first,) = await started(lookups.look_up(asked(0)))
    database.committed = 2
    others = await started(lookups.look_up(asked(1)), lookups.look_up(asked(2)))
    database.may_answer.release()
    assert (await first).seq == 1
    database.may_answer.release()
    assert [(await other).seq for other in others] == [2, 2]
    assert database.read == [[0], [1, 2]]


async def test_a_look_up_after_all_were_answered_is_read_anew(database):
    """Nothing is remembered."""
    lookups = GatheredLookups(database)
    for seq in (1, 2):
        database.committed = seq
        database.may_answer.release()
        assert (await lookups.look_up(asked(0))).seq == seq


async def test_one_that_cannot_be_read_spoils_no_other(database):
    """A damaged row is its own fault."""
    lookups, damaged = GatheredLookups(database), ValueError("damaged")
    database.faults[1] = damaged
    tasks = await started(lookups.look_up(asked(9)), *(lookups.look_up(asked(shard)) for shard in range(3)))
    database.may_answer.release()
    database.may_answer.release()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(each) for each in found] == [LedgerLookup, LedgerLookup, ValueError, LedgerLookup]


async def test_a_database_that_is_away_fails_all_of_a_snapshot_and_none_after_it(database):
    """The next read is a new attempt."""
    lookups = GatheredLookups(database)
    tasks = [*await started(lookups.look_up(asked(0))), *await started(lookups.look_up(asked(1)))]
    database.fault = StoreError("away")
    database.may_answer.release()
    with pytest.raises(StoreError):
        await tasks[0]
    database.fault = None
    database.may_answer.release()
    assert (await tasks[1]).seq == 1


async def test_who_gives_up_is_not_read_for_and_disturbs_nobody(database):
    """A deadline cancels the caller, and not the read."""
    lookups = GatheredLookups(database)
    (under_way,) = await started(lookups.look_up(asked(0)))
    waiting, other = await started(lookups.look_up(asked(1)), lookups.look_up(asked(2)))
    for given_up in (under_way, waiting):
        given_up.cancel()
    await asyncio.sleep(0)
    database.may_answer.release()
    database.may_answer.release()
    assert (await other).seq == 1
    assert database.read == [[0], [2]]


async def test_a_snapshot_has_a_bounded_number_of_them(database, monkeypatch):
    """Those that are left have the next one."""
    monkeypatch.setattr(gathered_lookups, "GATHERED_MAX", 2)
    lookups = GatheredLookups(database)
    tasks = await started(*(lookups.look_up(asked(shard)) for shard in range(5)))
    for _ in range(5):
        database.may_answer.release()
    await asyncio.gather(*tasks)
    assert database.read == [[0, 1], [2, 3], [4]]
