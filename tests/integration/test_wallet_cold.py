"""What Redis has forgotten, SQL has not: old events, old bets, identities that come back after the hot window.

One file, since every case is one event that meets one kind of forgetting.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from seamless_wallet.commands import Code, Item, Kind, Policy
from tests.integration.waiting import gather, until
from tests.integration.world import World, world

OLD_MS = 30 * 86_400_000
HOUR_MS = 3_600_000


async def forget(w: World, user: str, *, events: bool = True, rounds: bool = True) -> None:
    """As the hot window does: the player's events and finished rounds leave Redis; the wallet stays."""
    await w.quiet()
    shard = w.shard(user)
    epoch = (await w.epochs())[shard]
    async for name in w.redis.scan_iter(match=f"{{{shard}}}:i:{epoch}:{user}:*"):
        if events:
            await w.redis.delete(name)
    async for name in w.redis.scan_iter(match=f"{{{shard}}}:r:{epoch}:*"):
        if rounds and await w.redis.hget(name, "") == b"0":
            await w.redis.delete(name)


async def forget_all(w: World, user: str) -> None:
    """Open rounds, too, which never leave: as if they had."""
    await forget(w, user)
    if names := await w.redis.keys("{*}:r:*"):
        await w.redis.delete(*names)


async def two_players(w: World) -> tuple[str, str]:
    """Of one shard: what happens to one must not disturb the other."""
    return await w.player("p", 1000), await w.player("q", 1000)


async def neighbour_goes_on(w: World, user: str) -> asyncio.Task:
    """Bets of another player of the same shard; done when they all were R0."""

    async def play() -> None:
        for n in range(10):
            answer = await w.settle(w.bet(user, f"n{n}", 10), n % len(w.workers))
            assert answer.code is Code.R0

    return asyncio.create_task(play())


@pytest.mark.parametrize("worker", [0, 1])
async def test_a_restamped_retry_of_every_kind_is_a_duplicate(worker):
    """The record has left Redis and the timestamp is new: SQL knows it. The answer names the ledger's balance."""
    async with world(workers=2, shards=1, deadline_ms=4000) as w:
        user, other = await two_players(w)

        def bet(**more):
            return w.bet(user, "g", 100, 50, tid="bet", **more)

        def cancel(**more):
            return w.bets(Kind.CANCEL, user, "g", Item("2", "P", 50), tid="cancel", **more)

        def result(**more):
            return w.bets(Kind.RESULT, user, "g", Item("1", "P", 100, 95), tid="result", **more)

        def change(**more):
            return w.bets(Kind.CHANGE, user, "g", Item("1", "P", 100, -100, 95), tid="change", **more)

        def deposit(**more):
            return w.command(Kind.DEPOSIT, user, "deposit", amount=7, **more)

        def withdraw(**more):
            return w.command(Kind.WITHDRAW, user, "withdraw", amount=5, **more)

        def login(**more):
            return w.command(Kind.LOGIN, user, "login", **more)

        makers = [login, bet, cancel, result, change, deposit, withdraw]
        for make in makers:
            assert (await w.apply(make())).code is Code.R0, make
        balance = 1000 - 150 + 50 + 195 - 195 + 7 - 5
        for make in makers:
            await forget(w, user)
            neighbour = await neighbour_goes_on(w, other)
            answer = await w.settle(make(at_ms=w.clock.now_ms()), worker)
            assert (answer.code, answer.balance) == (Code.R0, balance), (make, answer)
            await neighbour
        wallets = await w.check([user, other])
        assert wallets[user].balance == balance
        assert (await w.trial())["player"] == balance + wallets[other].balance


@pytest.mark.parametrize("state", ["open", "settled", "cancelled", "tombstone"])
async def test_an_old_bet_with_a_new_id_is_never_taken_twice(state):
    """Its round has left Redis: repeated R0, or R3 if it was cancelled; another stake is R3."""
    async with world(workers=2, shards=1, deadline_ms=4000) as w:
        user, other = await two_players(w)
        if state != "tombstone":
            assert (await w.apply(w.bet(user, "g", 100))).code is Code.R0
        if state == "settled":
            assert (await w.apply(w.bets(Kind.RESULT, user, "g", Item("1", "P", 100, 5)))).code is Code.R0
        if state in ("cancelled", "tombstone"):
            assert (await w.apply(w.bets(Kind.CANCEL, user, "g", 100))).code is Code.R0
        balance = {"open": 900, "settled": 1005, "cancelled": 1000, "tombstone": 1000}[state]
        await forget(w, user)
        if state == "open":  # an open bet never leaves; as if it had
            for name in await w.redis.keys("{0}:r:*"):
                await w.redis.delete(name)
        neighbour = await neighbour_goes_on(w, other)
        answer = await w.settle(w.bet(user, "g", 100), 1)
        expected = Code.R3 if state in ("cancelled", "tombstone") else Code.R0
        assert (answer.code, answer.balance) == (expected, balance)
        await neighbour
        answer = await w.settle(w.bet(user, "g", 70))
        assert (answer.code, answer.balance) == (Code.R3, balance)
        assert (await w.check([user, other]))[user].balance == balance


@pytest.mark.parametrize("trouble", ["poor", "blocked", "no session"])
@pytest.mark.parametrize("tid", ["bet", "renamed"])
async def test_a_bet_that_redis_has_forgotten_is_not_declined(trouble, tid):
    """Settled long ago, its event and round forgotten; re-stamped, for a player who could not place it now: R0, as it
    was. A decline would tell the provider to void a bet whose stake was taken.
    """
    async with world(shards=1, deadline_ms=4000) as w:
        user = await w.player("p", 100)
        await w.apply(w.bet(user, "g", 100, tid="bet"))
        await w.apply(w.bets(Kind.RESULT, user, "g", Item("1", "P", 100, -100)))
        if trouble == "blocked":
            await w.apply(w.command(Kind.STATUS, user, status="blocked"))
        await forget(w, user)
        policy = Policy() if trouble == "no session" else None
        answer = await w.apply(w.bet(user, "g", 100, tid=tid), policy=policy)
        reason = "duplicate" if tid == "bet" else "repeated"
        assert (answer.code, answer.reason, answer.balance) == (Code.R0, reason, 0)
        assert await w.epochs() == [1]
        await w.check([user])


async def test_an_old_event_that_redis_has_forgotten_costs_no_epoch():
    """Its own timestamp is old: SQL is asked before Redis takes it for new."""
    async with world(shards=1, deadline_ms=4000) as w:
        user = await w.player("p", 1000)
        bet = w.bet(user, "g", 100, at_ms=w.clock.now_ms() - OLD_MS)
        assert (await w.apply(bet)).code is Code.R0
        await forget_all(w, user)
        answer = await w.apply(bet)
        assert (answer.code, answer.reason, answer.balance) == (Code.R0, "duplicate", 900)
        assert await w.epochs() == [1]
        await w.check([user])


@pytest.mark.parametrize("kind", [Kind.CREATE, Kind.DEPOSIT, Kind.WITHDRAW, Kind.STATUS])
async def test_the_back_office_costs_no_epoch(kind):
    """It asks SQL first, always: no window limits its keys, and a player who is not in Redis exists nevertheless."""
    fields: dict[Kind, dict[str, Any]] = {
        Kind.CREATE: {"currency": "KRW"},
        Kind.DEPOSIT: {"amount": 100},
        Kind.WITHDRAW: {"amount": 100},
        Kind.STATUS: {"status": "blocked"},
    }
    async with world(shards=1, deadline_ms=4000) as w:
        user = await w.player("p", 1000)
        command = w.command(kind, user, "key", **fields[kind])
        told = await w.apply(command)
        assert told.code is Code.R0
        await forget_all(w, user)
        if kind is Kind.CREATE:
            await w.redis.delete(*await w.redis.keys("{0}:w:*"))
        again = await w.apply(command)
        assert (again.code, again.balance) == (Code.R0, told.balance)
        assert again.reason == ("exists" if kind is Kind.CREATE else "duplicate")
        assert await w.epochs() == [1]
        await w.check([user])


@pytest.mark.parametrize("cold", [False, True])
async def test_a_look_up_that_is_older_than_the_wallet_is_not_used(cold):
    """The bet has left Redis, its cancel is not committed: a result waits for what SQL does not know yet."""
    async with world(shards=1, deadline_ms=4000) as w:
        user = await w.player("p", 1000)
        assert (await w.apply(w.bet(user, "g", 100))).code is Code.R0
        await w.quiet()
        await w.stop_writer()
        cancel = asyncio.create_task(w.apply(w.bets(Kind.CANCEL, user, "g", 100)))
        await until(w.pending)
        await w.redis.delete(*await w.redis.keys("{0}:r:*"))
        at_ms = w.clock.now_ms() - (OLD_MS if cold else 0)
        result = asyncio.create_task(w.apply(w.bets(Kind.RESULT, user, "g", Item("1", "P", 100, 95), at_ms=at_ms)))
        waiting = w.workers[0].wallet._confirmations

        async def decided() -> bool:
            return bool(waiting._watermarks) or await w.pending() > 1

        await until(decided)
        await w.start_writer()
        answer = await result
        assert (answer.code, answer.reason, answer.balance) == (Code.R3, "result_of_cancelled", 1000)
        assert (await cancel).code is Code.R0
        assert await w.epochs() == [1]
        await w.check([user])


async def test_an_old_identity_with_other_content_is_a_conflict():
    """R3, with the ledger's balance, not that of the attempt that Redis let through."""
    async with world(shards=1, deadline_ms=4000) as w:
        user = await w.player("p", 1000)
        await w.apply(w.bet(user, "g", 100, tid="bet"))
        await forget(w, user)
        answer = await w.settle(w.bet(user, "h", 300, tid="bet"))
        assert (answer.code, answer.reason, answer.balance) == (Code.R3, "conflict", 900)
        assert (await w.check([user]))[user].balance == 900


@pytest.mark.parametrize("loaded", [True, False])
async def test_old_timestamps_of_every_kind(loaded):
    """A whole round with timestamps a month old, in a wallet that is loaded or is not; then once more."""
    async with world(workers=2, shards=1) as w:
        user = await w.player("p", 1000)
        old = w.clock.now_ms() - OLD_MS
        commands = [
            w.command(Kind.LOGIN, user, at_ms=old),
            w.bet(user, "g", 100, 50, at_ms=old + 1),
            w.bets(Kind.CANCEL, user, "g", Item("2", "P", 50), at_ms=old + 2),
            w.bets(Kind.RESULT, user, "g", Item("1", "P", 100, 95), at_ms=old + 3),
            w.bets(Kind.CHANGE, user, "g", Item("1", "P", 100, -100, 95), at_ms=old + 4),
            w.bets(Kind.CANCEL, user, "unknown", 10, at_ms=old + 5),
            w.command(Kind.LOGOUT, user, at_ms=old + 6),
            w.command(Kind.DEPOSIT, user, amount=1, at_ms=old + 7),
        ]
        for round_ in range(2):
            for n, command in enumerate(commands):
                if not loaded:
                    await w.quiet()
                    await w.redis.flushall()
                assert (await w.settle(command, n % 2)).code is Code.R0, (round_, command)
        assert (await w.check([user]))[user].balance == 901


@pytest.mark.parametrize("kind", [Kind.CANCEL, Kind.RESULT, Kind.CHANGE])
async def test_bets_of_an_earlier_epoch_and_rounds_that_left_redis(kind):
    """The bet is found in SQL and changed exactly once, by two workers at once."""
    async with world(workers=2, shards=1, deadline_ms=4000) as w:
        user = await w.player("p", 1000)
        await w.apply(w.bet(user, "g", 100))
        item, balance = Item("1", "P", 100), 1000
        if kind is not Kind.CANCEL:
            item, balance = Item("1", "P", 100, 50), 1050
        if kind is Kind.CHANGE:
            await w.apply(w.bets(Kind.RESULT, user, "g", item))
            item, balance = Item("1", "P", 100, -100, 50), 900
        await w.quiet()
        await w.redis.flushall()
        await w.settle(w.command(Kind.LOGIN, user))
        for name in await w.redis.keys("{0}:r:*"):
            await w.redis.delete(name)
        answers = await gather(*(w.settle(w.bets(kind, user, "g", item), n % 2) for n in range(10)))
        assert {answer.code for answer in answers} == {Code.R0}
        assert (await w.check([user]))[user].balance == balance


async def test_a_result_for_an_unknown_bet_waits_for_it():
    """An orphan is R1, however often; after the bet has come it settles."""
    async with world(shards=1) as w:
        user = await w.player("p", 1000)
        result = w.bets(Kind.RESULT, user, "g", Item("1", "P", 100, 50))
        for _ in range(3):
            assert (await w.apply(result)).reason == "orphan"
        assert (await w.apply(w.bet(user, "g", 100))).code is Code.R0
        assert (await w.apply(result)).balance == 1050
        await w.check([user])


async def test_a_busy_player_does_not_keep_his_cold_events_waiting():
    """Twenty tasks bet without pause: an old cancel, and an old result, are answered within the deadline."""
    async with world(workers=2, shards=1, deadline_ms=1000) as w:
        user = await w.player("p", 1_000_000)
        for n in range(10):
            await w.apply(w.bet(user, f"old{n}", 100))
        await w.quiet()
        await w.redis.flushall()
        await w.settle(w.command(Kind.LOGIN, user))
        for name in await w.redis.keys("{0}:r:*"):
            await w.redis.delete(name)
        busy, bets = True, 0

        async def keep_betting(task: int) -> None:
            nonlocal bets
            while busy:
                answer = await w.apply(w.bet(user, f"b{task}-{bets}", 1), task % 2)
                assert answer.code is Code.R0
                bets += 1

        def slow(name: str):
            return asyncio.sleep(0.01) if name == "commit" else None

        w.store.before = slow
        betting = [asyncio.create_task(keep_betting(task)) for task in range(20)]
        await until(lambda: bets > 50)
        for n in range(10):
            kind, item = (Kind.CANCEL, Item("1", "P", 100)) if n % 2 else (Kind.RESULT, Item("1", "P", 100, -100))
            answer = await w.apply(w.bets(kind, user, f"old{n}", item, at_ms=1), n % 2)
            assert answer.code is Code.R0, answer
        busy = False
        await gather(*betting)
        assert (await w.check([user]))[user].balance == 1_000_000 - 10 * 100 + 5 * 100 - bets


async def test_periods_follow_the_clock_of_redis():
    """One step for each window that passes, whatever jumps the clock makes; an event is known for a window at least."""
    async with world(workers=2, shards=1) as w:
        user = await w.player("p", 1000)

        async def period() -> int:
            return int((await w.head(0))["period"])

        async def in_period(number: int) -> None:
            async def reached() -> bool:
                return await period() == number

            await until(reached, f"period {number}")

        bet = w.bet(user, "g", 10)
        assert (await w.apply(bet)).code is Code.R0
        for number in (1, 2, 3):
            await w.pass_time(HOUR_MS + 1)
            await in_period(number)
            # within two windows Redis still knows it; later SQL does
            answer = await w.apply(bet, number % 2)
            assert (answer.code, answer.reason, answer.balance) == (Code.R0, "duplicate", 990)
        await w.pass_time(-10 * HOUR_MS)
        await asyncio.sleep(0.6)  # the writer confirms all shards twice
        assert await period() == 3
        assert (await w.apply(w.bet(user, "h", 10))).code is Code.R0
        await w.pass_time(HOUR_MS + 1)
        await in_period(4)
        await w.pass_time(100 * HOUR_MS)  # forward by far: one step, not a hundred
        await in_period(5)
        await asyncio.sleep(0.6)
        assert await period() == 5
        assert (await w.check([user]))[user].balance == 980


@pytest.mark.parametrize("after", [1.0, 1.3, 1.6, 1.9])
async def test_an_event_is_recognised_by_redis_alone_for_a_window(after):
    """Repeated after 1.0 window (re-stamped, so that nothing makes it cold): Redis or SQL, one movement."""
    async with world(shards=1, deadline_ms=4000) as w:
        user = await w.player("p", 1000)
        await w.apply(w.bet(user, "g", 10, tid="bet"))
        await w.pass_time(int(after * HOUR_MS) + 1)
        await asyncio.sleep(0.3)  # the writer confirms all shards
        answer = await w.settle(w.bet(user, "g", 10, tid="bet"))
        assert (answer.code, answer.reason, answer.balance) == (Code.R0, "duplicate", 990)
        assert await w.epochs() == [1]
        await w.check([user])


async def test_a_repetition_is_answered_from_sql_while_the_writer_is_away():
    """Redis takes the stake a second time, for now; the answer names the ledger's balance, and the ledger keeps it."""
    async with world(shards=1, deadline_ms=4000) as w:
        user = await w.player("p", 1000)
        await w.apply(w.bet(user, "g", 100, tid="bet"))
        await forget(w, user)
        await w.redis.delete(*await w.redis.keys("{0}:r:*"))
        await w.stop_writer()
        answer = await w.apply(w.bet(user, "g", 100, tid="bet"))
        assert (answer.code, answer.balance) == (Code.R0, 900)
        await w.start_writer()
        assert (await w.check([user]))[user].balance == 900


@pytest.mark.parametrize("at_ms", [None, 1])
async def test_a_look_up_of_an_epoch_that_is_over_is_not_used(monkeypatch, at_ms):
    """Between look-up and execution the epoch ends, and another worker cancels the bet: one refund.
    A second bet keeps the round open, so that nothing else would notice.
    """
    async with world(workers=2, shards=1, deadline_ms=5000) as w:
        user = await w.player("p", 1000)
        await w.apply(w.bet(user, "g", 100, 50))
        await w.quiet()
        await w.redis.delete(*await w.redis.keys("{0}:r:*"))
        core, left = w.workers[0], 1
        real = core.ledger.lookup

        async def lookup(*args):
            nonlocal left
            found = await real(*args)
            if left and found.seq:
                left -= 1
                await w.redis.flushall()
                cancelled = await w.settle(w.bets(Kind.CANCEL, user, "g", 100, tid="first"), 1)
                assert (cancelled.code, cancelled.balance) == (Code.R0, 950)
                await w.quiet()
                await w.redis.delete(*await w.redis.keys("{0}:r:*"))
                await core.wallet._shards.refresh()
            return found

        monkeypatch.setattr(core.ledger, "lookup", lookup)
        more = {} if at_ms is None else {"at_ms": at_ms}
        answer = await w.apply(w.bets(Kind.CANCEL, user, "g", 100, tid="second", **more))
        assert left == 0
        assert (answer.code, answer.reason, answer.balance) == (Code.R0, "repeated", 950)
        assert (await w.check([user]))[user].balance == 950
