"""The writer is away for longer than a take-over takes: R1 at once, and nothing is executed."""

from __future__ import annotations

import time

from structlog.testing import capture_logs

from seamless_wallet.commands import Code, Item, Kind
from seamless_wallet.engine import keys
from tests.integration.faults import connection_errors
from tests.integration.waiting import gather, until
from tests.integration.world import World, world

DEADLINE_MS = 10_000
AT_ONCE_S = 2.0
"""Far below the deadline, and enough for a busy machine."""


async def absent(w: World) -> None:
    """Until every worker knows that there is no writer."""
    await until(
        lambda: all(len(worker.wallet._writer.absent) == w.settings.shards for worker in w.workers),
        "the writer's absence",
    )


async def present(w: World) -> None:
    """Until every worker knows that there is one."""
    await until(lambda: not any(worker.wallet._writer.absent for worker in w.workers), "the writer's return")


async def written(w: World) -> list[tuple[int, str]]:
    """Of each shard the length of its stream, and its last seq."""
    epochs = await w.epochs()
    return [
        (await w.redis.xlen(keys.stream(shard, epoch)), (await w.head(shard))["seq"])
        for shard, epoch in enumerate(epochs)
    ]


async def test_without_a_writer_everything_is_r1_at_once_and_nothing_is_executed():
    """Every kind of event, also one that is repeated. What SQL is asked about anyway it may answer. Then R0 again."""
    async with world(workers=2, shards=2, deadline_ms=DEADLINE_MS) as w:
        user = await w.player("p", 1000)
        done = w.bet(user, "done", 10)
        assert (await w.apply(done)).code is Code.R0
        await w.quiet()
        with capture_logs() as logs:
            await w.stop_writer()
            await absent(w)
            before = await written(w)
            commands = [
                done,
                w.command(Kind.LOGIN, user),
                w.bet(user, "g", 10),
                w.bets(Kind.CANCEL, user, "g", 10),
                w.bets(Kind.RESULT, user, "done", Item("1", "P", 10, 5)),
                w.bet("nobody", "g", 10),
                w.bet(user, "old", 10, at_ms=1),
                w.command(Kind.DEPOSIT, user, amount=10),
                w.command(Kind.CREATE, "another", "create", currency="KRW"),
            ]
            began_s = time.monotonic()
            answers = await gather(*(w.apply(command, n % 2) for n, command in enumerate(commands * 20)))
            assert time.monotonic() - began_s < AT_ONCE_S
            assert {(answer.code, answer.reason) for answer in answers} == {(Code.R1, "writer")}
            exists = await w.apply(w.command(Kind.CREATE, user, "create", currency="KRW"))
            assert (exists.code, exists.balance) == (Code.R0, 990)
            assert await written(w) == before
            await w.start_writer()
            await present(w)
        for command in (done, commands[1], commands[2]):
            assert (await w.apply(command)).code is Code.R0
        told = [log["event"] for log in logs if log["event"].startswith("writer_")]
        assert told == ["writer_absent"] * 2 + ["writer_returned"] * 2  # one line for each process
        assert (await w.check([user]))[user].balance == 980


async def test_what_was_executed_before_the_writer_died_is_committed_when_it_is_back():
    """It was R1, and the retry is R1 at once for as long as the writer is away; then it is a duplicate."""
    async with world(deadline_ms=500) as w:
        user = await w.player("p", 1000)
        await w.stop_writer()
        bet = w.bet(user, "g", 10)
        assert (await w.apply(bet)).reason == "deadline"
        await absent(w)
        assert (await w.apply(bet)).reason == "writer"
        await w.start_writer()
        await present(w)
        answer = await w.apply(bet)
        assert (answer.code, answer.reason, answer.balance) == (Code.R0, "duplicate", 990)
        await w.check([user])


async def test_a_worker_that_hears_nothing_asks_redis_before_it_takes_the_writer_for_dead(monkeypatch):
    """Its subscription answers every PING, and brings no message. The heartbeat in Redis says that the writer lives:
    the subscription is made anew.
    """
    async with world() as w:
        user = await w.player("p", 1_000_000)
        subscription = w.workers[0].wallet._confirmations.messages.subscription
        monkeypatch.setattr(subscription, "_receive", lambda _: None)
        silent, n = connection_errors("SilentConnection"), 0
        with capture_logs() as logs:
            while connection_errors("SilentConnection") == silent:
                assert (await w.apply(w.bet(user, f"g{n}", 10))).code is Code.R0
                n += 1
        assert "writer_absent" not in {log["event"] for log in logs}
        assert (await w.check([user]))[user].balance == 1_000_000 - 10 * n


async def test_a_worker_without_redis_does_not_take_the_writer_for_dead():
    """Nobody can tell it whether the writer lives. Its answers say what is missing, and bets return with Redis."""
    async with world(deadline_ms=500) as w:
        proxy = await w.proxy()
        await w.worker(proxy.url)
        user = await w.player("p", 1000, worker=1)
        proxy.forward_replies = False
        began_s = time.monotonic()
        reasons: set[str] = set()
        while time.monotonic() < began_s + 1.5 * keys.HEARTBEAT_MS / 1000:
            reasons.add((await w.apply(w.bet(user, f"g{len(reasons)}", 10), 1)).reason)
        assert reasons <= {"deadline", "redis"}
        proxy.heal()
        assert (await w.settle(w.bet(user, "last", 10), 1)).code is Code.R0
        await w.check([user])
