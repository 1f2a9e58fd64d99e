"""Redis is wiped, rolled back, replaced, tampered with: what was acknowledged is in the ledger, once.

One file: disasters, and the one way back from them.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from seamless_wallet.commands import Code
from seamless_wallet.engine import keys
from seamless_wallet.engine.pipeline import Pipeline
from seamless_wallet.processes.ledger_connection import init_ledger, open_ledger
from seamless_wallet.recovery import ForeignRedis
from tests.integration.bettors import bettors, verify_all
from tests.integration.waiting import WAIT_S, gather, until
from tests.integration.world import World, world
from tests.ledger_copies import copy_ledger, set_back


async def lose_heads(w: World) -> None:
    """The heads alone are deleted."""
    await w.redis.delete(*(keys.head(shard) for shard in range(w.settings.shards)))


async def flush_all(w: World) -> None:
    """Everything is deleted, scripts stay."""
    await w.redis.flushall()


async def restart_empty(w: World) -> None:
    """SIGKILL, and an empty server."""
    w.restart_redis()


async def flush_scripts(w: World) -> None:
    """The scripts are gone, the data stay."""
    await w.redis.script_flush()


async def other_server_with_old_data(w: World) -> None:
    """A replica that lags behind takes over."""
    copied = await w.copy_keys()
    await asyncio.sleep(0.1)
    await w.fail_over(copied)


async def roll_back(w: World) -> None:
    """The same server goes on from an older state."""
    copied = await w.copy_keys()
    await asyncio.sleep(0.15)
    await w.put_back(copied)


async def roll_back_shard_heads(w: World) -> None:
    """Only the heads are old: the stream refuses what comes."""
    copied = {key: value for key, value in (await w.copy_keys()).items() if key.endswith(b":head")}
    await asyncio.sleep(0.15)
    for key, (ttl_ms, value) in copied.items():
        await w.redis.restore(key, ttl_ms, value, replace=True)


async def lose_streams(w: World) -> None:
    """The ledger streams are deleted, whatever they held."""
    for shard, epoch in enumerate(await w.epochs()):
        await w.redis.delete(keys.stream(shard, epoch))


async def lose_entries(w: World) -> None:
    """The streams are emptied while entries wait."""
    for shard, epoch in enumerate(await w.epochs()):
        await w.redis.xtrim(keys.stream(shard, epoch), maxlen=0, approximate=False)


async def future_epoch(w: World) -> None:
    """The heads name an epoch that SQL never had."""
    for shard in range(w.settings.shards):
        await w.redis.hset(keys.head(shard), "epoch", "900")


@pytest.mark.parametrize(
    "disaster",
    [
        lose_heads,
        flush_all,
        restart_empty,
        flush_scripts,
        other_server_with_old_data,
        roll_back,
        roll_back_shard_heads,
        lose_streams,
        lose_entries,
        future_epoch,
    ],
)
async def test_play_goes_on_through_a_disaster(disaster):
    """Twelve players in two workers, events in flight, each repeated until it is final; twice the same disaster."""
    async with world(workers=2, shards=4, deadline_ms=1000) as w:
        players = await bettors(w, 12)
        for _ in range(2):
            playing = [asyncio.create_task(player.play(12, workers=2)) for player in players]
            await asyncio.sleep(0.05)
            await disaster(w)
            await gather(*playing)
        await verify_all(w, players)
        if disaster not in {lose_streams, lose_entries, roll_back_shard_heads, roll_back}:  # these may go unnoticed
            assert min(await w.epochs()) > 1
        await until(lambda: no_old_keys(w), "old epochs unlinked")


async def no_old_keys(w: World) -> bool:
    """Whether clean-up is done."""
    return not await w.old_keys()


async def test_a_restored_backup_of_sql_is_continued_above_the_epoch_of_redis():
    """SQL is put back to epoch 1 while Redis is in epoch 2: a third epoch, and play goes on from the backup."""
    async with world(shards=2) as w:
        user = await w.player("p", 1000)
        await w.quiet()
        backup = w.directory / "backup"
        copy_ledger(w.settings, backup)
        await w.redis.flushall()
        assert (await w.settle(w.bet(user, "a", 100))).code is Code.R0
        await w.quiet()
        await put_back_ledger(w, backup)
        answer = await w.settle(w.bet(user, "b", 30))
        assert (answer.code, answer.balance) == (Code.R0, 970)
        assert (await w.check([user]))[user].balance == 970
        assert (await w.epochs())[w.shard(user)] == 3


async def test_a_restored_backup_of_the_same_epoch_is_filled_up_from_the_stream():
    """What the stream still holds is committed again, so nothing acknowledged is lost."""
    async with world(shards=1) as w:
        user = await w.player("p", 1000)
        await w.quiet()
        backup = w.directory / "backup"
        copy_ledger(w.settings, backup)
        bets = [w.bet(user, f"a{n}", 100) for n in range(3)]
        for bet in bets:
            assert (await w.apply(bet)).code is Code.R0
        await w.quiet()
        await put_back_ledger(w, backup)
        assert (await w.settle(bets[1])).reason == "duplicate"
        assert (await w.check([user]))[user].balance == 700
        assert await w.epochs() == [1]


async def put_back_ledger(w: World, backup: Path) -> None:
    """Everything is stopped, the ledger replaced, everything started."""
    await w.close_workers()
    await w.stop_writer()
    await w.ledger.close()
    set_back(w.settings, backup)
    init_ledger(w.settings)
    w.ledger = await w.stack.enter_async_context(open_ledger(w.settings))
    await w.start_writer()
    await w.worker()


async def test_the_redis_of_another_ledger_is_refused_and_left_alone():
    """One clear error; not a key of it changes, even if it has fewer shards than we."""
    async with world(shards=2) as theirs:
        user = await theirs.player("p", 1000)
        await theirs.quiet()
        await theirs.close_workers()
        await theirs.stop_writer()
        before = {name: value for name, (_, value) in (await theirs.copy_keys()).items()}
        async with world(writer=False, shards=4) as ours:
            with pytest.raises(ExceptionGroup) as caught:
                await ours.start_writer(theirs.settings.redis_address)
            assert caught.group_contains(ForeignRedis, match="another server, or empty this one")
            assert {name: value for name, (_, value) in (await theirs.copy_keys()).items()} == before
            assert {head.run_id for head in await ours.ledger.heads()} == {""}
        await theirs.start_writer()
        await theirs.worker()
        await theirs.check([user])


async def test_an_interrupted_recovery_is_finished_by_the_next_writer(monkeypatch):
    """The writer dies between SQL's new epoch and the gate, three times in a row."""
    async with world(workers=2, shards=3, deadline_ms=1000) as w:
        players = await bettors(w, 6)
        real, dying = Pipeline.execute, True

        def execute(self, *args):
            if dying and args[0] == "EVAL":
                raise ForeignRedis("as good as dead")
            return real(self, *args)

        monkeypatch.setattr(Pipeline, "execute", execute)
        playing = [asyncio.create_task(player.play(8, workers=2)) for player in players]
        await w.redis.flushall()
        with pytest.raises(ExceptionGroup):
            await w.writer_ends()
        for _ in range(2):
            await w.start_writer(ready=False)  # it is ready before it holds a shard, where the dead one has leases
            with pytest.raises(ExceptionGroup):
                await asyncio.wait_for(w.writer_ends(), WAIT_S)
        dying = False
        await w.start_writer()
        await gather(*playing)
        await verify_all(w, players)
        assert max(await w.epochs()) >= 4, "each of the dead had opened one in SQL"


async def test_one_wipe_costs_one_epoch():
    """Workers that see the empty server first do not make the writer recover twice."""
    async with world(workers=2, shards=4) as w:
        players = await bettors(w, 8)
        for wipe in (restart_empty, flush_scripts, flush_all, lose_heads):
            before = await w.epochs()
            playing = [asyncio.create_task(player.play(10, workers=2)) for player in players]
            await wipe(w)
            await gather(*playing)
            await w.quiet()
            assert await w.epochs() == [epoch + 1 for epoch in before], wipe
        await verify_all(w, players)


async def test_play_is_interrupted_for_less_than_a_second():
    """From a wipe to the next R0, with 16 shards."""
    async with world(deadline_ms=2000) as w:
        user = await w.player("p", 1000)
        loop = asyncio.get_running_loop()
        for n, wipe in enumerate((flush_all, restart_empty, lose_heads)):
            await wipe(w)
            before_s = loop.time()
            assert (await w.settle(w.bet(user, f"g{n}", 10))).code is Code.R0
            assert loop.time() - before_s < 1.5
        await w.check([user])


async def test_garbage_on_the_channel_of_recovery_requests_is_ignored():
    """And nothing but a fault that the writer can see itself, or a proven fork, costs an epoch."""
    async with world(shards=2) as w:
        user = await w.player("p", 1000)
        with capture_logs():
            for text in (
                "",
                "x",
                "9 9",
                "0 1 head",
                "0 1 server",
                "0 1 noscript",
                "99 1 fork",
                "0 7 fork",
                "a b c",
                "\xff",
            ):
                await w.redis.publish(keys.recover_channel(w.ledger.uuid), text)
            for n in range(5):
                assert (await w.apply(w.bet(user, f"g{n}", 10))).code is Code.R0
        await w.check([user])
        assert await w.epochs() == [1, 1]


async def test_scratch_keys_of_the_self_test_are_gone():
    """Nothing of it stays in Redis."""
    async with world(shards=2) as w:
        assert [name async for name in w.redis.scan_iter(match="{-*")] == []
