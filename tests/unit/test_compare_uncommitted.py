"""`wallet verify` while nobody commits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from typing import Any

import fakeredis
import pytest

from seamless_wallet.engine import keys
from seamless_wallet.ledger.fold import Wallet
from seamless_wallet.ledger.records import ShardHead
from seamless_wallet.wallet.redis_comparison import Comparison

UUID = "uuid-1"
WAIT_S = 0.4


class Ledger:
    """Eight shards in epoch 3, each with 5 entries; everybody has 1000 by entry 4."""

    def __init__(self) -> None:
        self.seqs = [5] * 8
        self.epoch = 3

    async def heads(self) -> list[ShardHead]:
        return [ShardHead(self.epoch, seq, "", "") for seq in self.seqs]

    async def wallets(self, user_ids: Collection[str]) -> dict[str, Wallet]:
        return {user_id: Wallet(user_id, "KRW", "active", 2, 4, 1000, 0) for user_id in user_ids}


@pytest.fixture
def ledger():
    """A new one."""
    return Ledger()


@pytest.fixture
async def redis():
    """What Redis has when three entries of each shard are not committed: of bob's, and not of ann's."""
    client = fakeredis.FakeAsyncRedis(decode_responses=True)
    for shard in range(8):
        await client.hset(keys.head(shard), mapping={"epoch": 3, "ledger": UUID, "seq": 8, "committed": 5})
        fields: dict[Any, Any] = {
            "version": 2,
            "seq": 4,
            "balance": 1000,
            "debt": 0,
            "currency": "KRW",
            "status": "active",
        }
        await client.hset(keys.wallet(shard, 3, f"ann-{shard}"), mapping=fields)
        changed = {**fields, "version": 3, "seq": 8, "balance": 900}
        await client.hset(keys.wallet(shard, 3, f"bob-{shard}"), mapping=changed)
    yield client
    await client.aclose()


async def compared(ledger, redis) -> tuple[Comparison, list[str]]:
    """The comparison and whose wallets differ."""
    comparison = Comparison(ledger, UUID, redis, wait_s=WAIT_S)
    return comparison, sorted([found.user_id async for found in comparison.differences()])


async def test_entries_that_nobody_commits_are_counted_and_no_difference(ledger, redis):
    """Wallets without such entries are compared all the same; the wait is not one for every shard."""
    began_s = time.monotonic()
    comparison, found = await compared(ledger, redis)
    assert (found, comparison.compared, comparison.uncommitted) == ([], 8, 8 * 3)
    assert time.monotonic() - began_s < WAIT_S + 8 * 0.4


async def test_a_wallet_that_differs_is_found_beside_them(ledger, redis):
    """What is committed has to be right."""
    await redis.hset(keys.wallet(1, 3, "ann-1"), mapping={"balance": 1001})
    comparison, found = await compared(ledger, redis)
    assert (found, comparison.compared) == (["ann-1"], 8)


async def test_a_ledger_that_lacks_what_was_committed_once_is_found(ledger, redis):
    """As an old copy: entries up to the watermark may have been acknowledged."""
    await redis.hset(keys.head(2), mapping={"committed": 6})
    comparison, found = await compared(ledger, redis)
    assert (found, comparison.uncommitted) == (["bob-2"], 7 * 3)


async def test_entries_that_are_committed_in_time_are_compared(ledger, redis):
    """And then they have to be right."""

    async def commit() -> None:
        await asyncio.sleep(0.1)
        ledger.seqs = [8] * 8

    committing = asyncio.create_task(commit())
    comparison, found = await compared(ledger, redis)
    await committing
    assert (len(found), comparison.uncommitted) == (8, 0)


async def test_an_epoch_that_ends_meanwhile_is_left_out(ledger, redis):
    """The entries that were only in Redis are gone with it."""
    for shard in range(8):
        await redis.hset(keys.head(shard), mapping={"committed": 9})
    waiting = asyncio.create_task(compared(ledger, redis))
    await asyncio.sleep(0.1)
    ledger.epoch = 4
    comparison, found = await waiting
    assert (found, comparison.uncommitted) == ([], 0)


async def test_a_wallet_that_changes_during_the_wait_for_another_shard_is_looked_at_again(ledger, redis):
    """However long that wait was: the wallet has its own time"""
    wallets = ledger.wallets

    async def change_once(user_ids: Collection[str]) -> dict[str, Wallet]:
        ledger.wallets = wallets
        await redis.hset(keys.wallet(1, 3, "ann-1"), mapping={"version": 3, "balance": 7})
        return await wallets(user_ids)

    ledger.wallets = change_once
    comparison, found = await compared(ledger, redis)
    assert (found, comparison.compared, comparison.busy) == (["ann-1"], 8, 0)
