"""What a store answers, each answer one snapshot."""

from __future__ import annotations

import asyncio
from hashlib import sha1

import pytest

from seamless_wallet.commands import Kind
from seamless_wallet.ledger.bets import Bet, BetState
from seamless_wallet.ledger.records import EventRecord, ShardHead
from seamless_wallet.stores import bounds
from seamless_wallet.stores.planning import SIGNPOST_EVERY
from tests.store.books import PROVIDER, user_of

HOUR_MS = 3_600_000


def record(entry) -> EventRecord:
    """What SQL keeps of the entry's event."""
    return EventRecord(entry.event_digest, entry.fingerprint, entry.seq)


async def test_a_new_ledger_is_empty(backend):
    """Every shard has a head of epoch 0, nobody is known"""
    store = backend.open()
    try:
        assert await store.heads() == [ShardHead(0, 0, "", "")] * 2
        assert await store.wallet("nobody") is None
        assert await store.entries("nobody", None, 10) == []
        assert await store.trial_balance() == {}
        assert await store.registered_scripts() == {}
        snapshot = await store.load(1, "nobody", 0)
        assert (snapshot.epoch, snapshot.seq, snapshot.wallet) == (0, 0, None)
    finally:
        await store.close()


async def test_load_brings_the_window_and_all_open_bets(store, book):
    """An old bet comes if it is open, an old settled one not; all bets and events since then, no older ones"""
    book.post(book.command(Kind.LOGIN))
    open_old = book.bet("open-old", a=100, b=50)
    book.result("open-old", a=(100, 95))
    book.bet("done-old", a=10)
    book.result("done-old", a=(10, 0))
    book.now_ms += 2 * HOUR_MS
    recent = [
        book.bet("recent", a=30),
        book.result("recent", a=(30, -30)),
        book.change("recent", a=(30, -30, 60)),
        book.cancel("tomb", x=7),
        book.deposit(1),
    ]
    await store.commit([book.take()])

    snapshot = await store.load(0, book.user, book.now_ms - HOUR_MS)

    assert (snapshot.epoch, snapshot.seq) == (1, len(book.entries))
    assert snapshot.wallet == book.wallets[book.user]
    assert snapshot.wallet.sessions == {PROVIDER: snapshot.wallet.sessions[PROVIDER]}
    assert list(snapshot.events) == [record(entry) for entry in recent]
    expected = {digest: book.rounds[digest] for digest in (recent[0].round_digest, recent[3].round_digest)}
    assert dict(snapshot.rounds) == {open_old.round_digest: {"b": Bet(BetState.OPEN, 50)}, **expected}
    assert snapshot.complete


async def test_load_costs_what_was_touched_and_not_what_its_round_ever_had(store, book):
    """A bet settled long ago stays in SQL, although another bet of its round was settled just now"""
    bet = book.bet("g", a=10, b=20)
    book.result("g", a=(10, 5))
    book.now_ms += 2 * HOUR_MS
    book.result("g", b=(20, 5))
    await store.commit([book.take()])
    snapshot = await store.load(0, book.user, book.now_ms - HOUR_MS)
    assert dict(snapshot.rounds) == {bet.round_digest: {"b": book.rounds[bet.round_digest]["b"]}}
    assert len(snapshot.events) == 1


@pytest.mark.parametrize("what", ["events", "bets"])
async def test_a_load_is_bounded(store, book, monkeypatch, what):
    """The newest events and bets come, and the snapshot says that there are more"""
    monkeypatch.setattr(bounds, "LOAD_MAX", 3)
    old = book.bet("old", **{str(n): 1 for n in range(1 if what == "events" else 3)})
    for n in range(2):
        book.bet(f"g{n}", a=1) if what == "bets" else book.deposit(1)
    await store.commit([book.take()])
    snapshot = await store.load(0, book.user, 0)
    assert not snapshot.complete
    assert [event.seq for event in snapshot.events] == {"events": [3, 4, 5], "bets": [4, 5]}[what]
    assert old.round_digest in snapshot.rounds, "open bets come all the same"


async def test_load_does_not_stop_at_a_clock_that_is_a_little_behind(store, book):
    """Entries of two workers whose clocks differ: one that seems too old does not hide those before it"""
    book.now_ms += 2 * HOUR_MS
    since = book.now_ms
    first = book.bet("g1", a=1)
    book.now_ms -= 5_000
    book.bet("g2", a=1)
    book.now_ms += 10_000
    last = book.bet("g3", a=1)
    await store.commit([book.take()])
    found = {event.seq for event in (await store.load(0, book.user, since)).events}
    assert {first.seq, last.seq} <= found
    assert 1 not in found


async def test_load_is_of_one_player(store, book):
    """Another player of the shard with the same game does not show"""
    neighbour = user_of(0, book.shards, 1)
    book.create(neighbour)
    book.deposit(100, neighbour)
    book.bet("g", a=10)
    theirs = book.bet("g", neighbour, a=20)
    await store.commit([book.take()])
    snapshot = await store.load(0, neighbour, 0)
    assert {event.seq for event in snapshot.events} == {3, 4, 6}
    assert list(snapshot.rounds) == [theirs.round_digest]


async def test_lookup_finds_the_event_and_its_bets(store, book):
    """As they are now, whichever event changed them last; no other bets of the round"""
    first = book.bet("g", a=100, c=7)
    book.bet("g", b=50)
    result = book.result("g", a=(100, 95))
    await store.commit([book.take()])
    found = await store.lookup(0, first.command, first.event_digest)
    assert (found.epoch, found.seq, found.wallet) == (1, 5, book.wallets[book.user])
    assert found.record == record(first)
    bets = book.rounds[result.round_digest]
    assert dict(found.bets) == {"a": bets["a"], "c": bets["c"]}


async def test_lookup_of_what_is_not_there(store, book):
    """No event, no bets; without a round no bets are asked for"""
    await store.commit([book.take()])
    unknown = book.bet("g", a=1)
    found = await store.lookup(0, unknown.command, unknown.event_digest)
    assert (found.record, dict(found.bets), found.wallet.version) == (None, {}, 2)
    deposit = book.entries[1]
    found = await store.lookup(0, deposit.command, deposit.event_digest)
    assert (found.record, dict(found.bets)) == (record(deposit), {})


async def test_wallets_of_those_players_that_there_are(store, book, other):
    """As `wallet` tells each"""
    await store.commit([book.take(), other.take()])
    found = await store.wallets([book.user, "nobody", other.user, book.user])
    assert found == {book.user: book.wallets[book.user], other.user: other.wallets[other.user]}
    assert await store.wallets([]) == {}


async def test_find_events_with_the_heads_of_the_same_snapshot(store, book, other):
    """Committed ones by digest, unknown ones absent"""
    await store.commit([book.take(), other.take()])
    known, theirs, unknown = book.entries[0], other.entries[1], book.deposit(5)
    found = await store.find_events([(entry.user_id, entry.event_digest) for entry in (known, theirs, unknown)])
    assert found.events == {known.event_digest: record(known), theirs.event_digest: record(theirs)}
    assert [head.seq for head in found.heads] == [2, 2]
    assert (await store.find_events([])).events == {}


async def test_entries_come_newest_first_and_page_by_page(store, book):
    """before_seq is exclusive"""
    for amount in range(1, 8):
        book.deposit(amount)
    await store.commit([book.take()])
    page = await store.entries(book.user, None, 4)
    assert [entry.seq for entry in page] == [9, 8, 7, 6]
    page = await store.entries(book.user, 6, 100)
    assert [entry.seq for entry in page] == [5, 4, 3, 2, 1]
    assert page[0].command == book.entries[4].command
    assert (page[0].decision, page[0].shard, page[0].epoch) == (book.entries[4].decision, 0, 1)


async def test_a_page_far_back_is_found_by_a_signpost(store, book):
    """Whatever the seq, the walk begins close by and tells the same story"""
    for amount in range(3 * SIGNPOST_EVERY):
        book.deposit(amount)
    await store.commit([book.take()])
    last = book.entries[-1].seq
    for before in (2, 3, SIGNPOST_EVERY, SIGNPOST_EVERY + 1, 2 * SIGNPOST_EVERY + 7, last, last + 1, last + 100):
        page = await store.entries(book.user, before, 5)
        assert [entry.seq for entry in page] == [e.seq for e in reversed(book.entries) if e.seq < before][:5]


async def test_trial_balance_sums_to_zero_per_currency(store, book, other):
    """Players, debts, cash and houses, each currency for itself"""
    dollar = user_of(1, book.shards, 1)
    other.create(dollar, "USD")
    other.deposit(700, dollar)
    other.bet("g", dollar, currency="USD", a=200)
    book.bet("g", a=10_000)
    book.result("g", a=(10_000, 1_000))
    book.withdraw(11_000)
    book.change("g", a=(10_000, 1_000, -10_000))
    await store.commit([book.take(), other.take()])
    balance = await store.trial_balance()
    assert balance == {
        "KRW": {"player": 5_000, "debt": -11_000, "cash": -4_000, "house:dowinn": 10_000},
        "USD": {"player": 500, "debt": 0, "cash": -700, "house:dowinn": 200},
    }
    assert all(sum(accounts.values()) == 0 for accounts in balance.values())


async def test_scripts_are_registered_by_any_process(store, backend):
    """Two deployed versions side by side; to register again is nothing new; a wrong SHA is refused"""
    texts = {sha1(text.encode(), usedforsecurity=False).hexdigest(): text for text in ("return 1", "return 2")}
    worker = backend.open()
    try:
        await worker.register_scripts(dict(list(texts.items())[:1]), 1)
        await asyncio.gather(worker.register_scripts(texts, 2), store.register_scripts(texts, 3))
        assert await store.registered_scripts() == texts
        with pytest.raises(ValueError, match="SHA-1"):
            await worker.register_scripts({"00": "return 3"}, 4)
    finally:
        await worker.close()
