from __future__ import annotations

import time
from collections.abc import Collection
from typing import Any

import fakeredis
import msgspec
import pytest

from seamless_wallet.engine import keys
from seamless_wallet.ledger.fold import Wallet
from seamless_wallet.ledger.records import ShardHead
from seamless_wallet.wallet import redis_comparison
from seamless_wallet.wallet.redis_comparison import Comparison

UUID = "uuid-1"


class Ledger:
    """The two reads that a comparison makes. `heads` follow one another; the last one stays."""

    def __init__(self) -> None:
        self.players: dict[str, Wallet] = {}
        self.seqs = [5]
        self.epoch = 3

    async def heads(self) -> list[ShardHead]:
        seq = self.seqs.pop(0) if len(self.seqs) > 1 else self.seqs[0]
        return [ShardHead(self.epoch, seq, "", "")]

    async def wallets(self, user_ids: Collection[str]) -> dict[str, Wallet]:
        return {user_id: self.players[user_id] for user_id in user_ids if user_id in self.players}


@pytest.fixture
async def redis():
    """An empty Redis."""
    client = fakeredis.FakeAsyncRedis(decode_responses=True)
    await client.hset(keys.head(0), mapping={"epoch": 3, "seq": 4, "committed": 4, "ledger": UUID})
    yield client
    await client.aclose()


@pytest.fixture
def ledger():
    """One shard in epoch 3, with 5 entries, and ann."""
    ledger = Ledger()
    ledger.players["ann:1"] = Wallet("ann:1", "KRW", "active", 2, 4, 1000, 0)
    return ledger


async def load(redis, epoch: int = 3, **changes: Any) -> None:
    """Put ann into Redis, as she is or changed."""
    fields = {"version": 2, "seq": 4, "balance": 1000, "debt": 0, "currency": "KRW", "status": "active"}
    await redis.hset(keys.wallet(0, epoch, "ann:1"), mapping={**fields, **changes, "s:demo": "1 2 0"})


async def compared(ledger, redis) -> tuple[Comparison, list[str]]:
    """The comparison and what it found."""
    comparison = Comparison(ledger, UUID, redis, wait_s=0.3)
    return comparison, [found.text async for found in comparison.differences()]


class TestAComparison:
    async def test_equal_wallets_are_compared_and_agree(self, ledger, redis):
        """The user_id may hold any character of a key."""
        await load(redis)
        comparison, found = await compared(ledger, redis)
        assert found == []
        assert comparison.compared == 1

    @pytest.mark.parametrize(
        ("changes", "text"),
        [
            ({"balance": 1001}, "balance: Redis 1001, ledger 1000"),
            ({"debt": 1, "status": "blocked"}, "debt: Redis 1, ledger 0; status: Redis blocked, ledger active"),
            ({"version": 3, "seq": 5}, "version: Redis 3, ledger 2; seq: Redis 5, ledger 4"),
        ],
    )
    async def test_a_difference_is_found(self, ledger, redis, changes, text):
        await load(redis, **changes)
        assert (await compared(ledger, redis))[1] == [text]

    async def test_a_wallet_that_the_ledger_never_had_is_found(self, ledger, redis):
        del ledger.players["ann:1"]
        await load(redis)
        assert (await compared(ledger, redis))[1] == ["is in Redis, and the ledger has no such player"]

    async def test_entries_that_are_still_to_be_committed_are_waited_for(self, ledger, redis):
        ledger.seqs = [3, 3, 3, 4]
        await load(redis)
        comparison, found = await compared(ledger, redis)
        assert (found, comparison.compared) == ([], 1)

    async def test_an_entry_that_was_committed_and_is_gone_is_found(self, ledger, redis):
        ledger.seqs = [3]
        await load(redis)
        assert (await compared(ledger, redis))[1] == ["Redis shows entry 4, which the ledger did not get within 0.3 s"]

    async def test_a_wallet_that_changes_meanwhile_is_looked_at_again(self, ledger, redis):
        """SQL may be ahead of the first look at Redis: that is no difference."""
        await load(redis, version=1, seq=3, balance=900)
        looks = 0

        async def wallets(user_ids: Collection[str]) -> dict[str, Wallet]:
            nonlocal looks
            looks += 1
            if looks == 1:
                await load(redis)
            return ledger.players

        ledger.wallets = wallets
        comparison, found = await compared(ledger, redis)
        assert (found, comparison.compared, looks) == ([], 1, 2)

    async def test_a_wallet_that_never_stands_still_is_counted_and_no_difference(self, ledger, redis):
        looks = 0

        async def wallets(user_ids: Collection[str]) -> dict[str, Wallet]:
            nonlocal looks
            looks += 1
            await load(redis, version=looks + 100)
            return {"ann:1": msgspec.structs.replace(ledger.players["ann:1"], balance=1)}

        await load(redis)
        ledger.wallets = wallets
        comparison, found = await compared(ledger, redis)
        assert (found, comparison.busy) == ([], 1)

    async def test_a_wallet_whose_epoch_ends_during_the_look_is_left_out(self, ledger, redis):
        """Nobody changes its key any more, and SQL goes on"""
        await load(redis)

        async def wallets(user_ids: Collection[str]) -> dict[str, Wallet]:
            ledger.epoch = 4
            return {"ann:1": msgspec.structs.replace(ledger.players["ann:1"], balance=900, version=3, seq=6)}

        ledger.wallets = wallets
        comparison, found = await compared(ledger, redis)
        assert (found, comparison.compared) == ([], 0)

    async def test_more_wallets_than_are_looked_at_together(self, ledger, redis, monkeypatch):
        """Each is compared once, and the one that differs is found"""
        monkeypatch.setattr(redis_comparison, "BATCH", 7)
        for nth in range(50):
            fields = {"version": 2, "seq": 4, "balance": nth, "debt": 0, "currency": "KRW", "status": "active"}
            await redis.hset(keys.wallet(0, 3, f"bob-{nth}"), mapping=fields)
            ledger.players[f"bob-{nth}"] = Wallet(f"bob-{nth}", "KRW", "active", 2, 4, nth if nth != 33 else 0, 0)
        comparison, found = await compared(ledger, redis)
        assert (found, comparison.compared) == (["balance: Redis 33, ledger 0"], 50)

    async def test_older_epochs_and_scratch_keys_do_not_count(self, ledger, redis):
        await load(redis, epoch=2, balance=7)
        await redis.hset("{selftest}:w:3:ann:1", mapping={"version": 1})
        comparison, found = await compared(ledger, redis)
        assert (found, comparison.compared) == ([], 0)

    async def test_a_shard_that_redis_has_lost_is_no_difference(self, ledger, redis):
        await redis.delete(keys.head(0))
        await load(redis, balance=7)
        comparison, found = await compared(ledger, redis)
        assert (found, comparison.idle_shards) == ([], 1)

    async def test_a_redis_ahead_of_the_ledger_is_found(self, ledger, redis):
        """As after an old copy of the ledger was put back."""
        await redis.hset(keys.head(0), mapping={"epoch": 4})
        assert (await compared(ledger, redis))[1] == ["Redis is in epoch 4, and the ledger only in 3"]

    async def test_another_ledger_s_redis_is_found(self, ledger, redis):
        await redis.hset(keys.head(0), mapping={"ledger": "uuid-2"})
        assert (await compared(ledger, redis))[1] == ["this Redis belongs to another ledger, uuid-2"]

    async def test_a_shard_that_stands_still_is_waited_for_once(self, ledger, redis):
        """As with an old copy of the ledger: every wallet has moved on, and each is told."""
        ledger.seqs = [3]
        for nth in range(50):
            fields = {"version": 2, "seq": 4, "balance": 0, "debt": 0, "currency": "KRW", "status": "active"}
            await redis.hset(keys.wallet(0, 3, f"bob-{nth}"), mapping=fields)
        began_s = time.monotonic()
        assert len((await compared(ledger, redis))[1]) == 50
        assert time.monotonic() - began_s < 5
