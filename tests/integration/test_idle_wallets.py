"""Idle wallets leave Redis and come back, whatever is in flight meanwhile: nothing is lost or told twice."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest
import structlog
from redis.exceptions import ResponseError

from seamless_wallet.commands import Code, Item, Kind, round_digest
from seamless_wallet.engine import keys
from seamless_wallet.engine.arguments import SuspendArgs
from seamless_wallet.observability import metrics
from seamless_wallet.writer import idle_wallets
from tests.integration.bettors import bettors, verify_all
from tests.integration.several_writers import SQLITE, shared_world
from tests.integration.waiting import gather, until
from tests.integration.world import World, world


async def sweep(w: World, *, round_ms: int = 7_200_000) -> None:
    """As if the time of idleness was over for all that SQL has, and for rounds `round_ms` later."""
    w.writer._idle._idle_ms = round_ms
    await w.writer._idle.sweep([head.seq for head in await w.ledger.heads()])


async def there(w: World, user: str) -> bool:
    """Whether Redis has the wallet."""
    shard = w.shard(user)
    return bool(await w.redis.exists(keys.wallet(shard, (await w.epochs())[shard], user)))


async def test_a_wallet_goes_and_comes_back():
    """Its next event loads it. A repetition of what it did before is known, and its open bet can be settled."""
    async with world(workers=2, deadline_ms=5000) as w:
        user = await w.player("p", 1000)
        bet = w.bet(user, "g", 100)
        assert (await w.apply(bet)).code is Code.R0
        await w.quiet()
        evicted, loaded = metrics.PLAYER_EVICTIONS.labels().value, metrics.PLAYER_LOADS.labels("installed").value
        await sweep(w)
        assert not await there(w, user)
        assert metrics.PLAYER_EVICTIONS.labels().value == evicted + 1
        answer = await w.apply(bet, 1)
        assert (answer.code, answer.reason, answer.balance) == (Code.R0, "duplicate", 900)
        assert await there(w, user)
        assert metrics.PLAYER_LOADS.labels("installed").value == loaded + 1
        await sweep(w)
        answer = await w.apply(w.bets(Kind.RESULT, user, "g", Item("1", "P", 100, 95)))
        assert (answer.code, answer.balance) == (Code.R0, 1095)
        assert (await w.check([user]))[user].balance == 1095
        assert set(await w.epochs()) == {1}


async def test_a_decline_stays_declined():
    """What Redis remembers of a player's events does not go with the wallet (row 6)"""
    async with world(deadline_ms=5000) as w:
        user = await w.player("p", 100)
        bet = w.bet(user, "g", 200)
        assert (await w.apply(bet)).code is Code.R4
        await w.quiet()
        await sweep(w)
        assert not await there(w, user)
        assert (await w.apply(w.command(Kind.DEPOSIT, user, amount=500))).code is Code.R0
        await w.quiet()
        await sweep(w)
        answer = await w.apply(bet)
        assert (answer.code, answer.reason, answer.balance) == (Code.R4, "duplicate", 600)


async def test_a_round_that_has_gone_is_asked_of_sql():
    """Its result, cancel and change are looked up; a bet of it that comes again as new is refused, then answered."""
    async with world(shards=1, deadline_ms=5000) as w:
        user = await w.player("p", 1000)
        bets = [w.bet(user, game, 100, 50) for game in ("result", "cancel", "change", "bet")]
        assert {(await w.apply(bet)).code for bet in bets} == {Code.R0}
        await w.quiet()
        await sweep(w, round_ms=1)
        names = [keys.round_(0, 1, round_digest(bet)) for bet in bets]
        await until(lambda: gone(w, names), "no rounds")
        answers = [
            await w.apply(w.bets(Kind.RESULT, user, "result", Item("1", "P", 100, 95))),
            await w.apply(w.bets(Kind.CANCEL, user, "cancel", Item("1", "P", 100))),
            await w.apply(w.bets(Kind.CHANGE, user, "change", Item("1", "P", 100, 5, 4))),
            await w.apply(w.bet(user, "bet", 100, 50)),
        ]
        known = [(answer.code, answer.reason) for answer in answers]
        assert known[:3] == [(Code.R0, "result"), (Code.R0, "cancel"), (Code.R1, "change_early")]
        assert known[3] == (Code.R0, "repeated")
        assert answers[3].balance == 1000 - 4 * 150 + 195 + 100
        assert (await w.apply(w.bet(user, "cancel", 100, 50, 7))).reason == "bet_cancelled"
        for game, stake in (("result", 50), ("cancel", 50)):
            item = Item("2", "P", stake, 1)
            assert (await w.settle(w.bets(Kind.RESULT, user, game, item))).code is Code.R0
        await w.check([user])
        assert await w.epochs() == [1]


async def gone(w: World, names: list[str]) -> bool:
    """Whether Redis has none of these."""
    return not await w.redis.exists(*names)


async def test_a_bet_that_is_executed_and_not_committed_keeps_its_wallet():
    """Whatever SQL had when the sweep began."""
    async with world(shards=1, deadline_ms=5000) as w:
        user = await w.player("p", 1000)
        await w.quiet()
        held, release = asyncio.Event(), asyncio.Event()

        async def hold(_: str) -> None:
            held.set()
            await release.wait()

        w.store.before = lambda name: hold(name) if name == "commit" else None
        call = asyncio.create_task(w.apply(w.bet(user, "g", 100)))
        await asyncio.wait_for(held.wait(), 10)
        await w.writer._idle.sweep([1_000_000])
        assert await there(w, user)
        release.set()
        assert (await call).balance == 900
        await w.quiet()
        await sweep(w)
        assert not await there(w, user)
        assert (await w.check([user]))[user].balance == 900


async def test_a_bet_that_is_committed_and_not_confirmed_keeps_its_wallet(monkeypatch):
    """Redis does not know yet that SQL has it."""
    async with world(shards=1, deadline_ms=5000) as w:
        user = await w.player("p", 1000)
        await w.quiet()
        held, release = asyncio.Event(), asyncio.Event()
        send, kept = w.writer._confirming.send, list[Any]()

        def hold(batches: Any) -> None:
            kept.append(batches)
            if batches:
                held.set()
            if release.is_set() or not held.is_set():
                for each in kept:
                    send(each)
                kept.clear()

        monkeypatch.setattr(w.writer._confirming, "send", hold)
        call = asyncio.create_task(w.apply(w.bet(user, "g", 100)))
        await asyncio.wait_for(held.wait(), 10)
        await sweep(w)
        assert await there(w, user)
        release.set()
        assert (await call).balance == 900
        assert (await w.check([user]))[user].balance == 900


async def test_a_load_in_flight_brings_nothing_older_back(monkeypatch):
    """It read SQL before the wallet's last entry: refused, and read anew."""
    async with world(workers=2, shards=1, deadline_ms=10_000) as w:
        user = await w.player("p", 1000)
        await w.quiet()
        await sweep(w)
        loader = w.workers[1].wallet._loader
        install, held, release = loader._install, asyncio.Event(), asyncio.Event()

        async def hold(*args: Any) -> str:
            if not held.is_set():
                held.set()
                await release.wait()
            return await install(*args)

        monkeypatch.setattr(loader, "_install", hold)
        late = asyncio.create_task(w.apply(w.bet(user, "late", 10), 1))
        await asyncio.wait_for(held.wait(), 10)
        assert (await w.settle(w.bet(user, "g", 100))).code is Code.R0
        await w.quiet()
        await sweep(w)
        refused = metrics.PLAYER_LOADS.labels("refused").value
        release.set()
        assert (await late).balance == 890
        assert metrics.PLAYER_LOADS.labels("refused").value == refused + 1
        assert (await w.check([user]))[user].balance == 890
        assert await w.epochs() == [1]


async def test_loads_of_others_go_on(monkeypatch):
    """Wallets leave while another one of the shard is being loaded: that load is not refused."""
    async with world(workers=2, shards=1, deadline_ms=10_000) as w:
        users = [await w.player(f"p{n}", 1000) for n in range(8)]
        await w.quiet()
        await w.redis.delete(keys.wallet(0, 1, users[0]))
        loader = w.workers[1].wallet._loader
        install = loader._install

        async def sweep_first(*args: Any) -> str:
            await sweep(w)
            return await install(*args)

        monkeypatch.setattr(loader, "_install", sweep_first)
        refused = metrics.PLAYER_LOADS.labels("refused").value
        assert (await w.apply(w.bet(users[0], "g", 10), 1)).balance == 990
        assert metrics.PLAYER_LOADS.labels("refused").value == refused
        assert not any([await there(w, user) for user in users[1:]])
        await w.check(users)


async def test_a_suspended_wallet_is_not_for_the_sweep():
    """It says what else has to go with it. A worker that meets it asks for the rest, as ever."""
    async with world(shards=1, deadline_ms=10_000) as w:
        user = await w.player("p", 1000)
        await w.quiet()
        names = (keys.head(0), keys.wallet(0, 1, user))
        nonce = w.writer._shard_states.nonce
        command = w.writer._evictions._scripts["suspend"].command(names, SuspendArgs(1, nonce, "", b"", 0))
        await w.writer.pipelines.commands.execute(*command)
        await sweep(w)
        assert await w.redis.hexists(names[1], "suspended")
        assert (await w.settle(w.bet(user, "g", 10))).balance == 990
        assert (await w.check([user]))[user].balance == 990


async def test_periods_end_meanwhile():
    """What was decided before is known after the wallet's return, in whatever period."""
    async with world(workers=2, shards=1, deadline_ms=5000) as w:
        user = await w.player("p", 1000)
        bets = []
        for n in range(4):
            bets.append(w.bet(user, f"g{n}", 10))
            assert (await w.apply(bets[-1])).code is Code.R0
            await w.quiet()
            await w.redis.hset(keys.head(0), "period_at", 0)
            await until(partial(period_is, w, n + 1), "a new period")
            await sweep(w)
            for bet in bets:
                assert (await w.apply(bet, n % 2)).reason == "duplicate"
        assert (await w.check([user]))[user].balance == 960


async def period_is(w: World, number: int) -> bool:
    """Whether so many have ended."""
    return int((await w.head(0))["period"]) >= number


async def test_a_new_epoch_begins_meanwhile():
    """What the sweep found in the old one is left to the recovery."""
    async with world(shards=1, deadline_ms=5000) as w:
        user = await w.player("p", 1000)
        await w.quiet()
        await w.redis.hset(keys.head(0), "epoch", 7)
        await w.writer._idle.sweep([1_000_000])
        answer = await w.settle(w.bet(user, "g", 10))
        assert answer.balance == 990
        assert (await w.check([user]))[user].balance == 990


async def test_a_writer_that_lost_its_nonce_lets_nothing_go():
    """The sweep ends, and the head is looked at before the next cycle."""
    async with world(shards=1, deadline_ms=5000) as w:
        user = await w.player("p", 1000)
        await w.quiet()

        async def stand(_: str) -> None:
            await asyncio.Event().wait()

        w.store.before = stand
        await w.redis.hset(keys.head(0), "nonce", "another")
        w.writer._checks_due.owners = False
        await w.writer._idle.sweep([1_000_000])
        assert w.writer._checks_due.owners
        assert await there(w, user)


async def test_keys_of_others_are_left_alone():
    """Names that only look like ours, shards that are not there, epochs of before."""
    async with world(shards=1, deadline_ms=5000) as w:
        names: list[str | bytes] = ["{0}:w:x:p", "{9}:w:1:p", "{-7}:w:1:p", "{x}:w:1:p", b"{0}:w:1:\xff", "{0}:w:"]
        for name in names:
            await w.redis.hset(name, mapping={"seq": 0})
        await w.writer._idle.sweep([1_000_000])
        assert await w.redis.exists(*names) == len(names)


@pytest.mark.parametrize("idle_s", [0, 2])
async def test_it_sweeps_by_itself(idle_s):
    """After the time of idleness, and a half more at most; never if that is 0. Who plays stays."""
    async with world(shards=2, hot_window_s=1, deadline_ms=100, idle_evict_s=idle_s) as w:
        idle, busy = [await w.player(f"p{n}", 1000) for n in range(2)]
        for n in range(24):
            assert (await w.settle(w.bet(busy, f"g{n}", 1))).code is Code.R0
            await asyncio.sleep(0.17)
        assert await there(w, busy)
        assert await there(w, idle) is not bool(idle_s)
        if idle_s:
            assert metrics.PLAYERS_IN_REDIS.labels().value == 1
        await w.check([idle, busy])


async def test_each_of_several_writers_sweeps_its_own_shards():
    """And counts what stays there; wallets of the others are left to them."""
    async with shared_world(SQLITE, writers=2, workers=1, shards=4) as w:
        users = [await w.player(f"p{number}", 1000) for number in range(8)]
        await w.quiet()
        for writer in w.writers:
            held = writer.held
            await writer.writer._idle.sweep([1_000_000] * 4)
            gone = {user for user in users if not await there(w, user)}
            assert {user for user in users if w.shard(user) in held} <= gone
            users = [user for user in users if user not in gone]
        assert users == []


async def test_a_sweep_that_fails_is_not_the_end(monkeypatch):
    """Of the writer, or of sweeping: it is logged, and the next one comes."""
    errors = iter([ResponseError("no"), RuntimeError("a bug")])
    async with world(shards=1) as w:
        reached = asyncio.Event()

        async def fail(_: Any) -> None:
            error = next(errors, None)
            if error is None:
                reached.set()
                await asyncio.Event().wait()
            else:
                raise error

        monkeypatch.setattr(idle_wallets, "SWEEPS", 100)
        monkeypatch.setattr(w.writer._idle, "sweep", fail)
        monkeypatch.setattr(w.writer._idle, "_idle_since", lambda: [0])
        w.writer._idle._idle_ms = 1000
        with structlog.testing.capture_logs() as logs:
            task = asyncio.create_task(w.writer._idle.sweep_for_ever())
            await asyncio.wait_for(reached.wait(), 10)
        task.cancel()
        assert [log["event"] for log in logs] == ["idle_sweep_interrupted", "idle_sweep_failed"]


async def test_players_play_while_wallets_leave_all_the_time():
    """Every wallet that stands still for a moment goes, and its rounds soon after: every player ends exact."""
    async with world(workers=2, shards=2, deadline_ms=10_000) as w:
        players = await bettors(w, 6)
        playing = asyncio.create_task(play_all(players))
        before = metrics.PLAYER_EVICTIONS.labels().value
        while not playing.done():
            await sweep(w, round_ms=20)
            await asyncio.sleep(0.01)
        await playing
        assert metrics.PLAYER_EVICTIONS.labels().value > before
        await verify_all(w, players)
        assert set(await w.epochs()) == {1}


async def play_all(players: list[Any]) -> None:
    """With pauses."""
    for _ in range(12):
        await gather(*(player.play(2, 2) for player in players))
        await asyncio.sleep(0.05)
