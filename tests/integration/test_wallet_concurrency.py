"""Many at once: the funds go round exactly once, an event happens exactly once, a player is created exactly once."""

from __future__ import annotations

import asyncio

from seamless_wallet.commands import Code, Item, Kind
from tests.integration.waiting import gather
from tests.integration.world import world


async def test_exactly_k_of_n_bets_pass_over_two_workers():
    """Funds for 7 of 40 bets: 7 R0, 33 R4, nothing left and nothing missing."""
    async with world(workers=2) as w:
        user = await w.player("p", 700)
        answers = await gather(*(w.apply(w.bet(user, f"g{n}", 100), n % 2) for n in range(40)))
        codes = [answer.code for answer in answers]
        assert (codes.count(Code.R0), codes.count(Code.R4)) == (7, 33)
        assert (await w.check([user]))[user].balance == 0


async def test_50_copies_of_one_event_move_money_once():
    """Copies in one worker, then in two: each R0, one movement."""
    async with world(workers=2) as w:
        user = await w.player("p", 1000)
        bet = w.bet(user, "g", 100)
        answers = await gather(*(w.apply(bet) for _ in range(50)))
        assert {answer.code for answer in answers} == {Code.R0}
        bet = w.bet(user, "h", 100)
        answers = await gather(*(w.apply(bet, n % 2) for n in range(50)))
        assert {answer.code for answer in answers} == {Code.R0}
        assert (await w.check([user]))[user].balance == 800


async def test_one_player_is_created_by_two_workers():
    """Both get R0; whichever was second is told that it exists."""
    async with world(workers=2) as w:
        for n in range(10):
            command = w.command(Kind.CREATE, f"p{n}", "create", currency="KRW")
            answers = await gather(*(w.apply(command, i % 2) for i in range(8)))
            assert {answer.code for answer in answers} == {Code.R0}, answers
        await w.check([f"p{n}" for n in range(10)])


async def test_create_and_load_race_with_new_epochs():
    """Players are created, and found again, while the shards change epochs under both workers."""
    async with world(workers=2, shards=2) as w:
        users = [f"p{n}" for n in range(30)]

        async def live(user: str, n: int) -> None:
            await w.player(user, 1000, n % 2)
            for game in range(3):
                answer = await w.settle(w.bet(user, f"g{game}", Item("1", "P", 10)), (n + game) % 2)
                assert answer.code is Code.R0, answer

        async def disturb() -> None:
            for _ in range(5):
                await asyncio.sleep(0.1)
                await w.redis.flushall()

        await gather(disturb(), *(live(user, n) for n, user in enumerate(users)))
        wallets = await w.check(users)
        assert {wallet.balance for wallet in wallets.values()} == {970}
