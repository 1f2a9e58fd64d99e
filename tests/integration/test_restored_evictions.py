"""A ledger that is put back to before an eviction: what was decided after it stands, and its players come back."""

from __future__ import annotations

from seamless_wallet.commands import Code
from seamless_wallet.engine import keys
from tests.integration.test_recovery import put_back_ledger
from tests.integration.test_refused_wallets import old_bets, voids
from tests.integration.world import world
from tests.ledger_copies import copy_ledger


async def test_a_new_epoch_loads_players_although_a_wallet_went_later():
    """The stream has lost what the backup lacks: an epoch opens that begins before the eviction"""
    async with world(shards=1, deadline_ms=10_000) as w:
        user = await w.player("p", 1000)
        (game,) = await old_bets(w, user, 1)
        backup = w.directory / "backup"
        copy_ledger(w.settings, backup)
        assert (await w.settle(w.bet(user, game, 10))).code is Code.R0
        await w.quiet()
        await w.redis.xtrim(keys.stream(0, 1), maxlen=0, approximate=False)
        await put_back_ledger(w, backup)
        answer = await w.settle(w.bet(user, "g", 5))
        assert (answer.code, answer.balance) == (Code.R0, 1000)
        assert (await w.check([user]))[user].balance == 1000
        assert await w.epochs() == [2]


async def test_what_was_acknowledged_after_an_eviction_is_committed_again():
    """The stream has it all. Only what the refused wallet decided is void again, not what the player did since"""
    async with world(shards=1, deadline_ms=10_000) as w:
        user = await w.player("p", 1000)
        (game,) = await old_bets(w, user, 1)
        backup = w.directory / "backup"
        copy_ledger(w.settings, backup)
        assert (await w.settle(w.bet(user, game, 10))).code is Code.R0
        bets = [w.bet(user, f"new-{n}", 100) for n in range(4)]
        for bet in bets:
            assert (await w.apply(bet)).code is Code.R0
        await w.quiet()
        await put_back_ledger(w, backup)
        await w.quiet()
        assert await voids(w) == 1
        for bet in bets:
            assert (await w.settle(bet)).reason == "duplicate"
        assert (await w.check([user]))[user].balance == 605
        assert await w.epochs() == [1]
