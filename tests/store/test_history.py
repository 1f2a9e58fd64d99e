"""What people ask of the past."""

from __future__ import annotations

import pytest

from seamless_wallet.commands import Kind
from seamless_wallet.ledger.records import EntriesQuery, LeftOpenQuery, OpenBets, PlayersQuery
from tests.store.books import PROVIDER, START_MS, user_of

STEP_MS = 100_000


@pytest.fixture
async def years(store, book):
    """A player with 300 further deposits, one each STEP_MS."""
    for number in range(300):
        book.now_ms = START_MS + (number + 1) * STEP_MS
        book.deposit(1 + number)
    await store.commit([book.take()])
    return book


def seqs(entries):
    """Of each entry."""
    return [entry.seq for entry in entries]


@pytest.mark.parametrize(("first", "last"), [(0, 9), (10, 20), (100, 163), (280, 300), (299, 400), (301, 400)])
async def test_entries_of_a_time(store, years, first, last):
    """From the first moment on, before the last one, newest first, wherever signposts stand"""
    query = EntriesQuery(START_MS + first * STEP_MS, START_MS + last * STEP_MS, limit=1_000)
    expected = [e.seq for e in years.entries if query.from_ms <= e.command.received_ms < (query.to_ms or 0)]
    assert seqs(await store.history(years.user, query)) == expected[::-1]


async def test_entries_page_by_page(store, years):
    """With the seq of the last one as cursor, all of a time come once"""
    seen, before = [], None
    while page := await store.history(years.user, EntriesQuery(START_MS + STEP_MS, None, before, 17)):
        seen += seqs(page)
        before = page[-1].seq
    assert seen == [e.seq for e in years.entries if e.command.received_ms >= START_MS + STEP_MS][::-1]


async def test_entries_that_came_out_of_order(store, book):
    """Clocks of workers differ: none is missed"""
    for moved in (0, 50_000, 1_000, 90_000, 40_000):
        book.now_ms = START_MS + moved
        book.deposit(1)
    await store.commit([book.take()])
    found = await store.history(book.user, EntriesQuery(START_MS + 30_000, START_MS + 60_000))
    assert [entry.command.received_ms - START_MS for entry in found] == [40_000, 50_000]


@pytest.mark.parametrize("number", [0, 1, 62, 63, 64, 200, 300, 500])
async def test_the_balance_as_of_a_time(store, years, number):
    """That after the newest entry of then"""
    at_ms = START_MS + number * STEP_MS
    expected = [e for e in years.entries if e.command.received_ms <= at_ms][-1]
    found = await store.entry_at(years.user, at_ms)
    assert (found.seq, found.decision) == (expected.seq, expected.decision)
    assert await store.entry_at(years.user, START_MS - 1) is None
    assert await store.entry_at("nobody", at_ms) is None


async def test_an_event_by_its_id(store, book):
    """Of that provider and player alone"""
    bet = book.bet("g1", a=5)
    await store.commit([book.take()])
    transaction_id = bet.command.transaction_id
    assert (await store.event(PROVIDER, book.user, transaction_id)).seq == bet.seq
    for other in (("x", book.user, transaction_id), (PROVIDER, "x", transaction_id), (PROVIDER, book.user, "x")):
        assert await store.event(*other) is None


async def test_rounds_newest_first_by_their_first_bet(store, book):
    """Each once, with all of its bets and their states, also page by page"""
    book.bet("g1", a=100)
    book.bet("g2", a=10, b=20)
    book.bet("g1", b=200)
    book.result("g2", a=(10, 10), b=(20, -20))
    book.cancel("g3", a=7)
    await store.commit([book.take()])
    found = await store.rounds(book.user, None, 10)
    assert [round_.game_no for round_ in found] == ["g3", "g2", "g1"]
    states = [{index: bet.text() for index, bet in round_.bets.items()} for round_ in found]
    assert states == [{"a": "T 7"}, {"a": "S 10 10 10", "b": "S 20 -20 -20"}, {"a": "O 100", "b": "O 200"}]
    paged, before = [], None
    while page := await store.rounds(book.user, before, 1):
        paged += page
        before = page[-1].seq
    assert paged == list(found)
    assert await store.rounds("nobody", None, 10) == []


async def test_open_bets(store, book):
    """Of each round those alone, newest first"""
    book.bet("g1", a=100, b=5)
    book.bet("g2", a=10)
    book.bet("g1", c=7)
    book.result("g1", b=(5, 5))
    await store.commit([book.take()])
    found = await store.open_rounds(book.user, 100)
    assert [(round_.game_no, dict(round_.bets)) for round_ in found] == [
        ("g2", {"a": found[0].bets["a"]}),
        ("g1", {"a": found[1].bets["a"], "c": found[1].bets["c"]}),
    ]
    assert found[1].placed_ms == START_MS
    assert await store.open_rounds("nobody", 10) == []


async def test_players(store, book):
    """By prefix, status and debt, with a cursor"""
    users = sorted([book.user, *(user_of(0, 2, nth) for nth in range(1, 12))])
    for user in users:
        if user != book.user:
            book.create(user)
    book.post(book.command(Kind.STATUS, users[3], status="blocked"))
    book.deposit(10, users[5])
    book.bet("g1", users[5], a=10)
    book.result("g1", users[5], a=(10, 10))
    book.withdraw(20, users[5])
    book.change("g1", users[5], a=(10, 10, -5))
    await store.commit([book.take()])

    async def asked(**query):
        return [wallet.user_id for wallet in await store.players(PlayersQuery(**query))]

    assert await asked() == users
    assert await asked(prefix="user-1") == [user for user in users if user.startswith("user-1")]
    assert await asked(status="blocked") == [users[3]]
    assert await asked(status="active") == [user for user in users if user != users[3]]
    assert await asked(owing=True) == [users[5]]
    assert await asked(owing=True, status="blocked") == []
    assert await asked(after=users[1], limit=2) == users[2:4]
    assert await asked(prefix="user-1", after="user-0") == await asked(prefix="user-1")
    assert await asked(prefix="v") == []


async def test_rounds_that_are_left_open(store, book, other):
    """Those placed before a time, of all players and shards, the first ones first, also page by page"""
    book.bet("g1", a=100, b=5)
    other.now_ms = book.now_ms + 1_000
    other.bet("g2", a=10)
    book.now_ms += 2_000
    book.bet("g1", c=7)
    book.bet("g3", a=1)
    book.bet("g4", a=1)
    book.result("g4", a=(1, 1))
    book.now_ms += 3_600_000
    book.bet("g5", a=1)
    await store.commit([book.take(), other.take()])

    async def asked(before_ms: int, **query):
        found = await store.left_open(LeftOpenQuery(before_ms, **query))
        return [(each.user_id, each.round.game_no, sorted(each.round.bets)) for each in found]

    everything = [
        (book.user, "g1", ["a", "b", "c"]),
        (other.user, "g2", ["a"]),
        (book.user, "g3", ["a"]),
        (book.user, "g5", ["a"]),
    ]
    assert sorted(await asked(START_MS + 10_000_000)) == sorted(everything)
    assert sorted(await asked(START_MS + 3_600_000)) == sorted(everything[:3])
    assert await asked(START_MS + 1_000) == everything[:1]
    assert await asked(START_MS) == []
    assert await asked(START_MS + 10_000_000, provider="x") == []
    assert len(await asked(START_MS + 10_000_000, provider=PROVIDER)) == 4
    paged, after = [], ""
    while page := await store.left_open(LeftOpenQuery(START_MS + 3_600_000, after=after, limit=1)):
        paged += page
        after = page[-1].place
    assert [each.round.game_no for each in paged] == [game_no for _, game_no, _ in await asked(START_MS + 3_600_000)]
    first = next(each for each in paged if each.round.game_no == "g1")
    assert (first.currency, first.round.placed_ms, first.round.seq) == ("KRW", START_MS, 3)
    assert {index: bet.text() for index, bet in first.round.bets.items()} == {"a": "O 100", "b": "O 5", "c": "O 7"}
    assert await store.open_bets() == OpenBets(6, START_MS)
    book.result("g1", a=(100, 1), b=(5, 1))
    await store.commit([book.take()])
    await_open = await store.left_open(LeftOpenQuery(START_MS + 3_600_000))
    assert sorted(each.round.game_no for each in await_open) == ["g1", "g2", "g3"]
    with pytest.raises(ValueError, match="invalid literal"):
        await store.left_open(LeftOpenQuery(START_MS, after="x"))


async def test_no_bet_is_open(store):
    """In an empty ledger"""
    assert await store.open_bets() == OpenBets(0, 0)
    assert await store.left_open(LeftOpenQuery(START_MS)) == []


async def test_many_rounds_are_left_open_in_the_order_of_time(store, book):
    """Whatever the number of entries before them: the time is found by halves, or by walking from the first one"""
    for number in range(40):
        book.now_ms = START_MS + number * 60_000
        book.deposit(1)
        book.bet(f"g{number}", a=1)
    await store.commit([book.take()])
    for number in (0, 1, 7, 39, 40):
        found = await store.left_open(LeftOpenQuery(START_MS + number * 60_000))
        assert [each.round.game_no for each in found] == [f"g{each}" for each in range(number)]
