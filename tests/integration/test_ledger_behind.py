"""SQL is behind Redis: it was set back under a writer. What was acknowledged is read from the streams again.

Only if they lack some of it does the shard get a new epoch, with an alarm, and what Redis has of the old one is kept.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from seamless_wallet.commands import Code
from seamless_wallet.engine import keys
from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.observability import metrics
from tests.integration.bettors import bettors, verify_all
from tests.integration.waiting import gather, until
from tests.integration.world import World, world
from tests.ledger_copies import copy_ledger, set_back


async def bets_after_a_copy(w: World, user: str, number: int) -> Path:
    """So many bets of 10 that the copy does not have, all acknowledged."""
    await w.quiet()
    copy = copy_ledger(w.settings, w.directory / "copy")
    for n in range(number):
        assert (await w.apply(w.bet(user, f"a{n}", 10, tid=f"a{n}"))).code is Code.R0
    await w.quiet()
    return copy


@pytest.mark.parametrize("seen_by", ["the next commit", "a fault of the store", "a reconnect to Redis"])
async def test_a_ledger_that_was_set_back_is_filled_up_from_the_streams(seen_by):
    """No new epoch, whoever sees it first, and all that was acknowledged is there."""
    async with world(shards=1) as w:
        user = await w.player("p", 1000)
        copy = await bets_after_a_copy(w, user, 5)
        set_back(w.settings, copy)
        match seen_by:
            case "a fault of the store":
                failed: list[str] = []

                def fail(name: str) -> None:
                    if name == "commit" and not failed:
                        failed.append(name)
                        raise StoreError("the connection broke")

                w.store.before = fail
            case "a reconnect to Redis":
                w.writer.pipelines.drop()
        with capture_logs() as logs:
            assert (await w.settle(w.bet(user, "b", 10))).code is Code.R0
        set_backs = [line for line in logs if line["event"] == "ledger_set_back"]
        assert len(set_backs) == (seen_by == "the next commit")
        for n in range(5):
            assert (await w.settle(w.bet(user, f"a{n}", 10, tid=f"a{n}"))).reason == "duplicate"
        assert (await w.check([user]))[user].balance == 940
        assert await w.epochs() == [1]


async def test_play_goes_on_through_a_ledger_that_is_set_back():
    """Under way, in all shards: nobody loses anything, and no epoch is opened."""
    async with world(workers=2, shards=3, deadline_ms=1500) as w:
        players = await bettors(w, 8)
        await gather(*(player.play(4, workers=2) for player in players))
        await w.quiet()
        copy = copy_ledger(w.settings, w.directory / "copy")
        await gather(*(player.play(4, workers=2) for player in players))
        await w.quiet()
        set_back(w.settings, copy)
        await gather(*(player.play(6, workers=2) for player in players))
        await verify_all(w, players)
        assert await w.epochs() == [1, 1, 1]


async def lose_stream(w: World) -> None:
    """Nothing is left of it."""
    await w.redis.xtrim(keys.stream(0, 1), maxlen=0, approximate=False)


async def lose_beginning_of_stream(w: World) -> None:
    """Some of what SQL lacks is left."""
    await w.redis.xtrim(keys.stream(0, 1), maxlen=2, approximate=False)


@pytest.mark.parametrize("lose", [lose_stream, lose_beginning_of_stream])
async def test_what_neither_sql_nor_a_stream_has_is_an_alarm_and_its_epoch_is_kept(lose):
    """Through later epochs, too, until the operator lets it go."""
    async with world(shards=1) as w:
        user = await w.player("p", 1000)
        copy = await bets_after_a_copy(w, user, 5)
        set_back(w.settings, copy)
        await lose(w)
        missing = metrics.LEDGER_ENTRIES_MISSING.labels().value
        with capture_logs() as logs:
            w.writer.pipelines.drop()
            assert (await w.settle(w.bet(user, "b", 10))).code is Code.R0
        (alarm,) = [line for line in logs if line["event"] == "acknowledged_entries_missing"]
        assert (alarm["log_level"], alarm["committed"] - alarm["seq"], alarm["kept_epoch"]) == ("error", 5, 1)
        assert metrics.LEDGER_ENTRIES_MISSING.labels().value - missing == 5
        assert await w.epochs() == [2]
        await w.redis.hset(keys.wallet(0, 2, "left behind"), "balance", "1")
        await w.redis.script_flush()
        await until(lambda: opened(w, 3), "another epoch")
        await until(lambda: gone(w, keys.wallet(0, 2, "left behind")), "epoch 2 unlinked")
        assert await w.redis.exists(keys.stream(0, 1), keys.wallet(0, 1, user)) == 2
        await w.redis.hdel(keys.head(0), "kept")
        await w.redis.script_flush()
        await until(lambda: gone(w, keys.stream(0, 1)), "epoch 1 unlinked")
        assert (await w.check([user]))[user].balance == 990


async def opened(w: World, epoch: int) -> bool:
    """Whether the first shard has got so far."""
    return (await w.epochs())[0] == epoch


async def gone(w: World, name: str) -> bool:
    """Whether Redis has no such key."""
    return not await w.redis.exists(name)


async def test_a_ledger_of_an_epoch_before_keeps_what_redis_has():
    """Its entries are of an epoch that this ledger never had: they cannot be committed, and are not lost."""
    async with world(shards=1) as w:
        user = await w.player("p", 1000)
        await w.quiet()
        copy = copy_ledger(w.settings, w.directory / "copy")
        await w.redis.flushall()
        assert (await w.settle(w.bet(user, "a", 100))).code is Code.R0
        await w.quiet()
        assert await w.epochs() == [2]
        await w.close_workers()
        await w.stop_writer()
        set_back(w.settings, copy)
        await w.redis.delete(keys.heartbeat(w.ledger.uuid))
        await w.start_writer()
        await w.worker()
        assert (await w.settle(w.bet(user, "b", 30))).balance == 970
        assert await w.epochs() == [3]
        assert (await w.head(0))["kept"] == "2"
        assert await w.redis.exists(keys.stream(0, 2)) == 1


async def test_a_head_that_sql_has_caught_up_with_is_kept_by_nobody():
    """An epoch that ended for another reason goes as ever."""
    async with world(shards=1) as w:
        user = await w.player("p", 1000)
        await w.redis.script_flush()
        await until(lambda: opened(w, 2), "another epoch")
        await until(lambda: gone(w, keys.stream(0, 1)), "epoch 1 unlinked")
        assert "kept" not in await w.head(0)
        await w.check([user])


async def test_heads_are_read_again_after_a_fault_of_the_store():
    """Before the next commit: another one may have had another outcome."""
    async with world(shards=1) as w:
        user = await w.player("p", 1000)
        await w.quiet()
        calls: list[str] = []
        failed: list[str] = []

        def note(name: str) -> None:
            calls.append(name)
            if name == "commit" and not failed:
                failed.append(name)
                raise StoreError("the connection broke")

        w.store.before = note
        assert (await w.settle(w.bet(user, "g", 10))).code is Code.R0
        first = calls.index("commit")
        assert "heads" in calls[first : calls.index("commit", first + 1)]
        await w.check([user])
