"""No balance is told that SQL has not proven: a Redis that was set back in place has numbers that fit."""

from __future__ import annotations

import pytest

from seamless_wallet.commands import Code, Kind
from tests.integration.world import world


@pytest.fixture
async def set_back():
    """A player whose deposit of 100 was acknowledged, in a Redis that was then set back to before it.

    The writer is away, so that nobody but the worker can notice. Login and declined bet were sent before the deposit.
    """
    async with world(shards=1, deadline_ms=1_500) as w:
        user = await w.player("p", 0)
        login = w.command(Kind.LOGIN, user, "login")
        assert (await w.apply(login)).code is Code.R0
        declined = w.bet(user, "g", 200)
        assert (await w.apply(declined)).code is Code.R4
        await w.quiet()
        copied = await w.copy_keys()
        deposit = await w.apply(w.command(Kind.DEPOSIT, user, "deposit", amount=100))
        assert (deposit.code, deposit.balance) == (Code.R0, 100)
        await w.quiet()
        await w.stop_writer()
        await w.put_back(copied)
        yield w, user, login, declined


async def test_a_repetition_tells_the_balance_of_the_ledger(set_back):
    """R0 with 100, which an entry says; never 0."""
    w, _, login, _ = set_back
    answer = await w.apply(login)
    assert (answer.code, answer.balance) == (Code.R0, 100)


async def test_a_bet_is_not_declined_for_a_balance_that_never_was(set_back):
    """R1 until the shard is recovered, then R0: the money was there all the time."""
    w, user, *_ = set_back
    bet = w.bet(user, "g2", 60)
    assert (await w.apply(bet)).code is Code.R1
    await w.start_writer()
    answer = await w.settle(bet)
    assert (answer.code, answer.balance) == (Code.R0, 40)
    assert (await w.check([user]))[user].balance == 40


async def test_a_stored_decline_does_not_tell_it_either(set_back):
    """R1, then a decision that rests on the ledger."""
    w, user, _, declined = set_back
    assert (await w.apply(declined)).code is Code.R1
    await w.start_writer()
    answer = await w.settle(declined)
    assert (answer.code, answer.balance) == (Code.R4, 100)
    await w.check([user])


async def test_a_conflict_does_not_tell_it_either(set_back):
    """The same transaction_id with another content: R3, with the balance of the ledger."""
    w, user, *_ = set_back
    conflicting = w.bet(user, "other", 7, tid="login")
    answer = await w.apply(conflicting)
    assert (answer.code, answer.balance) == (Code.R3, 100)


async def test_a_decline_waits_for_what_it_rests_on():
    """Redis is ahead of SQL for a good reason: the decline is told once the entry is committed, with its balance."""
    async with world(shards=1, deadline_ms=20_000) as w:
        user = await w.player("p", 100)
        for n in range(5):
            bet, decline = w.bet(user, f"g{n}", 10), w.bet(user, f"h{n}", 1_000)
            answers = [await w.apply(bet), await w.apply(decline)]
            assert [answer.code for answer in answers] == [Code.R0, Code.R4]
            assert answers[1].balance == answers[0].balance == 90 - 10 * n
