"""A second writer, whose ledger is a copy of ours, works on the same Redis: what only the copy has is never told."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from seamless_wallet.commands import Code
from seamless_wallet.engine import keys
from seamless_wallet.engine.arguments import ConfirmArgs, ConfirmItem
from seamless_wallet.engine.scripts import load_scripts
from seamless_wallet.observability import metrics
from seamless_wallet.processes.event_loop import first_error
from seamless_wallet.processes.writer import build_writer
from seamless_wallet.recovery import ForeignWriter
from seamless_wallet.stores.ledger import Ledger
from seamless_wallet.stores.sqlite import SqliteLedger
from seamless_wallet.writer import head_owners, read_stage
from seamless_wallet.writer.head_owners import FOREIGN_MAX
from tests.chosen_ledger import in_a_file
from tests.integration.waiting import WAIT_S, until
from tests.integration.world import World, world


def copy_ledger(w: World) -> Path:
    """As a backup makes it: the same ledger, by its UUID."""
    directory = w.directory / "copy"
    directory.mkdir(mode=0o700)
    path = directory / "ledger.sqlite3"
    with closing(sqlite3.connect(w.settings.ledger_path)) as ours, closing(sqlite3.connect(path)) as theirs:
        ours.backup(theirs)
    path.chmod(0o600)
    return path


async def suspend_writer(w: World) -> asyncio.Event:
    """Our writer stands still until the event is set."""
    suspended, resumed = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        suspended.set()
        await resumed.wait()

    w.store.before = lambda _: wait()
    await suspended.wait()
    return resumed


@asynccontextmanager
async def writer_of(w: World, path: Path) -> AsyncIterator[SqliteLedger]:
    """A writer of this copy, on our Redis."""
    async with SqliteLedger.open(path) as ledger:
        ledger.acquire_lease()
        writer = build_writer(w.settings, ledger, w.clock)
        writing = asyncio.create_task(writer.run())
        try:
            await until(writer.ready.is_set, "the copy's writer")
            yield ledger
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)


@in_a_file
async def test_a_bet_that_only_a_copy_of_the_ledger_has_is_not_told():
    """Our writer hangs, and that of the copy commits and confirms: R1, for SQL does not have the bet.

    When ours goes on, it confirms nothing, sees whose heads these are, and ends. Nobody takes ours for present then.
    When the other one is gone, ours takes the shards back, with new epochs, and the bet is decided once.
    """
    async with world(shards=2, deadline_ms=600) as w:
        user = await w.player("p", 1000)
        await w.quiet()
        before = await w.epochs()
        copy = copy_ledger(w)
        resumed = await suspend_writer(w)
        bet = w.bet(user, "g", 100)
        async with writer_of(w, copy) as theirs:
            assert (await w.apply(bet)).code is Code.R1
            await until(lambda: has_balance(theirs, user, 900), "committed in the copy")
            assert await has_balance(w.ledger, user, 1000)
            await until(lambda: foreign_heartbeat(w), "the other writer lives")
            resumed.set()
            with pytest.raises(ExceptionGroup) as ended:
                await w.writer_ends()
            assert isinstance(first_error(ended.value), ForeignWriter)
            await until(lambda: len(w.workers[0].wallet._writer.absent) == 2, "no writer of ours is there")
            assert (await w.apply(w.bet(user, "g2", 1))).reason == "writer"
            with pytest.raises(ExceptionGroup):  # and again, as long as the other one lives
                await w.start_writer()
        await w.redis.delete(*map(keys.heartbeat, range(2)))  # as soon as it has expired
        await w.start_writer()
        answer = await w.settle(bet)
        assert (answer.code, answer.balance) == (Code.R0, 900)
        assert (await w.check([user]))[user].balance == 900
        assert [epoch - 1 for epoch in await w.epochs()] == before


@in_a_file
async def test_the_writer_of_a_copy_ends_when_ours_lives():
    """The copy names our writer, too, but by its own lease there is none: ours goes on, and sees nothing of it."""
    async with world(shards=2) as w:
        user = await w.player("p", 1000)
        await w.quiet()
        before = await w.epochs()
        async with SqliteLedger.open(copy_ledger(w)) as theirs:
            theirs.acquire_lease()
            writing = asyncio.create_task(build_writer(w.settings, theirs, w.clock).run())
            number = 0
            while not writing.done():
                assert (await w.apply(w.bet(user, f"g{number}", 1))).code is Code.R0
                number += 1
                await asyncio.sleep(0.02)
            with pytest.raises(ExceptionGroup) as ended:
                await writing
        assert isinstance(first_error(ended.value), ForeignWriter)
        assert (await w.apply(w.bet(user, "end", 1))).code is Code.R0
        assert (await w.check([user]))[user].balance == 999 - number
        assert await w.epochs() == before


async def foreign_heartbeat(w: World) -> bool:
    """Whether a writer that our ledger does not name has just done a whole cycle."""
    beat: Any = await w.redis.get(keys.heartbeat(0))
    return beat is not None and not await w.ledger.has_named(keys.beating(beat))


async def has_balance(ledger: Ledger, user: str, balance: int) -> bool:
    """Whether SQL has the player so."""
    wallet = await ledger.wallet(user)
    return wallet is not None and wallet.balance == balance


async def test_a_frozen_writer_that_wakes_up_confirms_nothing():
    """It had committed, and was about to confirm. Another writer of the same ledger has taken over meanwhile."""
    async with world(shards=1) as w:
        await w.quiet()
        old = (await w.ledger.heads())[0].nonce
        await w.stop_writer()
        await w.start_writer()
        await w.quiet()
        head, tail = (await w.ledger.heads())[0], w.settings.stream_tail
        assert head.nonce != old
        names = (keys.head(0), keys.stream(0, head.epoch))
        async with w.redis.pubsub() as heard:
            await heard.subscribe("late")
            args = (*ConfirmArgs(tail, 3_600_000, old, "late"), *ConfirmItem(0, head.epoch, head.seq, "some.1"))
            reply = await w.redis.execute_command(*load_scripts()["confirm"].command(names, args))
            assert reply == [[b"FENCED", str(head.epoch).encode(), head.nonce.encode()]]
            await w.redis.publish("late", "end")
            messages = [await heard.get_message(timeout=5) for _ in range(2)]
        assert [message["data"] for message in messages] == [1, b"end"]


async def test_a_restarted_writer_takes_the_heads_over_as_they_are():
    """No new epoch, and what was on the way is committed. Workers believe the new one after one read of SQL."""
    async with world(shards=2, workers=2) as w:
        user = await w.player("p", 1000)
        before, nonces = await w.epochs(), {head.nonce for head in await w.ledger.heads()}
        await w.stop_writer()
        bet = asyncio.create_task(w.apply(w.bet(user, "g", 100)))
        await w.start_writer()
        assert (await bet).code is Code.R0
        await w.quiet()
        looked_up = metrics.ATTEMPTS_LOOKED_UP.labels().value
        for number in range(5):
            assert (await w.apply(w.bet(user, f"g{number}", 100))).code is Code.R0
        assert metrics.ATTEMPTS_LOOKED_UP.labels().value == looked_up
        assert await w.epochs() == before
        (nonce,) = {head.nonce for head in await w.ledger.heads()}
        assert nonce not in nonces
        assert {(await w.head(shard))["nonce"] for shard in range(2)} == {nonce}


async def test_a_head_that_names_a_writer_before_was_set_back():
    """Redis shows an older state than the one that this writer has made: a new epoch."""
    async with world(shards=1) as w:
        user = await w.player("p", 1000)
        await w.quiet()
        await w.stop_writer()
        copied = await w.copy_keys()
        await w.start_writer()
        await w.put_back(copied)
        await until(lambda: opened(w, 2), "a new epoch")
        assert (await w.settle(w.bet(user, "g", 10))).code is Code.R0
        assert (await w.check([user]))[user].balance == 990
        assert metrics.EPOCHS_OPENED.labels("set_back").value >= 1


async def opened(w: World, epoch: int) -> bool:
    """Whether the first shard has got so far."""
    return (await w.epochs())[0] == epoch


@in_a_file
async def test_a_restored_ledger_reads_on_although_the_heads_are_of_a_later_writer(monkeypatch):
    """It does not name that writer. What was acknowledged is read from the streams first, however long that takes; then
    come new epochs.
    """
    monkeypatch.setattr(head_owners, "FIRST_BEAT_WAIT_S", 0.0)
    monkeypatch.setattr(read_stage, "PER_STREAM_MIN", 1)
    async with world(shards=1, batch_max=1) as w:
        user = await w.player("p", 1000)
        await w.quiet()
        copy = copy_ledger(w)
        await w.stop_writer()
        await w.start_writer()
        bets = [w.bet(user, f"g{number}", 10) for number in range(5)]
        for bet in bets:
            assert (await w.apply(bet)).code is Code.R0
        await w.quiet()
        await w.close_workers()
        await w.stop_writer()
        await w.ledger.close()
        await w.redis.delete(keys.heartbeat(0))  # it takes longer to restore a ledger
        for suffix in ("", "-wal", "-shm"):
            w.settings.ledger_path.with_name(w.settings.ledger_path.name + suffix).unlink(missing_ok=True)
        copy.rename(w.settings.ledger_path)
        w.ledger = await w.stack.enter_async_context(SqliteLedger.open(w.settings.ledger_path))
        await w.start_writer()
        await w.worker()
        for bet in bets:
            assert (await w.apply(bet)).reason == "duplicate"
        assert (await w.check([user]))[user].balance == 950
        assert await w.epochs() == [2]


async def test_foreign_heads_again_and_again_end_the_writer():
    """Without a heartbeat, too: two writers that open epochs over each other would go on for ever."""
    async with world(shards=1) as w:
        await w.quiet()
        for number in range(FOREIGN_MAX):
            await until(partial(opened, w, 1 + number), "taken back")
            await w.quiet()
            await w.redis.hset(keys.head(0), "nonce", f"{number:032x}")
        with pytest.raises(ExceptionGroup) as ended:
            await asyncio.wait_for(w.writer_ends(), WAIT_S)
        assert isinstance(first_error(ended.value), ForeignWriter)


async def test_a_foreign_head_is_left_alone_until_its_writer_could_have_beaten():
    """It has just taken the shard, and beats a whole cycle later: no epoch is opened over what it acknowledges."""
    async with world(shards=1) as w:
        await w.quiet()
        await w.redis.hset(keys.head(0), "nonce", "f" * 32)
        await until(lambda: w.writer._owners._foreign, "met")
        await w.redis.set(keys.heartbeat(0), keys.beat("f" * 32, 1))
        with pytest.raises(ExceptionGroup) as ended:
            await asyncio.wait_for(w.writer_ends(), WAIT_S)
        assert isinstance(first_error(ended.value), ForeignWriter)
        assert await w.epochs() == [1]


async def test_a_later_epoch_of_a_writer_before_us_that_goes_on_is_left_alone():
    """This ledger named it, and has never heard of its epoch: it works on the primary of before a fail-over."""
    async with world(shards=1) as w:
        await w.quiet()
        old = (await w.ledger.heads())[0].nonce
        await w.stop_writer()
        await w.redis.hset(keys.head(0), "epoch", "2")

        async def beat() -> None:
            for number in count(1):
                await w.redis.set(keys.heartbeat(0), keys.beat(old, number))
                await asyncio.sleep(0.1)

        beating = asyncio.create_task(beat())
        await w.start_writer(ready=False)
        with pytest.raises(ExceptionGroup) as ended:
            await asyncio.wait_for(w.writer_ends(), WAIT_S)
        assert isinstance(first_error(ended.value), ForeignWriter)
        beating.cancel()
        assert await w.epochs() == [1]


async def test_a_message_of_an_unknown_writer_costs_one_read_of_sql_and_confirms_nothing():
    """Nonsense, too: so many messages, and hardly a read. Nobody takes the writer for present because of them."""
    async with world(shards=1, deadline_ms=500) as w:
        user = await w.player("p", 1000)
        await w.quiet()
        await w.stop_writer()
        wallet = w.workers[0].wallet
        waiting = asyncio.create_task(w.apply(w.bet(user, "g", 10)))
        await until(lambda: wallet._confirmations._attempts, "executed")
        reads = counted_reads(w)
        channel, disbelieved = keys.committed_channel(w.ledger.uuid), metrics.MESSAGES_DISBELIEVED.labels().value
        (token,) = wallet._confirmations._attempts
        heard_s = list(wallet._writer._heard_s)
        for _ in range(200):
            await w.redis.publish(channel, f"{'0' * 32}\n0 1 99 {token}")
        for number in range(200):
            await w.redis.publish(channel, f"{number:032x}\n0 1 99 {token}")
        assert (await waiting).code is Code.R1
        await until(lambda: metrics.MESSAGES_DISBELIEVED.labels().value == disbelieved + 400, "all heard")
        assert len(reads) <= 10
        assert wallet._writer._heard_s == heard_s


def counted_reads(w: World) -> list[None]:
    """One more for each read of the heads by the worker."""
    reads: list[None] = []
    messages = w.workers[0].wallet._confirmations.messages
    ask = messages._ask

    async def count() -> None:
        reads.append(None)
        await ask()

    messages._ask = count
    return reads
