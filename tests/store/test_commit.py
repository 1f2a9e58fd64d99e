from __future__ import annotations

import pytest

from seamless_wallet.commands import Item, Kind, event_digest
from seamless_wallet.ledger.conflicts import EpochCause, EpochMoved, LedgerConflict
from seamless_wallet.ledger.entry import Entry, encode_payload
from seamless_wallet.stores.errors import StoreError
from tests.store.books import Book


def forged(entry: Entry, *, payload: bytes | None = None, decided: bytes | None = None) -> Entry:
    """The entry with other bytes."""
    return Entry(
        entry.shard,
        entry.epoch,
        entry.seq,
        entry.payload if payload is None else payload,
        entry.decided if decided is None else decided,
    )


async def conflict(store, *batches) -> LedgerConflict:
    """The conflict that a commit runs into; nothing of it may stay."""
    before = await store.heads(), await store.trial_balance()
    with pytest.raises(LedgerConflict) as caught:
        await store.commit(batches)
    assert (await store.heads(), await store.trial_balance()) == before
    assert [finding async for finding in store.verify()] == []
    return caught.value


async def committed(store, book: Book) -> None:
    """SQL tells the book's whole story."""
    assert (await store.heads())[book.shard].seq == len(book.entries)
    for user_id, wallet in book.wallets.items():
        assert await store.wallet(user_id) == wallet
        newest_first = await store.entries(user_id, None, 10_000)
        mine = [e for e in book.entries if e.command.user_id == user_id]
        assert [(e.seq, e.epoch, e.payload, e.decided) for e in newest_first] == [
            (e.seq, e.epoch, e.payload, e.decided) for e in reversed(mine)
        ]
    assert [finding async for finding in store.verify()] == []


async def test_commits_several_shards_in_one_go(store, book, other):
    """Entries, wallets, heads and accounts are as streamed, in every shard of the commit"""
    book.bet("g1", a=1_000, b=500)
    book.result("g1", a=(1_000, 950), b=(500, -500))
    other.bet("g1", a=10)
    await store.commit([book.take(), other.take()])
    await committed(store, book)
    await committed(store, other)
    assert (await store.trial_balance())["KRW"] == {
        "player": 15_440, "debt": 0, "cash": -15_000, "house:dowinn": -440,
    }  # fmt: skip


async def test_every_kind_of_command_is_stored(store, book):
    """Sessions, blocks, tombstones, debts and entries that move nothing all reach SQL"""
    user = book.user
    for kind in (Kind.LOGIN, Kind.LOGIN, Kind.LOGOUT):
        book.now_ms += 1
        book.post(book.command(kind))
    book.post(book.command(Kind.STATUS, status="blocked"))
    book.cancel("g1", never=70)
    book.bet("g2", a=9_000)
    book.cancel("g2", a=9_000)
    book.cancel("g2", a=9_000)
    book.bet("g3", a=10_000)
    book.result("g3", a=(10_000, 5_000))
    book.withdraw(12_000)
    book.change("g3", a=(10_000, 5_000, -10_000))
    assert book.wallets[user].debt == 12_000
    book.deposit(500)
    book.bet("g4", a=0)
    book.result("g4", a=(0, 0))
    await store.commit([book.take()])
    await committed(store, book)


async def test_nothing_to_commit(store):
    """No batches, or empty ones, are no error"""
    await store.commit([])
    await store.commit([[], []])


async def test_a_redelivery_is_skipped(store, book):
    """After a commit of unknown outcome the same entries, with more behind them, end up stored once"""
    await store.commit([book.entries])
    await store.commit([book.entries])
    book.bet("g1", a=5)
    await store.commit([book.entries])
    book.bet("g2", a=5)
    await store.commit([book.entries[1:]])
    await committed(store, book)


@pytest.mark.parametrize("field", ["payload", "decided"])
async def test_another_content_of_a_stored_seq_is_a_fork(store, book, field):
    """Redelivered rows are compared byte for byte"""
    await store.commit([book.take()])
    fork = list(book.entries)
    fork[1] = forged(fork[1], **{field: getattr(fork[1], field) + b" "})
    error = await conflict(store, fork)
    assert (error.cause, error.shard, error.seq) == (EpochCause.FORK, 0, 2)


async def test_a_fork_is_seen_although_new_entries_follow(store, book):
    """The first seq that differs is named"""
    await store.commit([book.entries])
    fork = Book(0, book.shards)
    fork.create()
    fork.deposit(9)
    fork.deposit(9)
    error = await conflict(store, fork.entries)
    assert (error.cause, error.seq) == (EpochCause.FORK, 2)


async def test_a_hole_before_the_batch_is_a_gap(store, book):
    """A batch must begin at the head"""
    error = await conflict(store, book.entries[1:])
    assert (error.cause, error.shard, error.seq) == (EpochCause.GAP, 0, 1)


async def test_a_hole_within_the_batch_is_a_gap(store, book):
    """A batch must be gapless"""
    book.deposit(5)
    error = await conflict(store, [book.entries[0], book.entries[2]])
    assert (error.cause, error.seq) == (EpochCause.GAP, 2)


async def test_a_conflict_of_one_shard_keeps_the_others_out(store, book, other):
    """A transaction is one: the writer has to try shard by shard"""
    error = await conflict(store, other.entries, book.entries[1:])
    assert error.shard == 0
    await store.commit([other.entries])
    await committed(store, other)


async def test_entries_of_an_old_epoch_are_refused(store, book):
    """Once a newer epoch is open nothing of the old one can commit, not even a redelivery"""
    await store.commit([book.take()])
    assert await store.open_epoch(0, 1, 2, "run2", "repl2")
    for entries in (book.entries, [book.bet("g1", a=5)]):
        with pytest.raises(EpochMoved):
            await store.commit([entries])
    assert (await store.heads())[0].seq == 2


async def test_entries_of_a_new_epoch_follow_those_of_the_old(store, book):
    """Seq goes on without a gap"""
    await store.commit([book.take()])
    assert await store.open_epoch(0, 1, 7, "run2", "repl2")
    book.epoch = 7
    book.bet("g1", a=5)
    await store.commit([book.take()])
    await committed(store, book)


async def test_open_epoch_compares_and_swaps(store):
    """Only one of two writers that saw the same epoch opens the next"""
    assert await store.open_epoch(1, 1, 2, "a", "b")
    assert not await store.open_epoch(1, 1, 2, "c", "d")
    head = (await store.heads())[1]
    assert (head.epoch, head.seq, head.run_id, head.replid) == (2, 0, "a", "b")
    with pytest.raises(ValueError, match="grows"):
        await store.open_epoch(1, 2, 2, "a", "b")


async def test_without_the_lease_nothing_is_written(store, book, backend):
    """Commit and open_epoch are the lease-holder's alone"""
    stranger = backend.open()
    try:
        with pytest.raises(StoreError, match="lease"):
            await stranger.commit([book.entries])
        with pytest.raises(StoreError, match="lease"):
            await stranger.open_epoch(0, 1, 2, "a", "b")
    finally:
        await stranger.close()


# ---------------------------------------------------------------- identities


async def test_an_event_is_stored_once_for_ever(store, book):
    """The same event behind a new seq: the first offending entry is named, what precedes it can be committed"""
    book.deposit(5, transaction_id="again")
    await store.commit([book.take()])
    book.deposit(6)
    book.deposit(5, transaction_id="again")
    book.deposit(7)
    error = await conflict(store, book.entries[3:])
    assert (error.cause, error.shard, error.seq) == (EpochCause.REUSED, 0, 5)
    await store.commit([book.entries[3:4]])


async def test_an_event_twice_in_one_batch(store, book):
    """The second of the two is the offending one"""
    book.deposit(5, transaction_id="again")
    book.deposit(5, transaction_id="again")
    error = await conflict(store, book.entries)
    assert (error.cause, error.seq) == (EpochCause.REUSED, 4)


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
    error = await conflict(store, book.take())
    assert (error.cause, error.seq) == (EpochCause.REUSED, 5)


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
    error = await conflict(store, [Entry(0, 1, 3, encode_payload(again), b"1 0 0 0 0 ")])
    assert (error.cause, error.seq) == (EpochCause.REUSED, 3)


async def test_the_earliest_of_several_offences_is_named(store, book):
    """REUSED at 4, unreadable at 5: what precedes 4 is all that can be committed"""
    book.deposit(5, transaction_id="again")
    book.deposit(5, transaction_id="again")
    rubbish = Entry(0, 1, 5, b"{", b"")
    error = await conflict(store, [*book.entries, rubbish])
    assert (error.cause, error.seq) == (EpochCause.REUSED, 4)


# ---------------------------------------------------------------- entries that cannot be stored

GOOD = b"3 9900 0 -100 0 +"


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
    entry = Entry(0, 1, 3, encode_payload(bet), decided)
    error = await conflict(store, [entry])
    assert (error.cause, error.shard, error.seq) == (EpochCause.UNSTORABLE, 0, 3)
    await store.commit([[forged(entry, decided=GOOD)]])


@pytest.mark.parametrize(
    "payload", [b"", b"{", b"{}", b"[]", b"\xff", b'{"kind":"no"}', b"[" * 100_000, b'{"user_id":"\\ud800"}']
)
async def test_a_payload_that_is_no_event_is_unstorable(store, book, payload):
    """It is named although good entries surround it"""
    good = book.deposit(5)
    later = book.deposit(6)
    error = await conflict(store, [*book.entries[:2], forged(good, payload=payload), later])
    assert (error.cause, error.seq) == (EpochCause.UNSTORABLE, 3)


async def test_money_over_the_cap_is_unstorable(store, book):
    """2^53 - 1 is the most"""
    cap = 2**53 - 1
    book.deposit(cap - 10_000)
    await store.commit([book.take()])
    assert (await store.wallet(book.user)).balance == cap
    for amount in (1, 2**70):
        over = book.command(Kind.DEPOSIT, amount=amount)
        decided = f"4 {cap + amount} 0 {amount} 0 ".encode()
        error = await conflict(store, [Entry(0, 1, 4, encode_payload(over), decided)])
        assert error.cause is EpochCause.UNSTORABLE


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
    kind = change.pop("kind", Kind.LOGIN)
    command = book.command(kind, change.pop("user_id", ""), **change)
    error = await conflict(store, [Entry(0, 1, 3, encode_payload(command), b"3 10000 0 0 0 ")])
    assert error.cause is EpochCause.UNSTORABLE


async def test_an_unknown_currency_or_a_foreign_shard_is_unstorable(store, book, other):
    """A wallet is only made in a known currency, and in the shard that its name says"""
    unknown = book.command(Kind.CREATE, currency="XXX")
    foreign = book.command(Kind.CREATE, other.user, currency="KRW")
    for command in (unknown, foreign):
        error = await conflict(store, [Entry(0, 1, 1, encode_payload(command), b"1 0 0 0 0 ")])
        assert (error.cause, error.seq) == (EpochCause.UNSTORABLE, 1)


async def test_closing_a_bet_that_is_not_open_is_unstorable(store, book):
    """A result for a round that SQL knows nothing of, and one more than its open bets"""
    await store.commit([book.take()])
    result = book.command(Kind.RESULT, game_no="g", currency="KRW", items=(Item("a", "p", 10, 5),))
    error = await conflict(store, [Entry(0, 1, 3, encode_payload(result), b"3 10015 0 15 0 +")])
    assert error.cause is EpochCause.UNSTORABLE
    book.bet("g", a=10)
    book.result("g", a=(10, 5))
    await store.commit([book.take()])
    error = await conflict(store, [Entry(0, 1, 5, encode_payload(result), b"5 10020 0 15 0 +")])
    assert error.cause is EpochCause.UNSTORABLE


async def test_two_batches_of_one_shard_are_a_mistake(store, book):
    """A caller's bug, said so"""
    with pytest.raises(ValueError, match="two batches"):
        await store.commit([book.entries[:1], book.entries[1:]])
