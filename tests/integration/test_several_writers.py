"""Several writers share the shards on real servers: each entry is committed once, whoever dies, hangs or leaves."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from seamless_wallet.commands import Code
from seamless_wallet.engine import keys
from seamless_wallet.observability import metrics
from tests.integration.bettors import bettors, verify_all
from tests.integration.several_writers import POSTGRES, SQLITE, RunningWriter, SharedWorld, shared_world
from tests.integration.waiting import gather, until

BACKENDS = (SQLITE, POSTGRES)
pytestmark = pytest.mark.parametrize("backend", BACKENDS)


async def bet_until(w: SharedWorld, done: asyncio.Event, user: str) -> list[Code]:
    """One bet after the other, each sent once."""
    codes: list[Code] = []
    while not done.is_set():
        codes.append((await w.apply(w.bet(user, f"{user}-{len(codes)}", 1), len(codes) % len(w.workers))).code)
    return codes


async def taken(lost: set[int], *others: RunningWriter) -> None:
    """Until these writers work on these shards."""

    def are_taken() -> bool:
        return lost <= {shard for other in others for shard in other.writer._shard_states.taken}

    await until(are_taken, "taken over")


async def test_a_rolling_restart_and_a_new_writer_cost_no_r1_and_no_epoch(backend):
    """Under play all writers are replaced, one by one, and one more comes."""
    async with shared_world(backend, shards=6) as w:
        users = [await w.player(f"p{number}", 100_000) for number in range(6)]
        done = asyncio.Event()
        betting = [asyncio.create_task(bet_until(w, done, user)) for user in users]
        for writer in list(w.writers):
            await writer.stop()
            await w.add_writer()
            await w.shared()
        await w.add_writer()
        await w.shared()
        done.set()
        for codes in await gather(*betting):
            assert set(codes) == {Code.R0}
        await w.check(users)
        assert await w.epochs() == [1] * 6


async def test_a_writer_that_released_a_shard_tells_of_it_and_leaves_no_heartbeat(backend):
    """So whoever takes it does not wait, and a late confirmation of it is refused."""
    async with shared_world(backend, writers=2, shards=2) as w:
        leaving, staying = w.writers
        (shard,) = leaving.held
        nonce = leaving.writer._shard_states.nonce
        await until(lambda: w.redis.get(keys.heartbeat(shard)), "its heartbeat")
        await leaving.stop()
        left: Any = await w.redis.get(keys.heartbeat(shard))
        assert left is None or keys.beating(left) != nonce
        await taken({shard}, staying)
        assert (await w.head(shard))["nonce"] == staying.writer._shard_states.nonce != nonce
        assert await w.ledger.has_named(nonce)


@pytest.mark.parametrize(("method", "when"), [("commit", "before"), ("commit", "after"), ("renew_leases", "before")])
async def test_one_that_hangs_loses_its_shards_and_commits_and_confirms_nothing_of_them_later(backend, method, when):
    """Its late commit is refused by SQL, its late confirmation by Redis; then it takes its share again."""
    async with shared_world(backend, shards=6, deadline_ms=8_000) as w:
        players = await bettors(w, 6)
        playing = asyncio.gather(*(player.play(40, workers=2) for player in players))
        lost_before = metrics.WRITER_SHARDS_LOST.labels().value
        first = next(writer for writer in w.writers if w.shard(players[0].user) in writer.held)
        others = [writer for writer in w.writers if writer is not first]
        lost = first.held
        resumed = await first.freeze(method, when)
        await taken(lost, *others)
        resumed.set()
        await w.shared()
        await playing
        await verify_all(w, players)
        assert await w.epochs() == [1] * 6
        assert metrics.WRITER_SHARDS_LOST.labels().value == lost_before + len(lost)
        assert not first.task.done()


async def test_one_without_redis_loses_its_shards_and_gets_a_share_when_it_is_back(backend):
    """Its connections are open, and no reply comes."""
    async with shared_world(backend, shards=6, deadline_ms=2_000) as w:
        players = await bettors(w, 4)
        playing = asyncio.gather(*(player.play(40, workers=2) for player in players))
        first, *others = w.writers
        lost = first.held
        first.proxy.forward_replies = False
        await taken(lost, *others)
        first.proxy.heal()
        await w.shared()
        await playing
        await verify_all(w, players)
        assert await w.epochs() == [1] * 6


async def test_a_restarted_redis_costs_each_shard_one_epoch(backend):
    """Each writer opens those of its shards, and workers are let in when all have."""
    async with shared_world(backend, shards=6) as w:
        players = await bettors(w, 4)
        playing = asyncio.gather(*(player.play(20, workers=2) for player in players))
        w.restart_redis()
        await playing
        await verify_all(w, players)
        assert await w.epochs() == [2] * 6


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.long)])
async def test_killed_anywhere_and_replaced_they_lose_and_double_nothing(backend, seed):
    """Some writer is cancelled after a random number of turns of the loop, again and again, under play."""
    print("seed", seed)
    rng = random.Random(seed)
    async with shared_world(backend, shards=6, deadline_ms=8_000) as w:
        players = await bettors(w, 6)
        playing = [asyncio.create_task(player.play(25, workers=2)) for player in players]
        for _ in range(5):
            for _ in range(rng.randrange(300)):
                await asyncio.sleep(0)
            await rng.choice([writer for writer in w.writers if not writer.task.done()]).kill()
            await w.add_writer()
        await gather(*playing)
        await verify_all(w, players)
        assert await w.epochs() == [1] * 6
