"""Two PostgreSQL servers, of which one is lost, lags, is away, or lives on: what was acknowledged is there, once."""

from __future__ import annotations

import asyncio

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from seamless_wallet.commands import Code, Kind
from seamless_wallet.engine import keys
from seamless_wallet.observability import metrics
from seamless_wallet.recovery import ForeignWriter
from tests.integration.bettors import bettors, verify_all
from tests.integration.postgres_pair import Pair, world_on
from tests.integration.waiting import WAIT_S, gather, until
from tests.integration.world import World


async def entries_in(w: World) -> int:
    """So many does SQL have."""
    return sum(head.seq for head in await w.ledger.heads())


async def play_goes_on(w: World, entries: int) -> None:
    """Until SQL has so many more."""
    enough = await entries_in(w) + entries

    async def has_enough() -> bool:
        return await entries_in(w) >= enough

    await until(has_enough, "play")


@pytest.mark.long
async def test_a_server_that_is_killed_under_load_and_started_again(pair):
    """SIGKILL of all its processes, twice: everything acknowledged is there once, and play goes on by itself."""
    async with world_on(pair, workers=2, shards=3, deadline_ms=1500) as w:
        players = await bettors(w, 6)
        for _ in range(2):
            playing = [asyncio.create_task(player.play(10, workers=2)) for player in players]
            await play_goes_on(w, 20)
            await asyncio.to_thread(pair.primary.kill)
            await asyncio.to_thread(pair.primary.start)
            await gather(*playing)
        await verify_all(w, players)
        assert await w.epochs() == [1] * 3


async def test_fail_over_to_a_synchronous_standby(pair):
    """Under load: nothing that was acknowledged is missing there, so nothing is read twice, and no epoch is opened."""
    await pair.synchronous()
    async with world_on(pair, workers=2, shards=3, deadline_ms=1500) as w:
        players = await bettors(w, 6)
        playing = [asyncio.create_task(player.play(12, workers=2)) for player in players]
        await play_goes_on(w, 20)
        missing = metrics.LEDGER_ENTRIES_MISSING.labels().value
        with capture_logs() as logs:
            await pair.fail_over()
            await gather(*playing)
        await verify_all(w, players)
        assert await w.epochs() == [1] * 3
        assert "ledger_set_back" not in {line["event"] for line in logs}
        assert metrics.LEDGER_ENTRIES_MISSING.labels().value == missing


@pytest.mark.parametrize(
    "renamed",
    [pytest.param(False, id="as it was"), pytest.param(True, id="named meanwhile", marks=pytest.mark.long)],
)
async def test_fail_over_to_a_standby_that_lags(pair, renamed):
    """What it lacks was acknowledged, and is read from the tails of the streams.

    Without an epoch, unless it has never heard of the writer that the heads in Redis name.
    """
    async with world_on(pair, workers=2, shards=3, deadline_ms=1500) as w:
        players = await bettors(w, 6)
        await w.quiet()
        await pair.detach()
        if renamed:
            await w.stop_writer()
            await w.start_writer()
        playing = [asyncio.create_task(player.play(16, workers=2)) for player in players]
        await play_goes_on(w, 60)
        missing = metrics.LEDGER_ENTRIES_MISSING.labels().value
        await pair.fail_over()
        if renamed:
            await w.redis.delete(*map(keys.heartbeat, range(3)))
        await gather(*playing)
        await verify_all(w, players)
        assert await w.epochs() == [2 if renamed else 1] * 3
        assert metrics.LEDGER_ENTRIES_MISSING.labels().value == missing


@pytest.mark.long
async def test_a_primary_that_is_frozen_while_its_standby_takes_over(pair):
    """It breaks no connection, and is the first that the URL names: everybody leaves it all the same."""
    async with world_on(pair, workers=2, shards=3, deadline_ms=1500) as w:
        players = await bettors(w, 6)
        playing = [asyncio.create_task(player.play(8, workers=2)) for player in players]
        await play_goes_on(w, 20)
        pair.primary.freeze()
        await pair.promote()
        await gather(*playing)
        await verify_all(w, players)
        assert await w.epochs() == [1] * 3


async def waiting_bet(w: World, pair: Pair, user: str) -> asyncio.Task[Code]:
    """A bet of 10 that Redis has decided, and whose commit waits for a standby that is away."""
    await pair.detach()
    bet = w.bet(user, "waits", 10, tid="waits")

    async def send() -> Code:
        return (await w.settle(bet)).code

    sent = asyncio.create_task(send())
    await pair.commit_waits()
    assert (await w.apply(bet)).code is Code.R1, "it is decided, and not there yet"
    return sent


@pytest.mark.parametrize("ends", ["the standby is back", pytest.param("without it", marks=pytest.mark.long)])
async def test_what_waits_for_a_standby_is_not_told(pair, ends):
    """Nor is a repetition of it, until the commit has returned. Then both are, and it was one bet."""
    await pair.synchronous()
    async with world_on(pair, shards=1, deadline_ms=500) as w:
        user = await w.player("p", 1000)
        sent = await waiting_bet(w, pair, user)
        if ends == "the standby is back":
            await pair.attach()
        else:
            await pair.synchronous(names="")
        assert await sent is Code.R0
        assert (await w.check([user]))[user].balance == 990
        assert await w.epochs() == [1]


@pytest.mark.long
async def test_what_waits_for_a_standby_outlives_its_writer_and_is_told_by_the_next_one(pair):
    """Its backend holds the shard until the standby is back: no other writer can commit beside it, or over it."""
    await pair.synchronous()
    async with world_on(pair, shards=1, deadline_ms=500) as w:
        user = await w.player("p", 1000)
        sent = await waiting_bet(w, pair, user)
        await w.stop_writer()
        starting = asyncio.create_task(w.start_writer())
        assert (await w.apply(w.bet(user, "later", 10))).code is Code.R1
        await pair.attach()
        await starting
        assert await sent is Code.R0
        assert (await w.check([user]))[user].balance <= 990
        assert await w.epochs() == [1]


async def test_a_primary_that_is_lost_while_a_commit_waits_for_its_standby(pair):
    """The standby has never heard of it. It was not acknowledged, and is committed there all the same: Redis has it."""
    await pair.synchronous()
    async with world_on(pair, shards=1, deadline_ms=500) as w:
        user = await w.player("p", 1000)
        sent = await waiting_bet(w, pair, user)
        await pair.fail_over()
        assert await sent is Code.R0
        assert (await w.check([user]))[user].balance == 990
        assert await w.epochs() == [1]


async def split(w: World, pair: Pair, user: str) -> None:
    """The standby is promoted and nobody told the old primary, which has five more bets of 10, all acknowledged."""
    await w.quiet()
    await pair.detach()
    await pair.promote()
    for number in range(5):
        assert (await w.settle(w.bet(user, f"a{number}", 10, tid=f"a{number}"))).code is Code.R0
    await w.quiet()


def use(w: World, url: str) -> None:
    """Whatever is started from now on has its ledger there."""
    w.settings = w.settings.model_copy(update={"ledger_url": SecretStr(url)})


async def all_is_there(w: World, user: str) -> None:
    """The five bets and one more, once."""
    for number in range(5):
        assert (await w.settle(w.bet(user, f"a{number}", 10, tid=f"a{number}"))).reason == "duplicate"
    assert (await w.settle(w.bet(user, "new", 10))).code is Code.R0
    assert (await w.check([user]))[user].balance == 940
    assert await w.epochs() == [1]


@pytest.mark.long
async def test_an_old_primary_that_lives_on_with_its_writer(pair):
    """The writer of the new one ends, as that one works on this Redis: nothing is confirmed by two ledgers.

    Once it is gone, all that it has acknowledged meanwhile is read from the streams.
    """
    async with world_on(pair, shards=1, deadline_ms=500) as w:
        user = await w.player("p", 1000)
        await split(w, pair, user)
        old, w.writing = w.writing, None
        use(w, pair.url_at(pair.standby))
        await w.start_writer()  # it is ready for any shard that is free
        with pytest.raises(ExceptionGroup) as ended:
            await asyncio.wait_for(w.writer_ends(), WAIT_S)
        assert ended.group_contains(ForeignWriter)
        assert (await w.apply(w.bet(user, "a0", 10, tid="a0"))).reason == "duplicate"
        w.writing = old
        await w.move_ledger()
        await all_is_there(w, user)


async def test_a_writer_of_the_old_primary_that_wakes_up_confirms_nothing_and_ends(pair):
    """It hung in the middle of a cycle while the one of the new primary took its shards over."""
    async with world_on(pair, shards=1, deadline_ms=500) as w:
        user = await w.player("p", 1000)
        await split(w, pair, user)
        resumed = asyncio.Event()
        w.store.before = lambda name: resumed.wait() if name == "commit" else None  # type: ignore[assignment,return-value]
        assert (await w.apply(w.bet(user, "hangs", 10, tid="hangs"))).code is Code.R1
        old, w.writing = w.writing, None
        assert old
        use(w, pair.url_at(pair.standby))
        await w.move_ledger()
        await until(lambda: w.writer._shard_states.taken == {0}, "taken over")
        assert (await w.settle(w.bet(user, "hangs", 10, tid="hangs"))).reason == "duplicate"
        resumed.set()
        with pytest.raises(ExceptionGroup) as ended:
            await asyncio.wait_for(old, WAIT_S)
        assert ended.group_contains(ForeignWriter)
        assert (await w.apply(w.bets(Kind.CANCEL, user, "hangs", 10))).code is Code.R0
        await all_is_there(w, user)
