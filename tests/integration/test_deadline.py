"""One deadline for the whole call, on every path: Redis is stopped, SQL is blocked, loads fail, the writer is away."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from seamless_wallet.commands import Answer, Code, Command, Kind
from seamless_wallet.engine import keys
from seamless_wallet.engine.pipeline import OutcomeUnknown
from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.stores.postgres.store import READERS as CONNECTIONS
from seamless_wallet.stores.postgres.store import PostgresLedger
from seamless_wallet.stores.sqlite.store import READERS, SqliteLedger
from seamless_wallet.writer import epoch_opener
from tests.integration.bettors import bettors, verify_all
from tests.integration.waiting import gather, until
from tests.integration.world import World, world

LATE_S = 1.0
"""How much later than the deadline an answer may come on a busy machine. Each wait that was added to another one took
longer.
"""


async def answered_in_time(answer: Awaitable[Answer], limit_s: float) -> Answer:
    """The answer, which must come within so many seconds and a little."""
    began_s = time.monotonic()
    answered = await answer
    took_s = time.monotonic() - began_s
    assert took_s <= limit_s + LATE_S, (took_s, answered)
    return answered


@asynccontextmanager
async def stopped(w: World) -> AsyncIterator[None]:
    """Valkey does nothing in the meantime, and breaks no connection."""
    assert w.server
    pid = w.server.process.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@asynccontextmanager
async def blocked_readers(w: World, worker: int = 0) -> AsyncIterator[None]:
    """All threads or connections that read the worker's ledger are busy in the meantime."""
    ledger = w.workers[worker].ledger
    if isinstance(ledger, PostgresLedger):
        turns = ledger._connections._turns
        for _ in range(CONNECTIONS):
            await turns.acquire()
        try:
            yield
        finally:
            for _ in range(CONNECTIONS):
                turns.release()
        return
    assert isinstance(ledger, SqliteLedger)
    released, begun = threading.Event(), threading.Barrier(READERS + 1)

    def block(_connection: object) -> None:
        begun.wait()
        released.wait()

    threads = ledger._threads
    blocked = [asyncio.create_task(threads.read(block)) for _ in range(READERS)]
    await asyncio.to_thread(begun.wait)
    try:
        yield
    finally:
        released.set()
        await gather(*blocked)


def commands_of_every_path(w: World, user: str, done: Command, n: int) -> list[Command]:
    """A bet, a repetition, a decline, an old event, a player who is not loaded, and two of the back office."""
    return [
        w.bet(user, f"g{n}", 10),
        done,
        w.bet(user, f"big{n}", 10**9),
        w.bets(Kind.CANCEL, user, f"old{n}", 10, at_ms=1),
        w.bet(f"nobody-{n}", "g", 10),
        w.command(Kind.CREATE, f"new-{n}", currency="KRW"),
        w.command(Kind.DEPOSIT, user, amount=10),
    ]


async def test_every_answer_comes_by_the_deadline_while_valkey_is_stopped():
    """Events of every kind, under load, for three deadlines: SIGSTOP breaks no connection, and no answer is late."""
    async with world(workers=2, shards=2, deadline_ms=1000) as w:
        players = await bettors(w, 6)
        user = await w.player("p", 1000)
        done = w.bet(user, "done", 10)
        assert (await w.apply(done)).code is Code.R0
        playing = [asyncio.create_task(player.play(30, workers=2)) for player in players]
        asked: list[asyncio.Task[Answer]] = []
        async with stopped(w):
            for n in range(30):
                commands = commands_of_every_path(w, user, done, n)
                asked += [asyncio.create_task(answered_in_time(w.apply(c, n % 2), 1.0)) for c in commands]
                await asyncio.sleep(0.1)
        answers = await gather(*asked)
        assert {answer.code for answer in answers} >= {Code.R1}
        await gather(*playing)
        await verify_all(w, players)


async def test_a_wait_for_sql_and_a_wait_for_redis_share_one_deadline(monkeypatch):
    """A look-up takes most of the time; then Redis is stopped: the execution gets only what is left."""
    async with world(deadline_ms=2000) as w:
        user = await w.player("p", 1000)
        ledger = w.workers[0].ledger
        lookup = ledger.lookup

        async def slow(*args):
            found = await lookup(*args)
            await asyncio.sleep(1.6)
            return found

        monkeypatch.setattr(ledger, "lookup", slow)
        late = asyncio.create_task(answered_in_time(w.apply(w.bet(user, "old", 10, at_ms=1)), 2.0))
        await asyncio.sleep(0.5)
        async with stopped(w):
            answer = await late
        assert (answer.code, answer.reason) == (Code.R1, "deadline")
        assert (await w.check([user]))[user].balance in {990, 1000}  # ambiguous: it may have been executed afterwards


async def test_every_answer_comes_by_the_deadline_while_the_threads_of_the_ledger_are_busy():
    """All reads wait: loads, look-ups, commits, and heads. Afterwards everything works, and nothing waits on."""
    async with world(shards=2, deadline_ms=500) as w:
        user = await w.player("p", 1000)
        done = w.bet(user, "done", 10)
        assert (await w.apply(done)).code is Code.R0
        await w.quiet()
        async with blocked_readers(w):
            await w.redis.flushall()  # every wallet has to be loaded again, and every worker asks SQL for the epoch
            for n in range(3):
                commands = commands_of_every_path(w, user, done, n)
                answers = await gather(*(answered_in_time(w.apply(command), 0.5) for command in commands))
                assert {answer.code for answer in answers} == {Code.R1}
        for command in (done, w.bet(user, "after", 10)):
            assert (await w.settle(command)).code is Code.R0
        await w.check([user])


async def test_a_copy_of_a_call_that_hangs_has_its_own_deadline(monkeypatch):
    """It joined the original's wait for the commit; it came later, and gives up later."""
    async with world(deadline_ms=600) as w:
        user = await w.player("p", 1000)
        await w.stop_writer()
        bet = w.bet(user, "g", 10)
        original = asyncio.create_task(answered_in_time(w.apply(bet), 0.6))
        await until(w.pending)
        await asyncio.sleep(0.3)
        copies = [asyncio.create_task(answered_in_time(w.apply(bet), 0.6)) for _ in range(5)]
        assert {answer.reason for answer in await gather(original, *copies)} == {"deadline"}
        await w.start_writer()
        assert (await w.check([user]))[user].balance == 990


@pytest.mark.parametrize("patient", [True, False])
@pytest.mark.parametrize("fault", [StoreError("the disk is gone"), OutcomeUnknown("broken"), RuntimeError("a bug")])
async def test_no_exception_of_a_load_is_lost(monkeypatch, patient, fault):
    """Its callers get it, or have given up: then it is logged. `world` fails if one is never retrieved."""
    async with world(shards=1, deadline_ms=300) as w:
        user = await w.player("p", 1000)
        await w.quiet()
        ledger, load = w.workers[0].ledger, w.workers[0].ledger.load
        begun, fail = asyncio.Event(), asyncio.Event()

        async def failing(*_):
            begun.set()
            await fail.wait()
            raise fault

        monkeypatch.setattr(ledger, "load", failing)
        await w.redis.delete(keys.wallet(0, 1, user))
        bets = [asyncio.create_task(w.apply(w.bet(user, f"g{n}", 10))) for n in range(52)]
        await begun.wait()
        with capture_logs() as logs:
            if patient:
                fail.set()
            answers = await asyncio.gather(*bets, return_exceptions=True)
            fail.set()
            await until(lambda: not w.workers[0].wallet._loader._loads)
        codes = {getattr(answer, "code", type(answer)) for answer in answers}
        assert codes == {RuntimeError if patient and isinstance(fault, RuntimeError) else Code.R1}
        abandoned = [log for log in logs if log["event"] == "abandoned_call_failed"]
        assert len(abandoned) == (0 if patient else 1), logs
        monkeypatch.setattr(ledger, "load", load)
        assert (await w.settle(w.bet(user, "last", 10))).code is Code.R0
        await w.check([user])


async def test_a_load_that_finds_no_script_asks_for_recovery(monkeypatch):
    """The scripts go away between the event's script and the installation: a new epoch, and the same call is R0."""
    async with world(shards=1, deadline_ms=5000) as w:
        user = await w.player("p", 1000)
        await w.quiet()
        ledger, load, left = w.workers[0].ledger, w.workers[0].ledger.load, 1

        async def losing(*args):
            nonlocal left
            found = await load(*args)
            if left:
                left -= 1
                await w.redis.script_flush()
            return found

        monkeypatch.setattr(ledger, "load", losing)
        await w.redis.delete(keys.wallet(0, 1, user))
        with capture_logs() as logs:
            answer = await w.apply(w.bet(user, "g", 10))
        assert (answer.code, left) == (Code.R0, 0)
        assert "script_failed" not in {log["event"] for log in logs}
        assert await w.epochs() == [2]
        assert (await w.check([user]))[user].balance == 990


async def test_an_error_of_the_clean_up_is_logged(monkeypatch):
    """Nobody awaits its task. Play goes on, and the next recovery cleans up."""

    async def fail(*_):
        raise RuntimeError("a bug")

    async with world(shards=1) as w:
        user = await w.player("p", 1000)
        with monkeypatch.context() as patched, capture_logs() as logs:
            patched.setattr(epoch_opener, "unlink_older_epochs", fail)
            await w.redis.flushall()
            assert (await w.settle(w.bet(user, "g", 10))).code is Code.R0
            await until(lambda: "old_epoch_cleanup_failed" in {log["event"] for log in logs}, "logged")
        assert (await w.check([user]))[user].balance == 990
