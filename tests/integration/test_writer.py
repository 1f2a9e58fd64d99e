"""The writer dies at any point, its store fails in any way: each entry is committed exactly once."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from typing import Any

import pytest

from seamless_wallet.commands import Code, Item, Kind
from seamless_wallet.engine import keys
from seamless_wallet.ledger.conflicts import EpochMoved
from seamless_wallet.ledger.ports import LeaseHeld, StoreError
from seamless_wallet.observability import metrics
from seamless_wallet.processes.lag import LagMonitor
from seamless_wallet.processes.measuring import measuring
from seamless_wallet.stores.sqlite import SqliteLedger
from tests.chosen_ledger import in_a_file
from tests.integration.bettors import bettors, verify_all
from tests.integration.waiting import gather, until
from tests.integration.world import world

KILLS = 12


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.long) for seed in (2, 3))])
async def test_killed_anywhere_and_started_again_it_loses_and_doubles_nothing(seed):
    """Cancelled after a random number of turns of the loop, twelve times, under play."""
    print("seed", seed)
    rng = random.Random(seed)
    async with world(workers=2, shards=3, deadline_ms=1000) as w:
        players = await bettors(w, 8)
        playing = [asyncio.create_task(player.play(25, workers=2)) for player in players]
        for _ in range(KILLS):
            for _ in range(rng.randrange(150)):
                await asyncio.sleep(0)
            await w.stop_writer()
            await w.start_writer(ready=rng.random() < 0.5)
        await gather(*playing)
        await verify_all(w, players)
        assert await w.epochs() == [1, 1, 1]


@pytest.mark.parametrize("outcome", ["before", "after"])
async def test_a_commit_of_unknown_outcome_is_sent_again(outcome):
    """Every third commit fails, before or after it was really made; redelivery is recognised."""
    async with world(workers=2, shards=3, deadline_ms=1500) as w:
        players = await bettors(w, 6)
        commits = failed = 0

        def fail(name: str) -> None:
            nonlocal commits, failed
            if name == "commit":
                commits += 1
                if commits % 3 == 0 and failed < 6:
                    failed += 1
                    raise StoreError("the disk is full")

        setattr(w.store, outcome, fail)
        await gather(*(player.play(12, workers=2) for player in players))
        assert failed == 6
        await verify_all(w, players)
        assert await w.epochs() == [1, 1, 1]


async def test_a_store_that_fails_for_a_while_costs_time_and_no_money():
    """Nothing works, reads neither: R1 meanwhile; then everything that was executed is committed."""
    async with world(shards=2, deadline_ms=400) as w:
        user = await w.player("p", 1000)

        def fail(name: str) -> None:
            raise StoreError(f"{name}: the disk is full")

        w.store.before = fail
        bets = [w.bet(user, f"g{n}", 10) for n in range(5)]
        answers = await gather(*(w.apply(bet) for bet in bets))
        assert {answer.code for answer in answers} == {Code.R1}
        assert w.writing
        assert not w.writing.done()
        w.store.before = lambda _: None
        answers = await gather(*(w.settle(bet) for bet in bets))
        assert {(answer.code, answer.reason) for answer in answers} == {(Code.R0, "duplicate")}
        assert (await w.check([user]))[user].balance == 950


@in_a_file
async def test_only_one_writer_holds_the_lease():
    """The second is refused while the first lives, and takes over when it is gone."""
    async with world(shards=1) as w:
        user = await w.player("p", 1000)
        async with SqliteLedger.open(w.settings.ledger_path) as second:
            with pytest.raises(LeaseHeld):
                second.acquire_lease()
            with pytest.raises(StoreError, match="lease"):
                await second.commit([])
        await w.stop_writer()
        await w.start_writer()
        assert (await w.apply(w.bet(user, "g", 10))).code is Code.R0
        await w.check([user])


async def test_an_epoch_moved_behind_its_back_is_learnt():
    """Another writer has opened an epoch: this one reads SQL again and opens the next."""
    async with world(shards=1, deadline_ms=4000) as w:
        user = await w.player("p", 1000)
        moved = False

        async def move() -> None:
            head = (await w.ledger.heads())[0]
            await w.store.open_epoch(0, head.epoch, head.epoch + 1, head.run_id, head.replid, "")

        def before(name: str):
            nonlocal moved
            if name == "commit" and not moved:
                moved = True
                return move()
            return None

        w.store.before = before
        assert (await w.apply(w.bet(user, "g", 10))).code is Code.R0
        assert moved
        assert (await w.check([user]))[user].balance == 990
        assert await w.epochs() == [3]


async def test_epoch_moved_errors_do_not_end_it():
    """Whatever the store says of epochs, the writer looks at SQL and goes on."""
    async with world(shards=1, deadline_ms=4000) as w:
        user = await w.player("p", 1000)
        left = 3

        def before(name: str) -> None:
            nonlocal left
            if name == "commit" and left:
                left -= 1
                raise EpochMoved("so they say")

        w.store.before = before
        assert (await w.apply(w.bet(user, "g", 10))).code is Code.R0
        await w.check([user])


GARBAGE: dict[str, dict[str, Any]] = {
    "no fields of ours": {"x": "y"},
    "no payload": {"e": "", "d": "1 0 0 0 0 ", "t": "a.1"},
    "not JSON": {"e": "{", "d": "1 0 0 0 0 ", "t": "a.1"},
    "not a decision": {"e": '{"kind":"login"}', "d": "a b c", "t": "a.1"},
    "not UTF-8": {"e": b"\xff", "d": b"\xff", "t": b"\xff"},
    "NUL": {"u": "a\0b", "p": "x\0y", "e": "{", "d": "1 0 0 0 0 ", "t": "a\0.1"},
    "another shard's player": {
        "e": '{"kind":"login","provider":"x","user_id":"nobody","transaction_id":"1","timestamp_ms":1,"received_ms":1}',
        "d": "1 0 0 0 0 ",
        "t": "a.1",
    },
}


@pytest.mark.parametrize("garbage", GARBAGE)
async def test_an_entry_that_cannot_be_stored_costs_no_epoch(garbage):
    """It stands at the next seq, of nobody: it is kept as void, and no player notices."""
    async with world(shards=2, deadline_ms=4000) as w:
        players = await bettors(w, 6)
        user = players[0].user
        shard = w.shard(user)
        await w.quiet()
        head = (await w.ledger.heads())[shard]
        fields: dict[Any, Any] = {"t": "a.1", **GARBAGE[garbage], "b": (await w.head(shard))["last"]}
        await w.redis.xadd(keys.stream(shard, head.epoch), fields, f"{head.epoch}-{head.seq + 1}")
        await w.redis.hset(keys.head(shard), mapping={"seq": head.seq + 1, "last": fields["t"]})
        await gather(*(player.play(4) for player in players))
        await verify_all(w, players)
        assert await w.epochs() == [1, 1]
        assert await w.ledger.voids(shard, 1) == {head.seq + 1}


async def test_an_entry_with_the_id_of_another_epoch_costs_an_epoch_and_no_more():
    """No script of ours can write it; it must not stop the writer for ever."""
    async with world(shards=1, deadline_ms=4000) as w:
        players = await bettors(w, 2)
        await w.quiet()
        await w.redis.xadd(keys.stream(0, 1), {"e": "{}", "d": "", "t": ""}, "77-1")
        await gather(*(player.play(4) for player in players))
        await verify_all(w, players)


async def test_it_survives_that_redis_is_away():
    """Stopped for a while under play, then empty."""
    async with world(workers=2, shards=2, deadline_ms=800) as w:
        players = await bettors(w, 4)
        playing = [asyncio.create_task(player.play(10, workers=2)) for player in players]
        await asyncio.sleep(0.05)
        assert w.server
        w.server.kill()
        await asyncio.sleep(0.3)
        w.start_redis()
        await gather(*playing)
        await verify_all(w, players)


@pytest.mark.parametrize("limit", [3, 20])
async def test_back_pressure_refuses_bets_first_and_lets_results_pass(limit):
    """Without a writer: bets R1 at the limit, results and cancels up to twice that; all is drained afterwards."""
    async with world(shards=1, pending_max=limit, deadline_ms=300) as w:
        user = await w.player("p", 1_000_000)
        await w.quiet()
        await w.stop_writer()
        bets = [w.bet(user, f"g{n}", 10) for n in range(limit + 5)]
        backlog = [answer for answer in await gather(*map(w.apply, bets)) if answer.reason == "backlog"]
        assert len(backlog) == 5
        assert {answer.code for answer in backlog} == {Code.R1}
        results = [w.bets(Kind.RESULT, user, f"g{n}", Item("1", "P", 10, 0)) for n in range(limit)]
        logins = [w.command(Kind.LOGIN, user) for _ in range(5)]
        backlog = [answer for answer in await gather(*map(w.apply, (*results, *logins))) if answer.reason == "backlog"]
        assert len(backlog) == 5
        assert await w.pending() == 2 * limit
        await w.start_writer()
        answers = [await w.settle(bet) for bet in bets]
        assert {answer.code for answer in answers} == {Code.R0}
        answers = [await w.settle(result) for result in results]
        assert {answer.code for answer in answers} == {Code.R0}
        assert (await w.check([user]))[user].balance == 1_000_000 - 10 * 5


async def test_the_stream_is_trimmed_to_its_tail():
    """Committed entries beyond the tail go, the newest stay."""
    async with world(shards=1, stream_tail=5) as w:
        players = await bettors(w, 2)
        await gather(*(player.play(20) for player in players))
        await w.quiet()

        async def trimmed() -> bool:
            return await w.redis.xlen(keys.stream(0, 1)) <= 6

        await until(trimmed)
        await verify_all(w, players)


async def test_the_lag_is_measured_also_while_a_commit_hangs():
    """Entries of the shard that is furthest behind, and for how long; 0 when SQL has all."""
    entries, seconds = metrics.WRITER_LAG_ENTRIES.labels(), metrics.WRITER_LAG_SECONDS.labels()
    async with AsyncExitStack() as stack:
        w = await stack.enter_async_context(world(shards=2, deadline_ms=200))
        monitor = LagMonitor(w.workers[0].pipeline, w.ledger, w.clock)
        await stack.enter_async_context(measuring(monitor.measure, 0.1))
        user = await w.player("p", 1000)
        released = asyncio.Event()

        async def hang() -> None:
            await released.wait()

        w.store.before = lambda name: hang() if name == "commit" else None
        bets = [w.bet(user, f"g{n}", 10) for n in range(3)]
        answers = await gather(*(w.apply(bet) for bet in bets))
        assert {answer.code for answer in answers} == {Code.R1}
        await until(lambda: entries.value == 3 and seconds.value > 1, "the lag")
        released.set()
        await until(lambda: entries.value == seconds.value == 0, "no lag")
        await w.check([user])


async def test_a_recovery_is_counted_once_and_its_epochs_by_shard():
    """A start gives each shard an epoch, and is one occasion."""
    epochs, recoveries = (metric.labels("server") for metric in (metrics.EPOCHS_OPENED, metrics.REDIS_RECOVERIES))
    before = epochs.value, recoveries.value
    async with world(shards=5):
        pass
    assert (epochs.value - before[0], recoveries.value - before[1]) == (5, 1)
