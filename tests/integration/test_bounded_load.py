"""A player with more in the hot window than one load brings: what was left out is asked of SQL, and nothing is lost."""

from __future__ import annotations

import pytest

from seamless_wallet.commands import Code, Item, Kind
from seamless_wallet.engine import keys
from seamless_wallet.stores import bounds
from tests.integration.world import World, world

BETS = 8


async def busy_player(w: World) -> str:
    """More bets and events than a load brings, then a Redis that knows none of it."""
    user = await w.player("p", 1000)
    for n in range(BETS):
        assert (await w.apply(w.bet(user, f"g{n}", 100, tid=f"bet-{n}"))).code is Code.R0
        result = w.bets(Kind.RESULT, user, f"g{n}", Item("1", "P", 100, 5), tid=f"result-{n}")
        assert (await w.apply(result)).code is Code.R0
    await w.quiet()
    await w.redis.flushall()
    return user


@pytest.fixture
async def loaded(monkeypatch):
    """Such a player, with loads of three events."""
    monkeypatch.setattr(bounds, "LOAD_MAX", 3)
    async with world(shards=1, deadline_ms=5000) as w:
        yield w, await busy_player(w)


async def test_what_a_load_left_out_is_still_a_duplicate(loaded):
    """Each event again, and each bet under another id: R0 as before, the balance as before, and no conflict in SQL"""
    w, user = loaded
    await w.settle(w.command(Kind.LOGIN, user))
    epochs = await w.epochs()
    for n in range(BETS):
        for command in (
            w.bet(user, f"g{n}", 100, tid=f"bet-{n}"),
            w.bet(user, f"g{n}", 100, tid=f"again-{n}"),
            w.bets(Kind.RESULT, user, f"g{n}", Item("1", "P", 100, 5), tid=f"result-{n}"),
        ):
            answer = await w.settle(command)
            assert (answer.code, answer.balance) == (Code.R0, 1000 + 5 * BETS)
    assert await w.epochs() == epochs
    await w.check([user], load=False)


async def test_sql_is_asked_until_all_that_was_left_out_is_old(loaded):
    """The wallet in Redis says until which period"""
    w, user = loaded
    await w.settle(w.command(Kind.LOGIN, user))
    shard = w.shard(user)
    head = await w.head(shard)
    asked = await w.redis.hget(keys.wallet(shard, int(head["epoch"]), user), "ask_until")
    assert asked == str(int(head["period"]) + 2).encode()
