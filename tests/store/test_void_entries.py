"""What does not follow costs its wallet, not its shard: its entries are kept as void ones, and all else goes on."""

from __future__ import annotations

import pytest

from seamless_wallet.ledger.conflicts import EpochCause, RefusalCause
from seamless_wallet.ledger.entry import Entry
from tests.entries import forged
from tests.store.books import Book, user_of
from tests.store.commits import conflict, refusal, refusals


async def sound(store) -> None:
    """The ledger has nothing to complain about."""
    assert [finding async for finding in store.verify()] == []


def voided(entry: Entry, cause: RefusalCause = RefusalCause.REUSED) -> Entry:
    """The entry, marked as the writer does."""
    marked = forged(entry)
    marked.void = cause
    return marked


@pytest.fixture
async def refused(store, book):
    """A deposit whose event SQL has already, then a bet of the same player, then one of his neighbour."""
    neighbour = user_of(0, book.shards, 1)
    book.create(neighbour)
    book.deposit(50, neighbour)
    book.deposit(5, transaction_id="again")
    await store.commit([book.take()])
    before = book.copy()
    book.deposit(5, transaction_id="again")
    book.bet("g", a=10)
    book.bet("g", neighbour, a=10)
    return before, book.take(), neighbour


async def test_a_refusal_costs_its_wallet_only(store, refused, backend):
    """The refused entry and those of its wallet behind it move nothing; the neighbour's is as any other"""
    before, entries, neighbour = refused
    assert (await refusal(store, entries)).seq == entries[0].seq
    await store.commit([[voided(entries[0]), voided(entries[1]), entries[2]]])
    assert await store.wallet(before.user) == before.wallets[before.user]
    assert (await store.wallet(neighbour)).balance == 40
    assert (await store.heads())[0].seq == entries[-1].seq
    assert await store.voids(0, 1) == {entries[0].seq, entries[1].seq}
    assert await store.voids(0, entries[1].seq) == {entries[1].seq}
    assert await store.voids(1, 1) == set()
    players = backend.rows("SELECT player FROM wallet WHERE user_id = ?", before.user)
    assert backend.rows("SELECT player FROM entry WHERE kind = 'void'") == 2 * players
    await sound(store)


async def test_what_is_void_sql_says_when_it_is_sent_again(store, refused):
    """By a writer that does not know which are: it tells the workers what the entries are marked as"""
    _, entries, _ = refused
    await store.commit([[voided(entries[0]), voided(entries[1]), entries[2]]])
    again = [forged(entries[0]), forged(entries[1]), voided(entries[2])]
    await store.commit([again])
    assert [entry.void for entry in again] == [RefusalCause.REUSED, RefusalCause.REUSED, ""]


async def test_the_player_goes_on_as_if_they_had_never_been(store, refused):
    """The very bet whose entry is void is placed by another entry, of the version after the last that counts"""
    before, entries, _ = refused
    await store.commit([[voided(entries[0]), voided(entries[1]), entries[2]]])
    before.entries += entries
    before.take()
    placed = before.bet("g", a=10)
    await store.commit([before.take()])
    assert await store.wallet(before.user) == before.wallets[before.user]
    newest = await store.entries(before.user, None, 2)
    assert [entry.seq for entry in newest] == [placed.seq, entries[0].seq - 1], "void ones are not of his story"
    assert (await store.lookup(0, placed.command, placed.event_digest)).record.seq == placed.seq
    await sound(store)


@pytest.mark.parametrize("marked", [True, False])
async def test_a_void_entry_that_comes_again_is_recognised(store, refused, marked):
    """After a commit of unknown outcome, whether the writer knows that it is void or not; other bytes are a fork"""
    _, entries, _ = refused
    await store.commit([[voided(entries[0]), voided(entries[1]), entries[2]]])
    again = [voided(entries[0]) if marked else entries[0], *entries[1:]]
    await store.commit([again])
    other = await conflict(store, [entries[0], forged(entries[1], decided=b"1 2 3 4 5 "), entries[2]])
    assert (other.cause, other.seq) == (EpochCause.FORK, entries[1].seq)


async def test_every_wallet_that_is_refused_is_named_at_once(store, book, other):
    """One attempt tells them all, each by its first entry"""
    for each in (book, other):
        each.deposit(5, transaction_id="again")
    await store.commit([book.take(), other.take()])
    for each in (book, other):
        each.deposit(7)
        each.deposit(5, transaction_id="again")
        each.deposit(5, transaction_id="again")
    first, second = await refusals(store, book.take(), other.take())
    assert {(first.shard, first.seq), (second.shard, second.seq)} == {(0, 5), (1, 5)}


@pytest.mark.parametrize(
    ("payload", "decided"),
    [(b"", b""), (b"\xff\x00", b"\xff"), (b"{", b"1 0 0 0 0 ")],
    ids=["none", "binary", "json"],
)
async def test_rubbish_of_nobody_is_kept_to_the_byte(store, book, backend, payload, decided):
    """What can be neither read nor ascribed to a player; the chain covers it"""
    await store.commit([book.take()])
    rubbish = Entry(0, 1, 3, "nobody", "nowhere", payload, decided)
    assert (await refusal(store, [rubbish])).cause is RefusalCause.UNSTORABLE
    await store.commit([[voided(rubbish, RefusalCause.UNSTORABLE)]])
    book.entries.append(rubbish)
    book.take()
    book.deposit(1)
    await store.commit([book.take()])
    await sound(store)
    backend.tamper("UPDATE entry SET effects = '' WHERE kind = 'void'")
    assert [finding async for finding in store.verify()]


async def test_an_entry_cannot_be_made_void_afterwards_without_a_trace(store, book, backend):
    """The chain says which entries are void"""
    await store.commit([book.take()])
    backend.tamper("UPDATE entry SET kind = 'void', effects = 'reused' WHERE seq = 2")
    assert [finding async for finding in store.verify()]


async def test_what_is_remembered_of_the_last_commit_gives_way_to_what_sql_has(store, backend, book):
    """Another writer went on meanwhile: the first one reads what it swaps, and is not told of a refusal"""
    book.bet("g", a=10)
    await store.commit([book.take()])
    backend.cease_to_write(store)
    async with backend.open() as second:
        backend.become_writer(second)
        await second.take_over("second", range(book.shards), 0)
        book.result("g", a=(10, 5))
        await second.commit([book.take()])
    backend.become_writer(store)
    await store.take_over("third", range(book.shards), 0)
    book.change("g", a=(10, 5, -5))
    await store.commit([book.take()])
    assert await store.wallet(book.user) == book.wallets[book.user]
    await sound(store)


async def test_nothing_is_remembered_of_a_commit_that_failed(store, book):
    """What it would have left is forgotten with it"""
    await store.commit([book.take()])
    rolled_back = Book(0, book.shards, entries=list(book.entries), wallets=dict(book.wallets))
    rolled_back.take()
    rolled_back.deposit(7)
    rolled_back.deposit(7, transaction_id=book.entries[1].command.transaction_id)
    await refusal(store, rolled_back.take())
    book.deposit(9)
    await store.commit([book.take()])
    assert (await store.wallet(book.user)).balance == 10_009
