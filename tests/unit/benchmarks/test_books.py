"""The checks of a run: what is answered or kept wrongly makes it void."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import pytest

from benchmarks import play
from benchmarks.books import Books, check
from benchmarks.generator import WrongAnswer
from benchmarks.play import Event
from benchmarks.service import provider
from seamless_wallet.commands import Answer, Code, Item, Kind
from seamless_wallet.providers.profile import Echo

PATH = "/webhook/bench"


def sealed(event: Event, code: Code = Code.R0, balance: int | None = 900, **echo: object) -> bytes:
    """The reply to an event, right but for what is named."""
    bench = provider()
    fields = {"event_type": event.event_type, "timestamp": event.timestamp, "user_id": event.user_id, **echo}
    answer = Answer(code, "", balance, currency="KRW")
    return bench.seal(bench.profile.encode_reply(Echo(**fields), answer, 2), bench.keys[0])  # type: ignore[arg-type]


@pytest.fixture
def bet() -> Event:
    """Of two items, 150 in all."""
    return play.Table(PATH).event(Kind.BET, "ann", "g1", (Item("1", "P", 100), Item("2", "B", 50)))


def test_the_right_answer_is_taken(bet):
    """Code, echo and balance"""
    check(bet, sealed(bet))


@pytest.mark.parametrize(
    "wrong",
    [
        {"code": Code.R1},
        {"code": Code.R4},
        {"user_id": "bob"},
        {"event_type": "login"},
        {"timestamp": 1},
        {"balance": None},
    ],
    ids=str,
)
def test_a_wrong_answer_is_refused(bet, wrong):
    """An R1 would be cheap, and an answer to somebody else is none"""
    with pytest.raises(WrongAnswer):
        check(bet, sealed(bet, **wrong))


@pytest.mark.parametrize("body", [b"", b"not base64!", b"AAAAAAAAAAAAAAAAAAAAAA=="])
def test_what_does_not_open_is_refused(bet, body):
    """Not sealed with the key, or not sealed at all"""
    with pytest.raises(WrongAnswer):
        check(bet, body)


def test_a_decline_must_be_one(bet):
    """Where R4 is due, R0 is wrong"""
    poor = bet._replace(code=Code.R4, balance_delta=0)
    check(poor, sealed(poor, Code.R4, 0))
    with pytest.raises(WrongAnswer):
        check(poor, sealed(poor))


@pytest.fixture
def books(bet) -> Books:
    """Ann has 1000 and placed one bet of two items, which came twice; the copy was answered, too."""
    made = Books()
    made.open(["ann"], 1000)
    copy = bet._replace(is_duplicate=True, balance_delta=0)
    made.enter([(bet, sealed(bet)), (copy, sealed(copy))])
    return made


def test_an_event_counts_once(books):
    """However often it was answered"""
    books.compare_balances({"ann": 850})
    books.compare_counts({"create": 1, "deposit": 1, "bet": 1}, 2)


@pytest.mark.parametrize("found", [{"ann": 849}, {"ann": 1000}, {}, {"ann": 850, "bob": 0}], ids=str)
def test_a_balance_that_differs_makes_the_run_void(books, found):
    """By a hundredth, or of a player who should not be there"""
    with pytest.raises(WrongAnswer):
        books.compare_balances(found)


@pytest.mark.parametrize(
    ("entries", "bets"),
    [
        ({"create": 1, "deposit": 1, "bet": 2}, 2),
        ({"create": 1, "deposit": 1}, 2),
        ({"create": 1, "deposit": 1, "bet": 1, "void": 1}, 2),
        ({"create": 1, "deposit": 1, "bet": 1}, 3),
    ],
)
def test_counts_that_differ_make_the_run_void(books, entries, bets):
    """An entry too many, one too few, one of another kind, a bet too many"""
    with pytest.raises(WrongAnswer):
        books.compare_counts(entries, bets)


def test_a_mix_is_as_in_play():
    """2 % cancels, 0.5 % changes, 1 % duplicates; bets of one to five items; nobody's money is made up"""
    events = [event for sequence in play.mixed(play.uniform(["ann"], 1), 40_000, PATH, 1) for event in sequence]
    kinds = Counter(event.kind for event in events)
    assert kinds[Kind.CANCEL] / len(events) == pytest.approx(0.02, abs=0.002)
    assert kinds[Kind.CHANGE] / len(events) == pytest.approx(0.005, abs=0.001)
    assert sum(event.is_duplicate for event in events) / len(events) == pytest.approx(0.01, abs=0.002)
    assert {event.items for event in events if event.kind is Kind.BET} == {1, 2, 3, 4, 5}
    requests = Counter(event.request for event in events)
    assert sum(number - 1 for number in requests.values()) == sum(event.is_duplicate for event in events)


def test_a_cancelled_or_lost_bet_moves_what_it_should():
    """Stake back, nothing for the loser, twice the stake for the winner, and a change turns one into the other"""
    table = play.Table(PATH)
    deltas = [
        table.event(kind, "ann", "g", (item,)).balance_delta
        for kind, item in (
            (Kind.BET, Item("1", "P", 100)),
            (Kind.CANCEL, Item("1", "P", 100)),
            (Kind.RESULT, Item("1", "P", 100, -100)),
            (Kind.RESULT, Item("1", "P", 100, 100)),
            (Kind.CHANGE, Item("1", "P", 100, 100, -100)),
        )
    ]
    assert deltas == [-100, 100, 0, 200, 200]


def test_zipf_prefers_the_first():
    """The first of a hundred plays some hundred times as often as the last"""
    players = [f"p{number}" for number in range(100)]
    choose = play.zipf(players, 1)
    chosen = Counter(choose() for _ in range(50_000))
    assert chosen["p0"] / chosen["p9"] == pytest.approx(10, rel=0.2)
    assert Decimal(chosen["p99"]) < Decimal(chosen["p9"])
