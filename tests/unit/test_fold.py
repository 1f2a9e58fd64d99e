"""What follows from entries alone, from the text of one bet to a whole ledger.

One file, since all of it is the one fold, told with the same few acts.
"""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seamless_wallet.commands import BACK_OFFICE, CHANGES_MAX, Command, Item, Kind, PlayerStatus
from seamless_wallet.ledger.bets import Bet, BetState, Change, parse_bet
from seamless_wallet.ledger.entry import CHAIN_START, Entry
from seamless_wallet.ledger.fold import (
    BetContradiction,
    FoldError,
    Session,
    Wallet,
    first_seen_bets,
    fold_round,
    fold_wallet,
    net_effect,
)
from tests import entries as made
from tests.store.books import PROVIDER, Book

AMOUNTS = st.integers(min_value=0, max_value=2**53 - 1)
WINLOSSES = st.integers(min_value=-(2**53) + 1, max_value=2**53 - 1)
CHANGES = st.builds(Change, before=WINLOSSES, after=WINLOSSES, timestamp_ms=AMOUNTS)
BETS = st.one_of(
    st.builds(Bet, state=st.sampled_from([BetState.OPEN, BetState.CANCELLED, BetState.TOMBSTONE]), stake=AMOUNTS),
    st.builds(
        Bet,
        state=st.just(BetState.SETTLED),
        stake=AMOUNTS,
        winloss=WINLOSSES,
        first_winloss=WINLOSSES,
        changes=st.lists(CHANGES, max_size=CHANGES_MAX).map(tuple),
    ),
)


def entry_of(command: Command, decided: str, seq: int = 1) -> Entry:
    """An entry that says just this."""
    return made.entry_of(0, 1, seq, command, decided.encode())


def command_of(kind: Kind, *items: Item, **rest) -> Command:
    """A command of the one player."""
    rest = {"timestamp_ms": 1_000, "received_ms": 2_000, "provider": PROVIDER, **rest}
    return Command(kind=kind, user_id="u", transaction_id="t", items=items, **rest)


# ---------------------------------------------------------------- bets


@given(BETS)
def test_a_bet_survives_its_text(bet):
    """parse_bet is the inverse of text"""
    assert parse_bet(bet.text()) == bet


def test_the_text_of_a_bet_is_what_lua_reads():
    """One example of each, literally"""
    assert Bet(BetState.OPEN, 3_000).text() == "O 3000"
    assert Bet(BetState.CANCELLED, 3_000).text() == "C 3000"
    assert Bet(BetState.TOMBSTONE, 3_000).text() == "T 3000"
    settled = Bet(BetState.SETTLED, 3_000, -3_000, 2_850, (Change(2_850, -3_000, 5_000),))
    assert settled.text() == "S 3000 -3000 2850 2850:-3000:5000"


@pytest.mark.parametrize(
    "text", ["", "O", "X 1", "O x", "O 1 2", "S 1", "S 1 2", "S 1 2 3 4", "S 1 2 3 4:5", "S 1 2 3 4:5:6:7", "o 1"]
)
def test_a_text_that_is_no_bet_is_refused(text):
    """Rather than half understood"""
    with pytest.raises(ValueError):
        parse_bet(text)


# ---------------------------------------------------------------- stories

ACTS = st.lists(
    st.tuples(
        st.sampled_from(list(Kind)),
        st.sampled_from(["g1", "g2"]),
        st.dictionaries(st.sampled_from("abc"), st.integers(0, 50), min_size=1, max_size=3),
        st.integers(-60, 60),
        st.integers(0, 3_000),
    ),
    max_size=40,
)


def told(acts) -> Book:
    """A book of whatever of these acts a wallet would have answered with R0."""
    book = Book(0, 1)
    book.create("u")
    book.deposit(100, "u")
    for kind, game_no, stakes, number, later_ms in acts:
        book.now_ms += later_ms
        wallet = book.wallets["u"]
        bets = next((bets for key, bets in book.rounds.items() if key == _round(book, game_no)), {})
        open_bets = {index: bet for index, bet in bets.items() if bet.state is BetState.OPEN and index in stakes}
        settled = {i: bet for i, bet in bets.items() if bet.state is BetState.SETTLED and i in stakes}
        match kind:
            case Kind.LOGIN | Kind.LOGOUT:
                book.post(book.command(kind, "u", timestamp_ms=book.now_ms + number * 100))
            case Kind.STATUS:
                book.post(book.command(kind, "u", status=PlayerStatus.BLOCKED if number < 0 else PlayerStatus.ACTIVE))
            case Kind.DEPOSIT:
                book.deposit(abs(number), "u")
            case Kind.WITHDRAW if abs(number) <= wallet.balance - wallet.debt:
                book.withdraw(abs(number), "u")
            case Kind.BET if not bets.keys() & stakes and sum(stakes.values()) <= wallet.balance:
                book.bet(game_no, "u", **stakes)
            case Kind.CANCEL if all(i not in bets or bets[i].state is not BetState.SETTLED for i in stakes):
                book.cancel(game_no, "u", **{i: bets[i].stake if i in bets else s for i, s in stakes.items()})  # type: ignore[arg-type]
            case Kind.RESULT if open_bets:
                book.result(game_no, "u", **{i: (b.stake, max(number, -b.stake)) for i, b in open_bets.items()})  # type: ignore[arg-type]
            case Kind.CHANGE if settled:
                changes = {i: (b.stake, b.winloss, max(number, -b.stake)) for i, b in settled.items()}
                book.change(game_no, "u", **changes)  # type: ignore[arg-type]
            case _:
                pass
    return book


def _round(book: Book, game_no: str) -> bytes:
    probe = book.command(Kind.BET, "u", game_no=game_no)
    return entry_of(probe, "").round_digest or b""


@given(ACTS)
def test_a_wallet_and_its_rounds_follow_from_the_entries_alone(acts):
    """Decoded from bytes again, the entries fold to the state they were made from, and every sum fits"""
    book = told(acts)
    wallet: Wallet | None = None
    rounds: dict[bytes, dict[str, Bet]] = {}
    first_seen: list[tuple[bytes | None, str]] = []
    for entry in map(made.forged, book.entries):
        wallet = fold_wallet(wallet, entry)
        if entry.round_digest:
            fold_round(rounds.setdefault(entry.round_digest, {}), entry)
        first_seen += [(entry.round_digest, index) for index in first_seen_bets(entry)]
        assert net_effect(entry) == entry.decision.balance_delta - entry.decision.debt_delta
        assert sum(leg.amount for leg in entry.legs()) == 0
    assert wallet == book.wallets["u"]
    assert rounds == {digest: bets for digest, bets in book.rounds.items() if bets}
    assert sorted(first_seen, key=repr) == sorted(((d, i) for d, bets in rounds.items() for i in bets), key=repr)
    stakes = sum(bet.stake for bets in rounds.values() for bet in bets.values() if bet.state is BetState.OPEN)
    settled = sum(bet.winloss for bets in rounds.values() for bet in bets.values())
    moved = sum(e.decision.balance_delta for e in book.entries if e.command.provider == BACK_OFFICE)
    assert wallet.balance - wallet.debt == moved + settled - stakes


@given(ACTS, st.data())
def test_no_entry_can_be_left_out_doubled_or_swapped(acts, data):
    """Versions count: any other order of a wallet's entries does not fold"""
    entries = told(acts).entries
    at = data.draw(st.integers(0, len(entries) - 2))
    for wrong in (
        entries[:at] + entries[at + 1 :],
        [*entries[: at + 1], *entries[at:]],
        [*entries[:at], entries[at + 1], entries[at], *entries[at + 2 :]],
    ):
        wallet = None
        with pytest.raises(FoldError):  # noqa: PT012
            for entry in wrong:
                wallet = fold_wallet(wallet, entry)


@given(ACTS)
def test_the_chain_holds_every_byte_and_every_place(acts):
    """No two entries of a story share a link; a changed epoch, place or byte changes it"""
    entries = told(acts).entries
    links = [CHAIN_START]
    for entry in entries:
        links.append(entry.chained_to(links[-1]))
    assert len(set(links)) == len(links)
    for (before, after), e in zip(pairwise(links), entries, strict=True):
        for other in (
            made.forged(e, shard=e.shard + 1),
            made.forged(e, epoch=e.epoch + 1),
            made.forged(e, seq=e.seq + 1),
            made.forged(e, user_id=e.user_id + "x"),
            made.forged(e, provider=e.provider + "x"),
            made.forged(e, user_id=e.user_id + e.provider[:1], provider=e.provider[1:]),
            made.forged(e, payload=e.payload[:-1], decided=e.payload[-1:] + e.decided),
            made.forged(e, decided=e.decided + b" "),
        ):
            assert other.chained_to(before) != after
        assert e.chained_to(after) != after


# ---------------------------------------------------------------- refusals


def test_a_player_must_be_created_first_and_once():
    """CREATE begins a wallet and never continues one"""
    create = command_of(Kind.CREATE, currency="KRW")
    with pytest.raises(FoldError, match="never created"):
        fold_wallet(None, entry_of(command_of(Kind.LOGIN), "1 0 0 0 0 "))
    wallet = fold_wallet(None, entry_of(create, "1 0 0 0 0 "))
    assert wallet == Wallet("u", "KRW", "active", 1, 1, 0, 0)
    with pytest.raises(FoldError, match="exists"):
        fold_wallet(wallet, entry_of(create, "2 0 0 0 0 ", 2))


@pytest.mark.parametrize(
    "decided", ["3 0 0 0 0 ", "1 0 0 0 0 ", "2 1 0 0 0 ", "2 0 1 0 0 ", "2 -1 0 -1 0 ", "2 0 -1 0 -1 "]
)
def test_a_decision_that_does_not_follow_is_refused(decided):
    """Version, balance and debt each"""
    wallet = Wallet("u", "KRW", "active", 1, 1, 0, 0)
    with pytest.raises(FoldError, match="does not follow"):
        fold_wallet(wallet, entry_of(command_of(Kind.LOGIN), decided, 2))


IMPOSSIBLE = [
    (Kind.BET, "t"),
    (Kind.RESULT, "t"),
    (Kind.CHANGE, "t"),
    (Kind.CANCEL, "x"),
    (Kind.BET, "++"),
    (Kind.BET, ""),
]


@pytest.mark.parametrize(("kind", "effects"), IMPOSSIBLE)
def test_an_effect_that_its_kind_does_not_have_is_refused(kind, effects):
    """One letter an item, of those the kind knows"""
    with pytest.raises(FoldError):
        fold_round({}, entry_of(command_of(kind, Item("a", "p", 10)), f"1 0 0 0 0 {effects}"))


SETTLED = Bet(BetState.SETTLED, 10, 7, 5, (Change(5, 6, 1), Change(6, 7, 2)))
BET_IN: dict[str | None, Bet | None] = {
    None: None,
    "open": Bet(BetState.OPEN, 10),
    "cancelled": Bet(BetState.CANCELLED, 10),
    "tombstone": Bet(BetState.TOMBSTONE, 10),
    "settled": SETTLED,
}
OTHER_STAKE = Item("a", "p", 11, 7, 6)
FOLLOWS: dict[tuple[Kind, str, Item], set[str | None]] = {
    (Kind.BET, "+", Item("a", "p", 10)): {None},
    (Kind.BET, "-", Item("a", "p", 10)): {"open", "settled"},
    (Kind.BET, "-", OTHER_STAKE): set(),
    (Kind.CANCEL, "t", Item("a", "p", 10)): {None},
    (Kind.CANCEL, "+", Item("a", "p", 10)): {"open"},
    (Kind.CANCEL, "-", Item("a", "p", 10)): {"cancelled", "tombstone"},
    (Kind.CANCEL, "+", OTHER_STAKE): set(),
    (Kind.CANCEL, "-", OTHER_STAKE): set(),
    (Kind.RESULT, "+", Item("a", "p", 10, 3)): {"open"},
    (Kind.RESULT, "+", Item("a", "p", 10, -11)): set(),
    (Kind.RESULT, "+", OTHER_STAKE): set(),
    **{(Kind.RESULT, "-", Item("a", "p", 10, had)): {"settled"} for had in (5, 6, 7)},
    (Kind.RESULT, "-", Item("a", "p", 10, 4)): set(),
    (Kind.RESULT, "-", OTHER_STAKE): set(),
    (Kind.CHANGE, "+", Item("a", "p", 10, 3, 7)): {"settled"},
    (Kind.CHANGE, "+", Item("a", "p", 10, 3, 6)): set(),
    (Kind.CHANGE, "+", Item("a", "p", 10, -11, 7)): set(),
    (Kind.CHANGE, "+", Item("a", "p", 11, 3, 7)): set(),
    (Kind.CHANGE, "-", Item("a", "p", 10, 6, 5)): {"settled"},
    (Kind.CHANGE, "-", Item("a", "p", 10, 7, 5)): set(),
    (Kind.CHANGE, "-", OTHER_STAKE): set(),
}
"""Kind, letter and item → the states of a bet that it may follow: facts of the case table, and nothing of a setting."""


@pytest.mark.parametrize("state", BET_IN)
@pytest.mark.parametrize(("kind", "effect", "item"), FOLLOWS)
def test_an_item_follows_from_the_state_of_its_bet(kind, effect, item, state):
    """With an effect or without one: an item that has none changes nothing, and says something true of the bet"""
    bet = BET_IN[state]
    bets = {} if bet is None else {"a": bet}
    entry = entry_of(command_of(kind, item), f"1 0 0 0 0 {effect}")
    if state not in FOLLOWS[kind, effect, item]:
        with pytest.raises(BetContradiction):
            fold_round(bets, entry)
        assert bets == ({} if bet is None else {"a": bet})
        return
    fold_round(bets, entry)
    assert set(bets) == {"a"}
    assert (bets["a"] == bet) == (effect == "-")


def test_a_change_must_begin_at_the_stored_winloss():
    """Its `before` is what the bet has"""
    bets = {"a": Bet(BetState.SETTLED, 10, 5, 5)}
    with pytest.raises(FoldError):
        fold_round(bets, entry_of(command_of(Kind.CHANGE, Item("a", "p", 10, 9, 4)), "1 0 0 0 0 +"))
    fold_round(bets, entry_of(command_of(Kind.CHANGE, Item("a", "p", 10, 9, 5)), "1 0 0 0 0 +"))
    assert bets["a"] == Bet(BetState.SETTLED, 10, 9, 5, (Change(5, 9, 1_000),))


# ---------------------------------------------------------------- sessions


def sessions_after(*steps: tuple[Kind, int, int], bet_effect: str = "+") -> dict[str, Session]:
    """Sessions after (kind, provider's time, our time) …"""
    wallet = fold_wallet(None, entry_of(command_of(Kind.CREATE, currency="KRW"), "1 0 0 0 0 "))
    for version, (kind, timestamp_ms, received_ms) in enumerate(steps, 2):
        command = command_of(kind, timestamp_ms=timestamp_ms, received_ms=received_ms)
        wallet = fold_wallet(wallet, entry_of(command, f"{version} 0 0 0 0 {bet_effect * (kind is Kind.BET)}", version))
    return dict(wallet.sessions)


@pytest.mark.parametrize(
    ("steps", "session"),
    [
        ([(Kind.LOGOUT, 1, 2)], None),
        ([(Kind.BET, 1, 2)], None),
        ([(Kind.LOGIN, 10, 100)], Session(10, 100)),
        ([(Kind.LOGIN, 10, 100), (Kind.LOGIN, 5, 90)], Session(10, 100)),
        ([(Kind.LOGIN, 300_100, 100)], Session(300_100, 100)),
        ([(Kind.LOGIN, 300_101, 100)], Session(300_100, 100)),
        ([(Kind.LOGIN, 10**12, 100), (Kind.LOGIN, 10**12, 150)], Session(300_150, 150)),
        ([(Kind.LOGIN, 10**12, 100), (Kind.LOGIN, 10**12, 50)], Session(300_100, 100)),
        ([(Kind.LOGIN, 10**12, 100), (Kind.LOGOUT, 300_100, 110)], Session(300_100, 100)),
        ([(Kind.LOGIN, 10**12, 100), (Kind.LOGOUT, 300_101, 110)], Session(300_100, 100, 110)),
        ([(Kind.LOGIN, 10, 100), (Kind.BET, 5, 150)], Session(10, 150)),
        ([(Kind.LOGIN, 10, 100), (Kind.BET, 5, 50)], Session(10, 100)),
        ([(Kind.LOGIN, 10, 100), (Kind.LOGOUT, 10, 110)], Session(10, 100)),
        ([(Kind.LOGIN, 10, 100), (Kind.LOGOUT, 11, 110)], Session(10, 100, 110)),
        ([(Kind.LOGIN, 10, 100), (Kind.LOGOUT, 11, 110), (Kind.LOGOUT, 12, 120)], Session(10, 100, 110)),
        ([(Kind.LOGIN, 10, 100), (Kind.LOGOUT, 11, 110), (Kind.BET, 12, 120)], Session(10, 100, 110)),
        ([(Kind.LOGIN, 10, 100), (Kind.LOGOUT, 11, 110), (Kind.LOGIN, 12, 120)], Session(12, 120)),
        ([(Kind.LOGIN, 10, 100), (Kind.RESULT, 11, 110)], Session(10, 100)),
    ],
)
def test_sessions_follow_from_logins_logouts_and_bets(steps, session):
    """Login opens, a newer logout closes, a bet renews what is open; nothing else touches one"""
    assert sessions_after(*steps).get(PROVIDER) == session


def test_a_bet_without_effect_renews_nothing():
    """A repetition is no sign of life: it must not bring an expired session back."""
    steps = [(Kind.LOGIN, 10, 100), (Kind.BET, 5, 150)]
    assert sessions_after(*steps, bet_effect="-").get(PROVIDER) == Session(10, 100)


def test_the_text_of_a_session_is_what_lua_reads():
    """Literally"""
    assert Session(10, 100, 110).text() == "10 100 110"
