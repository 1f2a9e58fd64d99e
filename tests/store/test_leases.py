"""Several writers of one ledger: who may take which shard, by the clock of the ledger's server alone."""

from __future__ import annotations

import asyncio

import pytest

from seamless_wallet.ledger.conflicts import Displaced
from seamless_wallet.ledger.ports import LeaseHeld, StoreError
from seamless_wallet.stores.postgres.primary import connect
from tests.integration.waiting import until
from tests.store.conftest import NONCE

BACKENDS = ("postgres",)
LONG_MS = 60_000
EXPIRED = "UPDATE lease SET expires = clock_timestamp() - interval '1 ms'"


@pytest.fixture
async def second(backend, store):
    """Another writer, named, that holds nothing."""
    async with backend.open() as opened:
        await opened.take_over("second", (), 0)
        yield opened


async def test_what_is_free_is_taken(store, second):
    """Of two that want it one gets it, and both see who"""
    assert list((await store.renew_leases(LONG_MS, [0], [])).holders) == [NONCE, NONCE]  # it took both over
    table = await second.renew_leases(LONG_MS, [0, 1], [])
    assert list(table.holders) == [NONCE, NONCE]
    assert sorted(table.writers) == [NONCE, "second"]


async def test_shards_move_one_by_one(store, second, book):
    """What one releases another takes; it is fenced by the head from that moment on, and not by the lease"""
    await store.renew_leases(LONG_MS, [], [])
    assert list((await store.renew_leases(LONG_MS, [], [0])).holders) == ["", NONCE]
    assert (await store.heads())[0].nonce == ""
    with pytest.raises(Displaced):
        await store.commit([book.entries])
    assert list((await second.renew_leases(LONG_MS, [0, 1], [])).holders) == ["second", NONCE]
    await second.commit([book.take()])
    assert [head.nonce for head in await store.heads()] == ["second", NONCE]
    with pytest.raises(Displaced):
        await store.commit([[book.bet("g1", a=5)]])


async def test_a_lease_ends_unless_it_is_renewed(store, second, backend, book):
    """By then anybody may take the shard. Until somebody does its holder writes on, and may renew it"""
    await store.renew_leases(LONG_MS, [], [])
    backend.tamper(EXPIRED)
    assert list((await second.renew_leases(LONG_MS, [], [])).holders) == ["", ""]
    await store.commit([book.take()])
    assert list((await store.renew_leases(LONG_MS, [], [])).holders) == [NONCE, NONCE]
    backend.tamper(EXPIRED)
    table = await second.renew_leases(LONG_MS, [1], [])
    assert list(table.holders) == ["", "second"]
    assert list((await store.renew_leases(LONG_MS, [], [])).holders) == [NONCE, "second"]


async def test_a_commit_that_is_stuck_holds_up_its_shard_alone(store, second, backend, book, other):
    """Nobody waits for it: neither who wants its shard nor who renews, begins or ends"""
    await store.renew_leases(LONG_MS, [], [])
    backend.tamper(EXPIRED)
    await store.commit([book.take()])
    stuck = await connect(backend.url)
    async with stuck.transaction(), asyncio.timeout(20), backend.open() as third:
        await stuck.execute("SELECT FROM ledger.shard WHERE shard = 0 FOR UPDATE")
        assert list((await second.renew_leases(LONG_MS, [0, 1], [])).holders) == ["", "second"]
        assert list((await store.renew_leases(LONG_MS, [], [0])).holders) == [NONCE, "second"]
        await third.take_over("third", (), 0)
        await third.renew_leases(LONG_MS, [], [])
        await second.commit([other.take()])
        await store.retire()
        assert list((await second.renew_leases(LONG_MS, [], [])).holders) == [NONCE, "second"], "it expires by itself"
    await stuck.close()
    backend.tamper(EXPIRED)
    assert list((await second.renew_leases(LONG_MS, [0], [])).holders) == ["second", "second"]


async def test_the_clock_is_the_servers(store, second):
    """A lease that is not renewed ends all by itself, a writer's presence with it"""
    await store.renew_leases(30, [], [])

    async def ended():
        table = await second.renew_leases(30, [], [])
        return [*table.holders, *table.writers] == ["", "", "second"]

    await until(ended, "the end of the leases")


async def test_a_lease_that_ends_too_far_ahead_has_ended(store, second, backend):
    """The clock was wrong when it was given, and is right now"""
    await store.renew_leases(LONG_MS, [], [])
    backend.tamper("UPDATE lease SET expires = expires + interval '1 year'")
    assert list((await second.renew_leases(LONG_MS, [0, 1], [])).holders) == ["second", "second"]


async def test_a_writer_that_ends_leaves_at_once(store, second):
    """Nobody has to wait, and it is counted no more"""
    await store.renew_leases(LONG_MS, [], [])
    await store.retire()
    table = await second.renew_leases(LONG_MS, [0, 1], [])
    assert (list(table.holders), list(table.writers)) == (["second", "second"], ["second"])


async def test_another_nonce_of_the_same_writer_keeps_the_leases(store, second):
    """And nobody else can take over what is leased"""
    await store.renew_leases(LONG_MS, [], [])
    with pytest.raises(LeaseHeld):
        await second.take_over("third", [0], 0)
    await store.take_over("fourth", [0, 1], 0)
    table = await store.renew_leases(LONG_MS, [], [])
    assert list(table.holders) == ["fourth", "fourth"]
    assert NONCE not in table.writers


async def test_whoever_was_not_named_takes_nothing(backend, store):
    """Nobody could be told who he is"""
    async with backend.open() as stranger:
        with pytest.raises(StoreError, match="take its shards over"):
            await stranger.renew_leases(LONG_MS, [0], [])
        await stranger.retire()


async def test_two_that_take_in_opposite_order(backend, store):
    """No deadlock, and every shard ends with exactly one of them"""
    await store.retire()
    async with backend.open() as one, backend.open() as two:
        await one.take_over("one", (), 0)
        await two.take_over("two", (), 0)
        for _ in range(20):
            tables = await asyncio.gather(one.renew_leases(LONG_MS, [0, 1], []), two.renew_leases(LONG_MS, [1, 0], []))
            assert {"one", "two"} >= set(tables[1].holders)
            assert "" not in (await one.renew_leases(LONG_MS, [], [])).holders
            await asyncio.gather(one.renew_leases(LONG_MS, [], [0, 1]), two.renew_leases(LONG_MS, [], [1, 0]))
