"""Redis and SQL have different histories, or entries between them are missing: no money moves by the wrong one."""

from __future__ import annotations

import asyncio

import pytest

from seamless_wallet.commands import Code, Item, Kind
from seamless_wallet.engine import keys
from tests.integration.waiting import gather, until
from tests.integration.world import World, world


async def test_a_history_that_was_rolled_back_and_continued_is_a_fork():
    """SQL has seq n+1 as one event, Redis as another: the other runs again in a new epoch, both are paid for."""
    async with world(shards=1, deadline_ms=3000) as w:
        user = await w.player("p", 1000)
        await w.quiet()
        copied = await w.copy_keys()
        first = await w.apply(w.bet(user, "a", 100))
        assert (first.code, first.balance) == (Code.R0, 900)
        await w.quiet()
        await w.stop_writer()
        await w.put_back(copied)
        other = asyncio.create_task(w.apply(w.bet(user, "b", 30)))
        await until(lambda: same_seq(w))
        await w.start_writer()
        answer = await other
        assert (answer.code, answer.balance) == (Code.R0, 870)
        assert (await w.check([user]))[user].balance == 870
        assert await w.epochs() == [2]


async def same_seq(w: World) -> bool:
    """Whether Redis has written as far as SQL."""
    return int((await w.head(0))["seq"]) == (await w.ledger.heads())[0].seq


async def test_a_fork_is_found_by_the_repetition_even_if_its_first_caller_is_gone():
    """Redis holds a record of an event that SQL never got, at a seq that SQL has passed."""
    async with world(shards=1, deadline_ms=300) as w:
        user = await w.player("p", 1000)
        await w.quiet()
        copied = await w.copy_keys()
        await w.apply(w.bet(user, "a", 100))
        await w.quiet()
        await w.stop_writer()
        await w.put_back(copied)
        bet = w.bet(user, "b", 30)
        assert (await w.apply(bet)).code is Code.R1
        await w.start_writer()
        answer = await w.settle(bet)
        assert (answer.code, answer.balance) == (Code.R0, 870)
        assert (await w.check([user]))[user].balance == 870


async def test_a_fork_that_overtakes_sql_does_not_mix_with_it():
    """Rolled back and continued beyond SQL's seq with the same amounts, so that versions and balances fit again."""
    async with world(shards=1, deadline_ms=3000) as w:
        user = await w.player("p", 1000)
        await w.quiet()
        copied = await w.copy_keys()
        for n in range(4):
            assert (await w.apply(w.bet(user, f"a{n}", 100))).code is Code.R0
        await w.quiet()
        await w.stop_writer()
        await w.put_back(copied)
        bets = []
        for n in range(6):  # two beyond SQL
            bets.append(asyncio.create_task(w.apply(w.bet(user, f"b{n}", 100))))
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        await w.start_writer()
        answers = await gather(*bets)
        assert [answer.code for answer in answers] == [Code.R0] * 6
        assert (await w.check([user]))[user].balance == 0
        assert w.settings.shards == 1


@pytest.mark.parametrize("lost", ["first", "middle", "last", "all"])
async def test_missing_entries_are_a_gap(lost):
    """Entries that SQL has not got yet are deleted from the stream: their events run again. A quiet shard, too."""
    async with world(shards=1, deadline_ms=4000) as w:
        user = await w.player("p", 1000)
        await w.quiet()
        await w.stop_writer()
        bets = [asyncio.create_task(w.apply(w.bet(user, f"g{n}", 100))) for n in range(3)]

        async def written() -> bool:
            return await w.pending() == 3

        await until(written)
        stream = keys.stream(0, 1)
        ids = [entry_id for entry_id, _ in await w.redis.execute_command("XRANGE", stream, "-", "+")][-3:]
        doomed = {"first": ids[:1], "middle": ids[1:2], "last": ids[2:], "all": ids}[lost]
        await w.redis.xdel(stream, *doomed)
        await w.start_writer()
        assert {answer.code for answer in await gather(*bets)} == {Code.R0}
        assert (await w.check([user]))[user].balance == 700
        assert await w.epochs() == [2]


async def test_a_refund_of_a_bet_that_sql_never_took_is_not_committed():
    """Rolled back; a bet at a seq that SQL has passed; its cancel beyond, where version, balance and round all fit."""
    async with world(shards=1, deadline_ms=300) as w:
        user = await w.player("p", 1000)
        await w.quiet()
        copied = await w.copy_keys()
        assert (await w.apply(w.bet(user, "g", Item("1", "P", 100)))).code is Code.R0
        await w.quiet()
        await w.stop_writer()
        await w.put_back(copied)
        assert (await w.apply(w.bet(user, "g", Item("2", "P", 100)))).code is Code.R1
        cancel = w.bets(Kind.CANCEL, user, "g", Item("2", "P", 100))
        assert (await w.apply(cancel)).code is Code.R1
        await w.start_writer()
        assert (await w.settle(cancel)).code is Code.R0
        assert (await w.check([user]))[user].balance == 900
