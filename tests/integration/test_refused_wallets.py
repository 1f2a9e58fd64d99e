"""An entry that SQL refuses costs its wallet a reload. The shard keeps its epoch, and no other player notices."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from seamless_wallet.commands import Code, Item, Kind, round_digest
from seamless_wallet.engine import keys
from seamless_wallet.ledger.entry import Decision, parse_decision
from seamless_wallet.ledger.payload import PAYLOAD_VERSION
from seamless_wallet.observability import metrics
from seamless_wallet.writer import evictions
from seamless_wallet.writer.evictions import Evictions
from tests.integration.bettors import bettors, verify_all
from tests.integration.waiting import gather, until
from tests.integration.world import World, world


async def forget_everything_of(w: World, user: str) -> None:
    """Redis loses the player's events and rounds, and keeps his wallet: what he sends again looks new to it."""
    await w.quiet()
    shard = w.shard(user)
    epoch = (await w.epochs())[shard]
    async for name in w.redis.scan_iter(match=f"{{{shard}}}:[ri]:{epoch}:*"):
        await w.redis.delete(name)


async def old_bets(w: World, user: str, number: int) -> list[str]:
    """Settled bets that Redis has forgotten."""
    games = [f"old-{n}" for n in range(number)]
    for game in games:
        assert (await w.settle(w.bet(user, game, 10))).code is Code.R0
        assert (await w.settle(w.bets(Kind.RESULT, user, game, Item("1", "P", 10, 5)))).code is Code.R0
    await forget_everything_of(w, user)
    return games


async def voids(w: World) -> int:
    """How many entries are void."""
    return sum([len(await w.ledger.voids(shard, 1)) for shard in range(w.settings.shards)])


async def test_a_provider_that_sends_old_bets_as_new_ones_is_soon_asked_for():
    """Under new ids and times: each is R0 and moves nothing. The first costs a reload, then SQL is asked first"""
    async with world(workers=2, shards=1, deadline_ms=5000) as w:
        user = await w.player("p", 1000)
        others = await bettors(w, 4)
        games = await old_bets(w, user, 12)
        epochs, loads = await w.epochs(), metrics.PLAYER_LOADS.labels("installed").value
        playing = [asyncio.create_task(other.play(6, 2)) for other in others]
        for n, game in enumerate(games):
            answer = await w.settle(w.bet(user, game, 10), n % 2)
            assert (answer.code, answer.balance) == (Code.R0, 1000 + 5 * len(games))
        await gather(*playing)
        assert await w.epochs() == epochs
        assert await voids(w) == 1
        assert metrics.PLAYER_LOADS.labels("installed").value == loads + 1
        await verify_all(w, others)
        assert (await w.check([user]))[user].balance == 1000 + 5 * len(games)


async def test_what_the_wallet_decides_meanwhile_is_decided_again():
    """Bets of the same player behind the refused one rest on money that he never had, or had: each ends exact"""
    async with world(workers=2, shards=1, deadline_ms=10_000) as w:
        user = await w.player("p", 1000)
        (game,) = await old_bets(w, user, 1)
        await w.stop_writer()
        calls = [asyncio.create_task(w.apply(w.bet(user, game, 10)))]
        calls += [asyncio.create_task(w.apply(w.bet(user, f"new-{n}", 1), n % 2)) for n in range(20)]
        await until(lambda: written(w, 10))
        await w.start_writer()
        answers = await gather(*calls)
        assert [answer.code for answer in answers] == [Code.R0] * 21
        assert (await w.check([user]))[user].balance == 1005 - 20
        assert await w.epochs() == [1]
        assert await voids(w) >= 10


async def written(w: World, number: int) -> bool:
    """Whether so many entries wait for the writer."""
    return await w.pending() >= number


@pytest.mark.parametrize("step", ["_suspend", "_evict"])
async def test_a_writer_that_dies_before_the_wallet_is_gone(monkeypatch, step):
    """The next one meets the wallet's next entry, and it is refused again"""
    async with world(shards=1, deadline_ms=10_000) as w:
        user = await w.player("p", 1000)
        (game,) = await old_bets(w, user, 1)
        reached = asyncio.Event()

        async def die(*_: Any) -> None:
            reached.set()
            await asyncio.Event().wait()

        monkeypatch.setattr(Evictions, step, die)
        call = asyncio.create_task(w.apply(w.bet(user, game, 10)))
        await asyncio.wait_for(reached.wait(), 10)
        await w.stop_writer()
        monkeypatch.undo()
        await w.start_writer()
        others = await gather(*(w.settle(w.bet(user, f"new-{n}", 1)) for n in range(5)))
        assert {answer.code for answer in others} == {Code.R0}
        assert (await call).code is Code.R0
        assert (await w.check([user]))[user].balance == 1000


async def test_who_did_not_hear_of_the_refusal_finds_it_in_sql(monkeypatch):
    """The message is lost: the sweep sees that the entry is void, and asks for no epoch"""
    async with world(shards=1, deadline_ms=10_000) as w:
        user = await w.player("p", 1000)
        (game,) = await old_bets(w, user, 1)
        messages = w.workers[0].wallet._confirmations.messages
        take = messages._take
        monkeypatch.setattr(messages, "_take", lambda told: take(told._replace(tokens="")))
        answer = await w.apply(w.bet(user, game, 10))
        assert (answer.code, answer.balance) == (Code.R0, 1005)
        assert await w.epochs() == [1]


async def test_a_load_that_began_before_brings_nothing_back(monkeypatch):
    """A snapshot from before the void entries is held up until the wallet has gone: it is refused, and read anew"""
    async with world(workers=2, shards=1, deadline_ms=10_000) as w:
        user = await w.player("p", 1000)
        bet = w.bet(user, "g", 100)
        assert (await w.apply(bet)).code is Code.R0
        await w.quiet()
        epoch = (await w.epochs())[0]
        await w.redis.delete(keys.wallet(0, epoch, user))
        loader = w.workers[1].wallet._loader
        install, held, release = loader._install, asyncio.Event(), asyncio.Event()

        async def hold(*args: Any) -> str:
            if not held.is_set():
                held.set()
                await release.wait()
            return await install(*args)

        monkeypatch.setattr(loader, "_install", hold)
        late = asyncio.create_task(w.apply(w.command(Kind.LOGIN, user), 1))
        await asyncio.wait_for(held.wait(), 10)
        assert (await w.settle(w.bets(Kind.CANCEL, user, "g", Item("1", "P", 100)))).code is Code.R0
        await w.quiet()
        name = keys.round_(0, epoch, round_digest(bet))
        await w.redis.hset(name, mapping={"1": "O 100", "": "1"})
        assert (await w.settle(w.bet(user, "g", 100))).reason == "bet_cancelled"
        release.set()
        assert (await late).code is Code.R0
        assert (await w.check([user]))[user].balance == 1000
        assert await w.epochs() == [1]


async def test_a_payload_of_a_newer_version_stops_its_shard_and_no_other():
    """No epoch, no void entry: it waits there for a writer that can read it"""
    async with world(shards=2, deadline_ms=2000) as w:
        users = [await w.player(f"p{n}", 1000) for n in range(8)]
        await w.quiet()
        head = (await w.ledger.heads())[0]
        newer = bytes([0x91, PAYLOAD_VERSION + 1])
        before = (await w.head(0))["last"]
        fields: dict[Any, Any] = {"u": users[0], "p": "games", "e": newer, "d": "1 0 0 0 0 ", "t": "x.1", "b": before}
        await w.redis.xadd(keys.stream(0, head.epoch), fields, f"{head.epoch}-{head.seq + 1}")
        await w.redis.hset(keys.head(0), mapping={"seq": head.seq + 1, "last": "x.1"})
        answers = dict(zip(users, await gather(*(w.apply(w.bet(user, "g", 1)) for user in users)), strict=True))
        stopped = {user for user in users if w.shard(user) == 0}
        assert {user for user, answer in answers.items() if answer.code is Code.R1} == stopped
        assert {user for user, answer in answers.items() if answer.code is Code.R0} == set(users) - stopped
        assert await w.epochs() == [1, 1]
        assert await voids(w) == 0
        assert (await w.ledger.heads())[0].seq == head.seq


async def test_a_wallet_that_conflicts_again_and_again_is_frozen(monkeypatch):
    """Something changes Redis behind the service's back: R1 at once, other players go on; after a while it is tried"""
    monkeypatch.setattr(evictions, "FREEZE_S", 3.0)
    async with world(shards=1, deadline_ms=2000) as w:
        user, other = await w.player("p", 1000), await w.player("q", 1000)
        epoch = (await w.epochs())[0]

        async def frozen() -> bool:
            await w.redis.hincrby(keys.wallet(0, epoch, user), "version", 1)  # wrong, as often as it is loaded
            return (await w.apply(w.command(Kind.LOGIN, user))).reason == "frozen"

        await until(frozen)
        assert (await w.apply(w.bet(other, "g", 10))).code is Code.R0
        assert await w.epochs() == [epoch]
        answer = await w.settle(w.command(Kind.LOGIN, user))
        assert (answer.code, answer.balance) == (Code.R0, 1000)
        assert (await w.check([user, other]))[user].balance == 1000


async def test_a_provider_that_uses_ids_again_freezes_nobody(monkeypatch):
    """However often"""
    monkeypatch.setattr(evictions, "FREEZE_AFTER", 1)
    async with world(shards=1, deadline_ms=5000) as w:
        user = await w.player("p", 1000)
        (game,) = await old_bets(w, user, 1)
        assert (await w.apply(w.bet(user, game, 10))).code is Code.R0


async def test_an_entry_of_a_newer_version_behind_a_refused_one_stops_its_shard_and_no_other(monkeypatch):
    """Whether it is void only a writer that can read it may say"""
    async with world(shards=2, deadline_ms=2000) as w:
        users = [await w.player(f"p{n}", 1000) for n in range(8)]
        user = next(user for user in users if w.shard(user) == 0)
        other = next(user for user in users if w.shard(user) == 1)
        (game,) = await old_bets(w, user, 1)

        async def not_yet(*_: Any) -> None:
            """The wallet is on its way out for a while."""

        monkeypatch.setattr(Evictions, "_suspend", not_yet)
        errors = metrics.UNEXPECTED_ERRORS.labels("writer").value
        refused = asyncio.create_task(w.apply(w.bet(user, game, 10)))
        await until(lambda: refused_once(w), "refused")
        head = await w.head(0)
        epoch, seq = int(head["epoch"]), int(head["seq"]) + 1
        rows: Any = await w.redis.xrevrange(keys.stream(0, epoch), count=1)
        before = parse_decision(rows[0][1][b"d"])
        decided = Decision(before.version + 1, before.balance, before.debt, 0, 0, "").text()
        newer = bytes([0x91, PAYLOAD_VERSION + 1])
        fields: dict[Any, Any] = {"u": user, "p": "games", "e": newer, "d": decided, "t": "x.1", "b": head["last"]}
        await w.redis.xadd(keys.stream(0, epoch), fields, f"{epoch}-{seq}")
        await w.redis.hset(keys.head(0), mapping={"seq": seq, "last": "x.1"})
        assert (await refused).code is Code.R1
        assert (await w.apply(w.bet(other, "g", 1))).code is Code.R0
        assert await w.epochs() == [1, 1]
        assert metrics.UNEXPECTED_ERRORS.labels("writer").value == errors


async def test_what_is_before_an_entry_of_a_newer_version_is_committed():
    """It is read in one piece with it, and is confirmed; then the shard stops, with one line"""
    async with world(shards=1, deadline_ms=10_000) as w:
        user = await w.player("p", 1000)
        await w.quiet()
        await w.stop_writer()
        calls = [asyncio.create_task(w.apply(w.bet(user, f"g{n}", 10))) for n in range(5)]
        await until(lambda: written(w, 5))
        head = await w.head(0)
        seq = int(head["seq"]) + 1
        newer = bytes([0x91, PAYLOAD_VERSION + 1])
        fields: dict[Any, Any] = {"u": user, "p": "games", "e": newer, "d": "1 0 0 0 0 ", "t": "x.1", "b": head["last"]}
        await w.redis.xadd(keys.stream(0, 1), fields, f"1-{seq}")
        await w.redis.hset(keys.head(0), mapping={"seq": seq, "last": "x.1"})
        with capture_logs() as logs:
            await w.start_writer(ready=False)
            assert {answer.code for answer in await gather(*calls)} == {Code.R0}
            await until(lambda: any(line["event"] == "shard_stopped" for line in logs), "stopped")
        assert [line["event"] for line in logs if line["log_level"] == "error"] == ["shard_stopped"]
        assert (await w.ledger.heads())[0].seq == seq - 1
        assert await w.epochs() == [1]


async def refused_once(w: World) -> bool:
    """Whether an entry is void."""
    return await voids(w) > 0


async def test_the_rounds_of_void_entries_go_although_their_writer_dies(monkeypatch):
    """The writer dies between the void commit and the suspension. What the void cancel left must not be told"""
    async with world(shards=1, deadline_ms=5000) as w:
        user = await w.player("p", 1000)
        (game,) = await old_bets(w, user, 1)
        await w.stop_writer()
        refused = asyncio.create_task(w.apply(w.bet(user, game, 10)))
        await asyncio.sleep(0.3)
        stray = asyncio.create_task(w.apply(w.bet(user, "stray", 100)))  # decided on top of the refused one
        await asyncio.sleep(0.3)
        reached = asyncio.Event()

        async def die(*_: Any) -> None:
            reached.set()
            await asyncio.Event().wait()

        monkeypatch.setattr(Evictions, "_suspend", die)
        await w.start_writer(ready=False)
        await asyncio.wait_for(reached.wait(), 10)
        await w.stop_writer()
        stray.cancel(), refused.cancel()
        await asyncio.gather(stray, refused, return_exceptions=True)
        monkeypatch.undo()
        await w.start_writer()
        assert (await w.settle(w.bet(user, "other", 1))).code is Code.R0
        # SQL has no bet `stray`: its cancellation is a tombstone, whatever amount it names
        answer = await w.settle(w.bets(Kind.CANCEL, user, "stray", Item("1", "P", 70)))
        assert answer.code is Code.R0, answer


async def test_a_player_unknown_to_sql_whose_wallet_a_dead_writer_suspended_can_be_created():
    """EXISTS is no MISS: nobody asks for the eviction"""
    async with world(shards=1, deadline_ms=1500) as w:
        await w.player("other", 10)
        await w.quiet()
        seq = (await w.ledger.heads())[0].seq
        await w.redis.hset(keys.wallet(0, 1, "new"), mapping={"seq": seq, "suspended": seq, "rounds": ""})
        assert (await w.apply(w.command(Kind.CREATE, "new", "create", currency="KRW"))).code is Code.R0
