"""What a commit stores, recognises, and refuses as a whole."""

from __future__ import annotations

import pytest

from seamless_wallet.commands import Kind
from seamless_wallet.ledger.conflicts import EpochCause, EpochMoved
from seamless_wallet.ledger.ports import StoreError
from tests.entries import forged
from tests.store.books import Book
from tests.store.commits import conflict


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
    assert await store.open_epoch(0, 1, 2, "run2", "repl2", "") == 2
    for entries in (book.entries, [book.bet("g1", a=5)]):
        with pytest.raises(EpochMoved):
            await store.commit([entries])
    assert (await store.heads())[0].seq == 2


async def test_entries_of_a_new_epoch_follow_those_of_the_old(store, book):
    """Seq goes on without a gap"""
    await store.commit([book.take()])
    assert await store.open_epoch(0, 1, 7, "run2", "repl2", "") == 2
    book.epoch = 7
    book.bet("g1", a=5)
    await store.commit([book.take()])
    await committed(store, book)


async def test_open_epoch_compares_and_swaps(store):
    """Only one of two writers that saw the same epoch opens the next"""
    assert await store.open_epoch(1, 1, 2, "a", "b", "") == 0
    assert await store.open_epoch(1, 1, 2, "c", "d", "") is None
    head = (await store.heads())[1]
    assert (head.epoch, head.seq, head.run_id, head.replid) == (2, 0, "a", "b")
    with pytest.raises(ValueError, match="grows"):
        await store.open_epoch(1, 2, 2, "a", "b", "")


async def test_without_the_lease_nothing_is_written(store, book, backend):
    """Commit and open_epoch are the writer's alone"""
    stranger = backend.open()
    try:
        with pytest.raises(StoreError, match=r"lease|take its shards over"):
            await stranger.commit([book.entries])
        with pytest.raises(StoreError, match=r"lease|take its shards over"):
            await stranger.open_epoch(0, 1, 2, "a", "b", "")
    finally:
        await stranger.close()


async def test_two_batches_of_one_shard_are_a_mistake(store, book):
    """A caller's bug, said so"""
    with pytest.raises(ValueError, match="two batches"):
        await store.commit([book.entries[:1], book.entries[1:]])
