"""What SQL commits, SQL has proven: a decision that rests on outdated news of a bet is never committed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from seamless_wallet.commands import Code, Item, Kind, round_digest
from seamless_wallet.engine import keys
from tests.integration.world import World, world


class HeldExecution:
    """Holds the first script of a worker that was given a look-up, as a frozen machine does."""

    def __init__(self, w: World, worker: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.held = asyncio.Event()
        self.release = asyncio.Event()
        wallet = w.workers[worker].wallet
        execute = wallet._execute

        async def hold(event: Any, epoch: int, token: str, lookup: Any) -> Any:
            if lookup is not None and not self.held.is_set():
                self.held.set()
                await self.release.wait()
            return await execute(event, epoch, token, lookup)

        monkeypatch.setattr(wallet, "_execute", hold)


async def forget_rounds(w: World, user: str) -> None:
    """As the hot window does with rounds that are settled."""
    await w.quiet()
    for name in await w.redis.keys(f"{{{w.shard(user)}}}:r:*"):
        await w.redis.delete(name)


async def test_a_lookup_that_is_used_too_late_moves_money_once(monkeypatch):
    """Worker B looks a change up and freezes; A applies it; the round leaves Redis again; then B's script runs."""
    async with world(workers=2, shards=1, deadline_ms=20_000) as w:
        user = await w.player("p", 1000)
        assert (await w.apply(w.bet(user, "g", 100))).code is Code.R0
        assert (await w.apply(w.bets(Kind.RESULT, user, "g", Item("1", "P", 100, 100)))).code is Code.R0
        await forget_rounds(w, user)
        change = Item("1", "P", 100, -100, 100)
        held = HeldExecution(w, 1, monkeypatch)
        late = asyncio.create_task(w.apply(w.bets(Kind.CHANGE, user, "g", change), 1))
        await asyncio.wait_for(held.held.wait(), 20)
        assert (await w.apply(w.bets(Kind.CHANGE, user, "g", change))).code is Code.R0
        await forget_rounds(w, user)
        held.release.set()
        assert (await late).code is Code.R0
        assert (await w.check([user]))[user].balance == 900


@pytest.fixture
async def set_back():
    """A bet that was cancelled, in a round whose key in Redis has then been put back to when it was open."""
    async with world(shards=1, deadline_ms=20_000) as w:
        user = await w.player("p", 1000)
        bet = w.bet(user, "g", 100)
        assert (await w.apply(bet)).code is Code.R0
        await w.quiet()
        key = keys.round_(0, (await w.epochs())[0], round_digest(bet))
        copied = await w.redis.dump(key)
        assert copied is not None
        assert (await w.apply(w.bets(Kind.CANCEL, user, "g", Item("1", "P", 100)))).code is Code.R0
        await w.quiet()
        await w.redis.restore(key, 0, copied, replace=True)
        yield w, user


async def test_a_cancelled_bet_is_never_told_to_stand(set_back):
    """The script finds it open and would answer R0; SQL knows better: R3 (row 34)."""
    w, user = set_back
    answer = await w.settle(w.bet(user, "g", 100))
    assert (answer.code, answer.reason) == (Code.R3, "bet_cancelled")
    assert (await w.check([user]))[user].balance == 1000


async def test_a_cancelled_bet_is_not_refunded_again(set_back):
    """The script would refund it once more; SQL has it cancelled: R0, and nothing moves (row 42)."""
    w, user = set_back
    answer = await w.settle(w.bets(Kind.CANCEL, user, "g", Item("1", "P", 100)))
    assert (answer.code, answer.balance) == (Code.R0, 1000)
    assert (await w.check([user]))[user].balance == 1000


async def test_a_cancelled_bet_is_not_settled(set_back):
    """The script would credit a win; SQL has it cancelled: R3 (row 55). Other players of the shard go on."""
    w, user = set_back
    neighbour = await w.player("q", 1000)
    answer = await w.settle(w.bets(Kind.RESULT, user, "g", Item("1", "P", 100, 95)))
    assert (answer.code, answer.reason) == (Code.R3, "result_of_cancelled")
    assert (await w.settle(w.bet(neighbour, "g", 100))).code is Code.R0
    balances = {name: wallet.balance for name, wallet in (await w.check([user, neighbour])).items()}
    assert balances == {user: 1000, neighbour: 900}
