"""The writer reads ahead and does not wait for confirmations; yet one commit follows the other, and all is judged."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from seamless_wallet.commands import Code
from seamless_wallet.engine import keys
from seamless_wallet.ledger.ports import StoreError
from tests.integration.bettors import bettors, verify_all
from tests.integration.waiting import gather, until
from tests.integration.world import World, world


def read_ahead(w: World) -> list[int]:
    """The seqs in shard 0 that wait, read and decoded, for the commit before them."""
    reading = w.writer._reader._reading
    return [entry.seq for entry in (reading.found.get(0, []) if reading else [])]


class HeldCommit:
    """The next commit waits until it is told how to end: before SQL has it, or when SQL has it already."""

    def __init__(self, w: World, *, has_committed: bool = False) -> None:
        self.begun, self.end = asyncio.Event(), asyncio.Event()
        self.fault: Exception | None = None
        self.began = 0
        setattr(w.store, "after" if has_committed else "before", self._look)

    def _look(self, name: str) -> Any:
        if name == "commit":
            self.began += 1
            if self.began == 1:
                return self._hold()
        return None

    async def _hold(self) -> None:
        self.begun.set()
        await self.end.wait()
        if self.fault:
            raise self.fault


@pytest.mark.parametrize("has_committed", [False, True])
@pytest.mark.parametrize("fault", [None, StoreError("the disk is full")])
async def test_what_comes_during_a_commit_is_read_meanwhile(fault, has_committed):
    """And committed next: at once if the commit returned, read anew if it did not, whatever SQL has; always once."""
    async with world(shards=1, deadline_ms=4000) as w:
        user = await w.player("p", 1000)
        await w.quiet()
        seq = (await w.ledger.heads())[0].seq
        held = HeldCommit(w, has_committed=has_committed)
        first = asyncio.create_task(w.apply(w.bet(user, "a", 10)))
        await held.begun.wait()
        others = [asyncio.create_task(w.apply(w.bet(user, f"b{n}", 10))) for n in range(3)]
        await until(lambda: read_ahead(w) == [seq + 2, seq + 3, seq + 4], "read ahead")
        assert held.began == 1
        assert (await w.ledger.heads())[0].seq == seq + has_committed
        reading, held.fault = w.writer._reader._reading, fault
        held.end.set()
        assert {answer.code for answer in await gather(first, *others)} == {Code.R0}
        assert (w.writer._reader._reading is reading) is (fault is None)
        assert (await w.check([user]))[user].balance == 960
        assert await w.epochs() == [1]


async def test_what_was_read_ahead_of_an_epoch_that_ends_is_not_committed():
    """Redis is emptied while a commit is under way: the entry read ahead is decided again."""
    async with world(shards=1, deadline_ms=4000) as w:
        user = await w.player("p", 1000)
        await w.quiet()
        held = HeldCommit(w)
        first = asyncio.create_task(w.apply(w.bet(user, "a", 10)))
        await held.begun.wait()
        second = asyncio.create_task(w.apply(w.bet(user, "b", 10)))
        await until(lambda: len(read_ahead(w)) == 1, "read ahead")
        await w.redis.delete(keys.head(0))
        held.end.set()
        assert {answer.code for answer in await gather(first, second)} == {Code.R0}
        assert (await w.check([user]))[user].balance == 980
        assert await w.epochs() == [2]


async def test_a_commit_begins_when_the_one_before_has_ended_and_all_replies_are_judged():
    """Under play in two workers and three shards."""
    async with world(workers=2, shards=3, deadline_ms=2000) as w:
        players = await bettors(w, 8)
        under_way = most = commits = 0

        def begin(name: str) -> None:
            nonlocal under_way, most, commits
            if name == "commit":
                assert w.writer._confirming._sent == []
                under_way += 1
                most, commits = max(most, under_way), commits + 1

        def end(name: str) -> None:
            nonlocal under_way
            under_way -= name == "commit"

        w.store.before, w.store.after = begin, end
        await gather(*(player.play(12, workers=2) for player in players))
        assert (most, commits > 20) == (1, True)
        await verify_all(w, players)
        assert await w.epochs() == [1, 1, 1]


async def test_late_replies_cost_no_epoch():
    """All that Redis says to the writer comes late, under play: no fork and no gap is seen where there is none."""
    async with world(shards=2, deadline_ms=3000) as w:
        proxy = await w.proxy()
        await w.stop_writer()
        await w.start_writer(proxy.url)
        players = await bettors(w, 4)

        async def hold_now_and_then() -> None:
            while True:
                proxy.delay_s = 0.03
                await asyncio.sleep(0.1)
                proxy.delay_s = 0.0
                await asyncio.sleep(0.1)

        holding = asyncio.create_task(hold_now_and_then())
        await gather(*(player.play(10) for player in players))
        holding.cancel()
        proxy.delay_s = 0.0
        await verify_all(w, players)
        assert await w.epochs() == [1, 1]
