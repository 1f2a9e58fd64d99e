"""R0 means committed: what is answered while the writer is away, and how the truth is learnt afterwards.

One file, since every case is about the same moment: decided in Redis, not yet committed.
"""

from __future__ import annotations

import asyncio
import time

import pytest
from structlog.testing import capture_logs

from seamless_wallet.commands import Answer, Code, Kind
from seamless_wallet.wallet import confirmations
from seamless_wallet.wallet.writer_messages import WriterMessages
from tests.integration.waiting import WAIT_S, gather, until
from tests.integration.world import World, world


async def test_without_a_writer_nothing_is_acknowledged_and_nothing_is_lost():
    """R1 by the deadline; when the writer is back the retry is a duplicate, R0, and there was one movement."""
    async with world(deadline_ms=400) as w:
        user = await w.player("p", 1000)
        await w.stop_writer()
        bet = w.bet(user, "g", 100)
        before_s = time.monotonic()
        answer = await w.apply(bet)
        assert (answer.code, answer.reason) == (Code.R1, "deadline")
        assert 0.3 < time.monotonic() - before_s < 0.8
        again = asyncio.create_task(w.apply(bet))
        await until(lambda: w.workers[0].wallet._confirmations._attempts)
        await w.start_writer()
        assert (await again).code is Code.R0
        answer = await w.apply(bet)
        assert (answer.code, answer.reason, answer.balance) == (Code.R0, "duplicate", 900)
        assert (await w.check([user]))[user].balance == 900


async def test_the_deadline_holds_when_redis_answers_nothing():
    """A frozen Redis is R1 within the deadline and a half."""
    async with world(deadline_ms=400) as w:
        proxy = await w.proxy()
        await w.worker(proxy.url)
        user = await w.player("p", 1000, worker=1)
        proxy.forward_replies = False
        before_s = time.monotonic()
        answers = await gather(*(w.apply(w.bet(user, f"g{n}", 10), 1) for n in range(20)))
        assert {answer.code for answer in answers} == {Code.R1}
        assert time.monotonic() - before_s < 0.65
        proxy.heal()
        await w.settle(w.bet(user, "last", 10), 1)
        await w.check([user])


async def test_the_deadline_holds_when_the_ledger_does_not_answer(monkeypatch):
    """Neither the look-up of commits nor the loads may hold an answer back."""
    async with world(deadline_ms=400) as w:
        user = await w.player("p", 1000)
        await w.stop_writer()
        ledger = w.workers[0].ledger
        stuck = asyncio.Event()

        async def never(*_args, **_more):
            await stuck.wait()

        for name in ("find_events", "load", "lookup", "heads"):
            monkeypatch.setattr(ledger, name, never)
        bets = [asyncio.create_task(w.apply(w.bet(user, f"g{n}", 10))) for n in range(3)]
        bets += [asyncio.create_task(w.apply(w.bet("unknown", "g", 10)))]
        bets += [asyncio.create_task(w.apply(w.bet(user, "old", 10, at_ms=1)))]
        before_s = time.monotonic()
        assert {answer.code for answer in await gather(*bets)} == {Code.R1}
        assert time.monotonic() - before_s < 0.7
        monkeypatch.undo()
        stuck.set()
        await w.start_writer()
        await w.check([user])


async def test_a_look_up_confirms_when_the_messages_are_lost(monkeypatch):
    """A worker that hears nothing from the writer asks SQL."""
    monkeypatch.setattr(WriterMessages, "_receive", lambda *_: None)
    async with world() as w:
        user = await w.player("p", 1000)
        answers = await gather(*(w.apply(w.bet(user, f"g{n}", 10)) for n in range(20)))
        assert {answer.code for answer in answers} == {Code.R0}
        answers = await gather(*(w.apply(w.bet(user, "g0", 10, tid="x")) for _ in range(5)))
        assert {answer.code for answer in answers} == {Code.R0}
        assert (await w.check([user]))[user].balance == 800


async def test_cut_subscriptions_are_made_again():
    """CLIENT KILL of all subscribers while bets are under way: every answer is R0."""
    async with world(workers=2) as w:
        user = await w.player("p", 10_000)
        for cut in range(4):
            bets = [asyncio.create_task(w.apply(w.bet(user, f"g{cut}-{n}", 10), n % 2)) for n in range(50)]
            await w.redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
            assert {answer.code for answer in await gather(*bets)} == {Code.R0}
        assert (await w.check([user]))[user].balance == 10_000 - 4 * 50 * 10


async def test_a_copy_waits_for_the_commit_like_the_original():
    """While the entry is not committed a copy, in this worker or another, is not answered R0 either."""
    async with world(workers=2, deadline_ms=4000) as w:
        user = await w.player("p", 1000)
        await w.stop_writer()
        bet = w.bet(user, "g", 100)
        jobs = [asyncio.create_task(w.apply(bet, n % 2)) for n in range(10)]
        await until(w.pending)
        await asyncio.sleep(0.3)  # three look-ups: time to be wrong
        assert not any(job.done() for job in jobs)
        await w.start_writer()
        assert {answer.code for answer in await gather(*jobs)} == {Code.R0}
        assert (await w.check([user]))[user].balance == 900


async def test_a_copy_outlives_its_original():
    """The original's caller goes away; the copy that had joined it still gets the answer when the entry is there."""
    async with world(deadline_ms=4000) as w:
        user = await w.player("p", 1000)
        await w.stop_writer()
        bet = w.bet(user, "g", 100)
        original = asyncio.create_task(w.apply(bet))
        await until(w.pending)
        copy = asyncio.create_task(w.apply(bet))
        await until(lambda: len(w.workers[0].wallet._confirmations._attempts) == 2)
        await asyncio.sleep(0.1)
        original.cancel()
        await w.start_writer()
        assert (await copy).code is Code.R0
        assert (await w.check([user]))[user].balance == 900


async def test_a_decline_waits_for_what_it_rests_on():
    """Funds spent by a bet that is not committed: R4 only once it is."""
    async with world(deadline_ms=4000) as w:
        user = await w.player("p", 100)
        await w.stop_writer()
        first = asyncio.create_task(w.apply(w.bet(user, "g", 100)))
        await until(w.pending)
        second = asyncio.create_task(w.apply(w.bet(user, "h", 100)))
        await asyncio.sleep(0.3)
        assert not second.done()
        await w.start_writer()
        assert ((await first).code, (await second).code) == (Code.R0, Code.R4)
        await w.check([user])


@pytest.mark.parametrize("same_worker", [True, False])
async def test_a_repetition_tells_no_balance_that_may_be_lost(same_worker):
    """A later bet waits for its commit: a copy of the first one is answered with the balance that SQL has by now.

    It waits for nothing, and the later bet may be lost.
    """
    async with world(workers=2, shards=1, deadline_ms=3000) as w:
        user = await w.player("p", 1000)
        first = w.bet(user, "g", 100)
        await w.apply(first)
        await w.quiet()
        await w.stop_writer()
        later = asyncio.create_task(w.apply(w.bet(user, "h", 300)))
        await until(w.pending)
        answer = await w.apply(first, 0 if same_worker else 1)
        assert (answer.code, answer.reason, answer.balance) == (Code.R0, "duplicate", 900)
        assert not later.done()
        later.cancel()  # nobody runs it again
        await w.redis.flushall()
        await w.start_writer()
        assert (await w.check([user]))[user].balance == 900


async def waits(w: World, job: asyncio.Task[Answer]) -> None:
    """Until it waits for a commit; fails if it has an answer instead."""
    await until(lambda: job.done() or w.workers[0].wallet._confirmations._watermarks)
    assert not job.done(), job.result()


async def test_a_remembered_decline_tells_no_balance_that_is_lost():
    """R4 is remembered, but not the balance: it rests on a later bet, and when that is lost it is told without it."""
    async with world(shards=1, deadline_ms=3000) as w:
        user = await w.player("p", 1000)
        declined = w.bet(user, "big", 5000)
        assert (await w.apply(declined)).code is Code.R4
        await w.quiet()
        await w.stop_writer()
        later = asyncio.create_task(w.apply(w.bet(user, "h", 300)))
        await until(w.pending)
        again = asyncio.create_task(w.apply(declined))
        await waits(w, again)
        later.cancel()  # nobody runs it again
        await w.redis.flushall()
        await w.start_writer()
        answer = await again
        assert (answer.code, answer.balance) == (Code.R4, 1000)
        assert (await w.check([user]))[user].balance == 1000


async def test_a_copy_waits_for_its_original_and_for_nothing_later():
    """Neither is committed: the copy is answered as soon as the original is, with the balance of that moment."""
    async with world(shards=1, deadline_ms=5000) as w:
        user = await w.player("p", 1000)
        await w.quiet()
        commits, held = asyncio.Semaphore(0), []

        def hold(name: str):
            if name == "commit":
                held.append(name)
                return commits.acquire()
            return None

        w.store.before = hold
        attempts = w.workers[0].wallet._confirmations._by_digest
        first = w.bet(user, "g", 100)
        original = asyncio.create_task(w.apply(first))
        await until(lambda: held and attempts)
        later = asyncio.create_task(w.apply(w.bet(user, "h", 300)))
        await until(lambda: len(attempts) == 2)
        copy = asyncio.create_task(w.apply(first))
        await waits(w, copy)
        commits.release()
        assert ((await original).balance, (await copy).balance) == (900, 900)
        assert not later.done()
        commits.release()
        assert (await later).balance == 600
        w.store.before = lambda _: None
        await w.check([user])


async def test_a_copy_is_not_confirmed_by_another_event_of_its_name():
    """Redis lost a bet and took another one under its id; SQL has the first, at the same place. Their callers hear R3,
    and the balance of SQL's.
    """
    async with world(workers=2, shards=1, deadline_ms=4000) as w:
        user = await w.player("p", 1000)
        await w.quiet()
        copied, before = await w.copy_keys(), (await w.head(0))["seq"]
        assert (await w.apply(w.bet(user, "g", 100, tid="bet"))).balance == 900
        await w.quiet()
        await w.stop_writer()
        await w.put_back(copied)
        other = w.bet(user, "h", 300, tid="bet")

        async def taken() -> bool:
            return (await w.head(0))["seq"] != before

        original = asyncio.create_task(w.apply(other, 0))
        await until(taken)
        for answer in await gather(w.apply(other, 1), original):
            assert (answer.code, answer.reason, answer.balance) == (Code.R3, "conflict", 900)
        await w.start_writer()
        assert (await w.check([user]))[user].balance == 900


@pytest.mark.parametrize("same_worker", [True, False])
async def test_lost_attempts_run_again(same_worker):
    """Redis is emptied while entries wait for the writer: the same callers get R0, copies too, one movement each."""
    async with world(workers=2, deadline_ms=5000) as w:
        user = await w.player("p", 1000)
        await w.stop_writer()
        bets = [w.bet(user, f"g{n}", 100) for n in range(5)]
        jobs = [asyncio.create_task(w.apply(bet)) for bet in bets]
        await until(w.pending)
        jobs += [asyncio.create_task(w.apply(bet, 0 if same_worker else 1)) for bet in bets]
        await asyncio.sleep(0.05)
        await w.redis.flushall()
        await w.start_writer()
        answers: list[Answer] = await gather(*jobs)
        assert {answer.code for answer in answers} == {Code.R0}
        assert (await w.check([user]))[user].balance == 500


async def test_a_repeated_event_is_answered_at_once(monkeypatch):
    """A committed event needs no wait for the next look-up."""
    monkeypatch.setattr(confirmations, "COMMIT_LOOKUP_S", WAIT_S)
    async with world() as w:
        user = await w.player("p", 1000)
        bet = w.bet(user, "g", 100)
        await w.apply(bet)
        await w.quiet()
        for _ in range(20):
            assert (await w.apply(bet)).reason == "duplicate"


async def test_a_cold_event_is_answered_at_once(monkeypatch):
    """An old event whose wallet is at rest needs no wait for the next look-up."""
    monkeypatch.setattr(confirmations, "COMMIT_LOOKUP_S", WAIT_S)
    async with world() as w:
        user = await w.player("p", 1000)
        await w.quiet()
        for n in range(20):
            answer = await w.apply(w.bets(Kind.CANCEL, user, f"g{n}", 100, at_ms=1))
            assert answer.code is Code.R0


async def test_nothing_is_logged_as_a_fault_on_the_usual_path():
    """Nothing for an operator, once the first epochs are open."""
    async with world(workers=2) as w:
        with capture_logs() as logs:
            user = await w.player("p", 1000)
            await gather(*(w.apply(w.bet(user, f"g{n}", 10), n % 2) for n in range(50)))
            await w.check([user])
    assert [log for log in logs if log["log_level"] in ("warning", "error")] == []
