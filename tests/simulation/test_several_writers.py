"""Several writers share the shards of a ledger and a Redis, in virtual time: they die, freeze, come, go, lose Redis."""

from __future__ import annotations

import asyncio

import pytest

from seamless_wallet.commands import Code, Item, Kind, shard_of
from seamless_wallet.engine.keys import HEARTBEAT_MS, beat, heartbeat
from tests.integration.waiting import until
from tests.simulation.test_seams import run
from tests.simulation.town import PHASES, SHARDS, Chaos, RunningWriter, Town, town

TAKEN_WITHIN_S = 3.0
"""How long after the last cycle of a writer its shards are others' at the latest."""


def test_writers_share_the_shards_and_move_them_without_an_epoch_or_an_r1(tmp_path):
    """Three hold them, two more come, and all goes on."""

    async def scenario() -> None:
        async with town("share", tmp_path) as t:
            playing = asyncio.create_task(t.play(15))
            for _ in range(2):
                await asyncio.sleep(1.0)
                t.add_writer()
            await t.shared()
            assert sorted(len(writer.held) for writer in t.writers) == [1, 1, 1, 1, 1]
            await playing
            assert {answer.code for answer in t.answers} == {Code.R0}
            await t.check()

    run(scenario())


def test_a_rolling_restart_costs_no_r1(tmp_path):
    """One after the other ends in order, and a new one comes."""

    async def scenario() -> None:
        async with town("rolling", tmp_path) as t:
            playing = asyncio.create_task(t.play(30))
            for writer in list(t.writers):
                await asyncio.sleep(0.5)
                await writer.stop()
                assert not writer.held
                t.add_writer()
                await t.shared()
            await playing
            assert {answer.code for answer in t.answers} == {Code.R0}
            await t.check()

    run(scenario())


async def taken_within_time(t: Town, lost: set[int], since_s: float, *others: RunningWriter) -> None:
    """The others have these shards soon enough, and everybody can play on."""

    def have_them() -> bool:
        return lost <= {shard for other in others if other.writer for shard in other.writer._shard_states.taken}

    await until(have_them, "taken")
    assert t.wallet.clock.monotonic_s() - since_s <= TAKEN_WITHIN_S


def test_when_one_dies_the_others_have_its_shards_in_time(tmp_path):
    """What it had not committed is committed, and nothing twice."""

    async def scenario() -> None:
        async with town("dies", tmp_path) as t:
            playing = asyncio.create_task(t.play(15))
            await asyncio.sleep(1.0)
            first, *others = t.writers
            lost, died_s = first.held, t.wallet.clock.monotonic_s()
            await first.kill()
            await taken_within_time(t, lost, died_s, *others)
            await playing
            await t.check()

    run(scenario())


@pytest.mark.parametrize(
    ("method", "when"), [pytest.param(*each, marks=pytest.mark.long if each[0] != "commit" else []) for each in PHASES]
)
def test_when_one_freezes_anywhere_the_others_have_its_shards_in_time(method, when, tmp_path):
    """And when it wakes up it stops with them at once: its late commit and its late confirmation are refused."""

    async def scenario() -> None:
        async with town(f"freezes {when} {method}", tmp_path) as t:
            playing = asyncio.create_task(t.play(30))
            await asyncio.sleep(1.0)
            first, *others = t.writers
            if method == "heads":
                first.writer._checks_due.heads = True  # type: ignore[union-attr]
            lost = first.held
            resumed = await first.freeze(method, when)
            await taken_within_time(t, lost, t.wallet.clock.monotonic_s(), *others)
            await asyncio.sleep(1.0)
            resumed.set()
            await t.shared()
            await playing
            await t.check()
            assert not first.task.done()

    run(scenario())


def test_one_that_hung_and_finds_its_shards_free_again_looks_at_their_heads(tmp_path):
    """Another writer has had them meanwhile, and has left. So they name it, and nothing was set back."""

    async def scenario() -> None:
        async with town("had", tmp_path, writers=1) as t:
            (first,) = t.writers
            resumed = await first.freeze("renew_leases", "before")
            second = t.add_writer()
            await until(lambda: second.writer and len(second.writer._shard_states.taken) == SHARDS, "taken")
            await t.play(1)
            await second.stop()
            resumed.set()
            await t.shared()
            await t.play(1)
            await t.check()

    run(scenario())


def test_when_one_loses_redis_the_others_have_its_shards_in_time(tmp_path):
    """Its way is cut, and SQL is there. When Redis is back it gets a share again."""

    async def scenario() -> None:
        async with town("cut", tmp_path) as t:
            playing = asyncio.create_task(t.play(30))
            await asyncio.sleep(1.0)
            first, *others = t.writers
            lost, cut_s = first.held, t.wallet.clock.monotonic_s()
            first.way.cut()
            await taken_within_time(t, lost, cut_s, *others)
            await asyncio.sleep(1.0)
            first.way.heal()
            await t.shared()
            await playing
            await t.check()
            assert not first.task.done()

    run(scenario())


def test_when_redis_is_replaced_each_writer_opens_epochs_for_its_own_shards(tmp_path):
    """Once each, and nothing that was acknowledged is lost."""

    async def scenario() -> None:
        async with town("replaced", tmp_path) as t:
            playing = asyncio.create_task(t.play(15))
            await asyncio.sleep(1.0)
            t.wallet.redis.replace()
            await playing
            await t.shared()
            await t.check(epochs=2)

    run(scenario())


def test_one_beat_of_a_writer_that_wakes_up_does_not_end_who_takes_its_shard(tmp_path):
    """It had sent it before it lost the shard. Whoever goes on beats again."""

    async def scenario() -> None:
        async with town("beat", tmp_path, writers=1) as t:
            (first,) = t.writers
            assert first.writer
            resumed = await first.freeze("renew_leases", "before")
            second = t.add_writer()
            client = t.wallet.redis._client
            await until(lambda: second.held, "leases")
            for shard in range(SHARDS):
                client.set(heartbeat(shard), beat(first.nonce, 10**6), px=HEARTBEAT_MS)
            await taken_within_time(t, second.held, t.wallet.clock.monotonic_s(), second)
            resumed.set()
            await t.shared()
            await t.play(3)
            await t.check()
            assert not second.task.done()

    run(scenario())


def test_only_the_shards_without_a_writer_are_r1(tmp_path):
    """One that will not come back held some, and leaves leases that do not end: others go on."""

    async def scenario() -> None:
        async with town("deserted", tmp_path) as t:
            dead, *_ = t.writers
            lost, nonce = dead.held, dead.nonce
            await dead.kill()

            async def hold_on() -> None:
                while True:
                    for shard in lost:
                        t.book.holders[shard] = nonce, t.wallet.clock.monotonic_s() + 1.0
                    await asyncio.sleep(0.5)

            holding = asyncio.create_task(hold_on())
            await until(lambda: all(lost == worker.wallet._writer.absent for worker in t.wallet.workers), "absence")
            for user in t.balances:
                item = Item("1", "P", 10)
                answer = await t.apply(t.command(Kind.BET, user, currency="KRW", game_no="g", items=(item,)))
                is_lost = shard_of(user, SHARDS) in lost
                assert (answer.code, answer.reason == "writer") == ((Code.R1, True) if is_lost else (Code.R0, False))
            holding.cancel()
            await t.shared()
            await until(lambda: not any(worker.wallet._writer.absent for worker in t.wallet.workers), "their return")

    run(scenario())


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(1, 6))])
def test_whatever_happens_to_writers_every_history_is_exact(seed, tmp_path):
    """Writers die, freeze in the middle, lose Redis, end and come, in any order, under play."""

    async def scenario() -> None:
        async with town(f"chaos {seed}", tmp_path) as t:
            done = asyncio.Event()
            playing = asyncio.create_task(t.play_until(done))
            await Chaos(t, seed).rage(deeds=12)
            done.set()
            await playing
            await t.shared()
            await t.check()

    run(scenario())
