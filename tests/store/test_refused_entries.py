"""Entries that cannot be committed: identities that SQL has already, and entries that contradict themselves."""

from __future__ import annotations

import pytest

from seamless_wallet.commands import Item, Kind, event_digest
from seamless_wallet.ledger.conflicts import RefusalCause
from seamless_wallet.ledger.entry import Entry
from tests.entries import entry_of, forged
from tests.store.commits import refusal

GOOD = b"3 9900 0 -100 0 +"


async def test_an_event_is_stored_once_for_ever(store, book):
    """The same event behind a new seq: the first offending entry is named, what precedes it can be committed"""
    book.deposit(5, transaction_id="again")
    await store.commit([book.take()])
    book.deposit(6)
    book.deposit(5, transaction_id="again")
    book.deposit(7)
    refused = await refusal(store, book.entries[3:])
    assert (refused.cause, refused.shard, refused.seq) == (RefusalCause.REUSED, 0, 5)
    await store.commit([book.entries[3:4]])


async def test_an_event_twice_in_one_batch(store, book):
    """The second of the two is the offending one"""
    book.deposit(5, transaction_id="again")
    book.deposit(5, transaction_id="again")
    refused = await refusal(store, book.entries)
    assert (refused.cause, refused.seq) == (RefusalCause.REUSED, 4)


@pytest.mark.parametrize("split", [True, False])
@pytest.mark.parametrize("tombstoned", [True, False])
async def test_a_bet_is_taken_once_for_ever(store, book, split, tombstoned):
    """Redis forgot the round, the provider sends the bet again under another id: placed or tombstoned, it stays out"""
    if tombstoned:
        book.cancel("g1", x=5, a=100)
    else:
        book.bet("g1", x=5, a=100)
    if split:
        await store.commit([book.take()])
    book.rounds.clear()
    book.bet("g1", b=1)
    book.bet("g1", a=100)
    refused = await refusal(store, book.take())
    assert (refused.cause, refused.seq) == (RefusalCause.REUSED, 5)


async def test_one_transaction_id_of_two_players_is_two_events(store, book, other):
    """Identity is (provider, user_id, transaction_id)"""
    first = book.deposit(5, transaction_id="same")
    second = other.deposit(5, transaction_id="same")
    assert event_digest(first.command) != event_digest(second.command)
    await store.commit([book.take(), other.take()])


async def test_a_player_is_created_once(store, book):
    """Another creation under another id is an identity reused, not an entry that cannot be read"""
    await store.commit([book.take()])
    again = book.command(Kind.CREATE, currency="KRW")
    refused = await refusal(store, [entry_of(0, 1, 3, again, b"1 0 0 0 0 ")])
    assert (refused.cause, refused.seq) == (RefusalCause.REUSED, 3)


async def test_the_earliest_of_several_offences_is_named(store, book):
    """REUSED at 4, unreadable at 5: what precedes 4 is all that can be committed"""
    book.deposit(5, transaction_id="again")
    book.deposit(5, transaction_id="again")
    rubbish = Entry(0, 1, 5, book.user, "dowinn", b"{", b"")
    refused = await refusal(store, [*book.entries, rubbish])
    assert (refused.cause, refused.seq) == (RefusalCause.REUSED, 4)


@pytest.mark.parametrize(
    "decided",
    [
        b"",
        b"rubbish",
        b"\xff",
        b"3 9900 0 -100 0",
        b"3 9900 0 -100 0 + +",
        b"x 9900 0 -100 0 +",
        b"4 9900 0 -100 0 +",  # a version too many
        b"2 9900 0 -100 0 +",
        b"3 9901 0 -100 0 +",  # arithmetic
        b"3 9900 1 -100 0 +",
        b"3 9901 0 -99 0 +",  # not what the items say
        b"3 9900 100 -100 100 +",
        b"3 9900 0 -100 0 -",
        b"3 9900 0 -100 0 ++",
        b"3 9900 0 -100 0 ",
        b"3 9900 0 -100 0 t",
        b"3 9900 0 -100 0 x",
        b"3 9900 -1 -101 -1 +",
    ],
)
async def test_a_decision_that_does_not_follow_is_unstorable(store, book, decided):
    """Version, balance, debt and the money of the items must fit"""
    bet = book.command(Kind.BET, game_no="g", currency="KRW", items=(Item("a", "p", 100),))
    await store.commit([book.take()])
    entry = entry_of(0, 1, 3, bet, decided)
    refused = await refusal(store, [entry])
    assert (refused.cause, refused.shard, refused.seq) == (RefusalCause.UNSTORABLE, 0, 3)
    await store.commit([[forged(entry, decided=GOOD)]])


@pytest.mark.parametrize(
    "payload", [b"", b"{", b"{}", b"[]", b"\xff", b'{"kind":"no"}', b"[" * 100_000, b'{"user_id":"\\ud800"}']
)
async def test_a_payload_that_is_no_event_is_unstorable(store, book, payload):
    """It is named although good entries surround it"""
    good = book.deposit(5)
    later = book.deposit(6)
    refused = await refusal(store, [*book.entries[:2], forged(good, payload=payload), later])
    assert (refused.cause, refused.seq) == (RefusalCause.UNSTORABLE, 3)


async def test_money_over_the_cap_is_unstorable(store, book):
    """2^53 - 1 is the most"""
    cap = 2**53 - 1
    book.deposit(cap - 10_000)
    await store.commit([book.take()])
    assert (await store.wallet(book.user)).balance == cap
    for amount in (1, 2**62):
        over = book.command(Kind.DEPOSIT, amount=amount)
        decided = f"4 {cap + amount} 0 {amount} 0 ".encode()
        refused = await refusal(store, [entry_of(0, 1, 4, over, decided)])
        assert refused.cause is RefusalCause.UNSTORABLE


@pytest.mark.parametrize(
    "change",
    [
        {"user_id": "user-of-nobody"},
        {"currency": "USD"},
        {"received_ms": 2**60},
        {"received_ms": -1},
        {"kind": Kind.STATUS, "status": "asleep"},
    ],
)
async def test_a_command_that_cannot_be_is_unstorable(store, book, change):
    """Unknown player, another currency than the wallet's, a time out of range, an unknown status"""
    await store.commit([book.take()])
    command = book.command(**{"kind": Kind.LOGIN, **change})
    refused = await refusal(store, [entry_of(0, 1, 3, command, b"3 10000 0 0 0 ")])
    assert refused.cause is RefusalCause.UNSTORABLE


async def test_an_unknown_currency_or_a_foreign_shard_is_unstorable(store, book, other):
    """A wallet is only made in a known currency, and in the shard that its name says"""
    unknown = book.command(Kind.CREATE, currency="XXX")
    foreign = book.command(Kind.CREATE, other.user, currency="KRW")
    for command in (unknown, foreign):
        refused = await refusal(store, [entry_of(0, 1, 1, command, b"1 0 0 0 0 ")])
        assert (refused.cause, refused.seq) == (RefusalCause.UNSTORABLE, 1)


def about(book, kind, decided, *, seq, amount=10, winloss=0, before=0, transaction_id=""):
    """An entry about bet a of round g, with what a script that knew no better decided."""
    item = Item("a", "p", amount, winloss, before)
    command = book.command(kind, transaction_id=transaction_id, game_no="g", items=(item,))
    return entry_of(0, 1, seq, command, decided)


async def settled_and_changed(store, book):
    """A bet of 10 that won 5 and was changed to lose 10: the wallet has 9990, at version 5."""
    book.bet("g", a=10)
    book.result("g", a=(10, 5))
    book.change("g", a=(10, 5, -10))
    await store.commit([book.take()])


async def test_closing_a_bet_that_is_not_open_is_contradicted(store, book):
    """A result for a round that SQL knows nothing of, and one more than its open bets"""
    await store.commit([book.take()])
    refused = await refusal(store, [about(book, Kind.RESULT, b"3 10015 0 15 0 +", seq=3, winloss=5)])
    assert refused.cause is RefusalCause.CONTRADICTED
    book.bet("g", a=10)
    book.result("g", a=(10, 5))
    await store.commit([book.take()])
    refused = await refusal(store, [about(book, Kind.RESULT, b"5 10020 0 15 0 +", seq=5, winloss=5)])
    assert refused.cause is RefusalCause.CONTRADICTED


async def test_a_change_is_applied_once_whatever_its_id(store, book):
    """A script that trusted an old look-up took the money again: wallet and round fit, the bet does not"""
    await settled_and_changed(store, book)
    again = about(book, Kind.CHANGE, b"6 9975 0 -15 0 +", seq=6, winloss=-10, before=5)
    refused = await refusal(store, [again])
    assert (refused.cause, refused.seq) == (RefusalCause.CONTRADICTED, 6)


async def test_two_of_one_change_within_a_batch(store, book):
    """The second of the two is named; the first can be committed"""
    book.bet("g", a=10)
    book.result("g", a=(10, 5))
    book.change("g", a=(10, 5, -10))
    again = about(book, Kind.CHANGE, b"6 9975 0 -15 0 +", seq=6, winloss=-10, before=5)
    refused = await refusal(store, [*book.entries, again])
    assert (refused.cause, refused.seq) == (RefusalCause.CONTRADICTED, 6)
    await store.commit([book.take()])


@pytest.mark.parametrize(
    ("kind", "amount", "winloss", "before"),
    [
        (Kind.BET, 11, 0, 0),
        (Kind.CANCEL, 10, 0, 0),
        (Kind.RESULT, 10, 4, 0),
        (Kind.RESULT, 11, 5, 0),
        (Kind.CHANGE, 10, 5, -10),
        (Kind.CHANGE, 11, -10, 5),
    ],
)
async def test_what_is_told_without_an_effect_is_proven_too(store, book, kind, amount, winloss, before):
    """A script that read a bet from a key that was set back would tell R0 of what is not so"""
    await settled_and_changed(store, book)
    told = about(book, kind, b"6 9990 0 0 0 -", seq=6, amount=amount, winloss=winloss, before=before)
    refused = await refusal(store, [told])
    assert (refused.cause, refused.seq) == (RefusalCause.CONTRADICTED, 6)


async def test_a_cancelled_bet_is_not_told_to_stand(store, book):
    """The key of its round was set back to open: a repeated bet is no R0"""
    book.bet("g", a=10)
    book.cancel("g", a=10)
    await store.commit([book.take()])
    refused = await refusal(store, [about(book, Kind.BET, b"5 10000 0 0 0 -", seq=5)])
    assert (refused.cause, refused.seq) == (RefusalCause.CONTRADICTED, 5)
