"""Who writes: the writer that SQL names. And what an entry follows: the execution before it, by its token."""

from __future__ import annotations

import pytest

from seamless_wallet.ledger.conflicts import Displaced, EpochCause
from seamless_wallet.ledger.entry import Entry
from seamless_wallet.ledger.ports import StoreError
from tests.entries import forged
from tests.store.commits import conflict
from tests.store.conftest import NONCE


def executed(entries: list[Entry], before: str = "", name: str = "a") -> list[Entry]:
    """These entries as attempts of their own have left them, the first one after the token `before`."""
    made = []
    for number, entry in enumerate(entries, 1):
        token = f"{name}.{number}"
        attempt = forged(entry)
        attempt.token, attempt.before = token, before
        made.append(attempt)
        before = token
    return made


async def test_a_writer_is_named_for_ever(store):
    """And stands in the heads of its shards, and of no others, until another one does."""
    assert [head.nonce for head in await store.heads()] == [NONCE, NONCE]
    assert not await store.has_named("second")
    await store.take_over("second", [1], 0)
    assert [head.nonce for head in await store.heads()] == [NONCE, "second"]
    assert await store.has_named("second")
    assert await store.has_named(NONCE)
    assert not await store.has_named("")


async def test_a_nonce_is_named_once(store):
    """Chance that repeats itself is refused: two writers would look like one."""
    with pytest.raises(StoreError):
        await store.take_over(NONCE, [0, 1], 0)


async def test_a_writer_that_was_displaced_writes_nothing(store, book, backend):
    """Neither entries nor an epoch, although epoch and seq fit, and not even a redelivery."""
    await store.commit([book.take()])
    backend.tamper("UPDATE shard SET nonce = 'other' WHERE shard = 0")
    for entries in (book.entries, [book.bet("g1", a=5)]):
        with pytest.raises(Displaced):
            await store.commit([entries])
    with pytest.raises(Displaced):
        await store.open_epoch(0, 1, 2, "a", "b", "")
    head = (await store.heads())[0]
    assert (head.epoch, head.seq) == (1, 2)


async def test_whoever_has_not_taken_over_writes_nothing(store, book, backend):
    """The lease alone is not enough: nobody could be told apart from a writer before."""
    await store.close()
    async with backend.open() as second:
        backend.become_writer(second)
        with pytest.raises(StoreError, match="take its shards over"):
            await second.commit([book.entries])
        with pytest.raises(StoreError, match="take its shards over"):
            await second.open_epoch(0, 1, 2, "a", "b", "")


async def test_entries_follow_each_other_by_their_tokens(store, book):
    """Over several commits, and from the token with which an epoch was opened."""
    assert await store.open_epoch(0, 1, 2, "a", "b", "gate") == 0
    book.epoch = 2
    for entry in book.entries:
        entry.epoch = 2
    first = executed(book.take(), before="gate")
    await store.commit([first])
    book.bet("g1", a=5)
    await store.commit([executed(book.take(), before=first[-1].token, name="b")])
    assert (await store.heads())[0].seq == 3


async def test_the_same_bytes_of_another_execution_are_no_predecessor(store, book):
    """A fork, although all that was decided is equal to the byte: what follows belongs to another history."""
    await store.commit([executed(book.take())])
    book.bet("g1", a=5)
    (following,) = book.take()
    found = await conflict(store, executed([following], before="other.2"))
    assert (found.cause, found.seq) == (EpochCause.FORK, following.seq)


async def test_a_redelivery_with_what_follows_it_is_recognised(store, book):
    """By the bytes of what is there, and by the token for what is new."""
    first = executed(book.take())
    await store.commit([first])
    book.bet("g1", a=5)
    (following,) = executed(book.take(), before=first[-1].token, name="b")
    await store.commit([[*first, following]])
    assert (await store.heads())[0].seq == following.seq


async def test_a_batch_that_was_put_together_from_two_histories_is_a_fork(store, book):
    """At the entry that names another one before it."""
    first, second = executed(book.take())
    second.before = "other"
    found = await conflict(store, [first, second])
    assert (found.cause, found.seq) == (EpochCause.FORK, second.seq)
