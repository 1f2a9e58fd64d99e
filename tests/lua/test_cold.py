"""SEMANTICS row 8: what has left Redis is asked of SQL before anything is decided, and the answer must be recent."""

from __future__ import annotations

from typing import Any

import pytest

from seamless_wallet.commands import Item, Kind
from seamless_wallet.engine import keys
from tests.lua.driver import NOW, SHARD
from tests.lua.expect import seq_of

EVENTS: dict[str, dict] = {
    "cancel": {"b1": 3_000},
    "result": {"b1": (3_000, 10)},
    "change": {"b1": (3_000, 10, 20)},
}


@pytest.mark.parametrize("kind", EVENTS)
def test_nobody_has_asked(player, kind):
    """COLD with the seq that the answer must have reached; nothing changed."""
    getattr(player, kind)(**EVENTS[kind]).answered("COLD", seq_of(player.shard))


@pytest.mark.parametrize("kind", EVENTS)
def test_one_of_the_bets_is_absent(player, kind):
    """COLD for the batch, even if the other bet alone would decide it."""
    player.bet(b2=5).ok()
    player.cancel(b2=5).ok()
    batch = {**EVENTS[kind], "b2": (5, *EVENTS[kind]["b1"][1:]) if kind != "cancel" else 5}
    getattr(player, kind)(**batch).answered("COLD", seq_of(player.shard))


@pytest.mark.parametrize("kind", [*EVENTS, "bet"])
@pytest.mark.parametrize("known", [{}, {"b1": "O 3000"}], ids=["-", "bet"])
def test_the_answer_is_too_old(player, kind, known):
    """Older than the wallet's last entry: COLD again, for a bet, too."""
    lookup = player.shard.lookup(seq_of(player.shard) - 1, **known)
    getattr(player, kind)(lookup, **EVENTS.get(kind, {"b1": 3_000})).answered("COLD", seq_of(player.shard))


def test_entries_of_others_do_not_make_it_old(player):
    """It is the wallet's own seq that counts, not the shard's."""
    lookup = player.unseen()
    type(player)(player.shard, "lee").opened()
    player.cancel(lookup, b1=3_000).done("cancel", balance=10_000, effects="t", round_={"1": "T 3000"})


def test_an_old_answer_about_bets_that_are_here(player):
    """Redis knows them itself: the answer is not needed."""
    player.bet(b1=3_000).ok()
    player.cancel(player.shard.lookup(0, b1="C 3000"), b1=3_000).done(
        "cancel", balance=10_000, effects="+", round_={"1": "C 3000"}
    )


def test_redis_wins_over_sql(player):
    """SQL may be behind about this round, though not behind the wallet."""
    player.bet(b1=3_000).ok()
    player.result(player.unseen(b1="C 3000"), b1=(3_000, 10)).done(
        "result", balance=10_010, effects="+", round_={"1": "S 3000 10 10"}
    )


def test_a_new_bet_is_not_asked_for(player):
    """A bet event that is not cold: absent from Redis means new."""
    player.bet(b1=3_000).done("bet", balance=7_000, effects="+", round_={"1": "O 3000"})


def test_a_cold_bet_that_sql_does_not_know(player):
    """Taken."""
    player.bet(player.unseen(), b1=3_000).done("bet", balance=7_000, effects="+", round_={"1": "O 3000"})


@pytest.mark.parametrize("stored", ["O 3000", "S 3000 -3000 -3000"])
def test_a_cold_bet_that_sql_knows(player, stored):
    """R0 = without money: nothing of the round comes back into Redis."""
    player.bet(player.unseen(b1=stored), b1=3_000).done("repeated", balance=10_000, effects="-")


@pytest.mark.parametrize("stored", ["C 3000", "T 3000", "T 1"])
def test_a_cold_bet_that_was_cancelled(player, stored):
    """R3: a tombstone is for ever."""
    player.bet(player.unseen(b1=stored), b1=3_000).declined("R3", "bet_cancelled", stored=True)


def test_a_cold_bet_of_another_amount(player):
    """R3."""
    player.bet(player.unseen(b1="O 2999"), b1=3_000).declined("R3", "bet_differs", stored=True)


@pytest.mark.parametrize(
    ("stored", "answer"),
    [
        ("C 3000", ("repeated", 10_000)),
        ("T 3000", ("repeated", 10_000)),
        ("S 3000 5 5", "cancel_of_settled"),
        ("T 2999", "stake_differs"),
    ],
)
def test_a_cold_cancel(player, stored, answer):
    """Judged by what SQL knows."""
    step = player.cancel(player.unseen(b1=stored), b1=3_000)
    if isinstance(answer, str):
        step.declined("R3", answer)
    else:
        step.done(answer[0], balance=answer[1], effects="-")


def test_a_cold_result(player):
    """The same as long ago: R0 =; another: R3."""
    known = player.unseen(b1="S 3000 5 5")
    player.result(known, b1=(3_000, 6)).declined("R3", "settled_differently")
    player.result(known, b1=(3_000, 5)).done("repeated", balance=10_000, effects="-")


def test_a_cold_change(player):
    """Of a settled bet that has left Redis: it comes back with all its changes, for one window."""
    text = f"S 3000 7 5 5:7:{NOW - 90_000_000}"
    player.change(player.unseen(b1=text), b1=(3_000, 7, 107)).done(
        "change", balance=10_100, effects="+", round_={"1": f"S 3000 107 5 5:7:{NOW - 90_000_000} 7:107:{NOW}"}
    )


def test_a_cold_open_bet(player):
    """Cancelled or settled all the same; it was never counted here, so that the round may expire."""
    cancelled = player.cancel(player.unseen(b1="O 3000"), b1=3_000)
    cancelled.done("cancel", balance=13_000, effects="+", round_={"1": "C 3000"})
    settled = player.result(player.unseen(b2="O 3000"), b2=(3_000, 5))
    settled.done("result", balance=16_005, effects="+", round_={"1": "C 3000", "2": "S 3000 5 5"})


def test_a_cold_bet_joins_an_open_round(player):
    """The count of open bets is of those that are here."""
    player.bet(b2=50).ok()
    player.change(player.unseen(b1="S 3000 5 5"), b1=(3_000, 5, 15)).done(
        "change", balance=9_960, effects="+", round_={"1": f"S 3000 15 5 5:15:{NOW}", "2": "O 50"}
    )


def test_mixed_batch(player):
    """One bet here, one from SQL, one that nobody knows."""
    player.bet(b1=3_000).ok()
    player.cancel(player.unseen(b2="C 7"), b1=3_000, b2=7, b3=9).done(
        "cancel", balance=10_000, effects="+-t", round_={"1": "C 3000", "3": "T 9"}
    )


@pytest.mark.parametrize("kind", [Kind.LOGIN, Kind.BET, Kind.CANCEL, Kind.RESULT, Kind.CHANGE])
def test_nothing_is_declined_before_sql_was_asked(scene, kind):
    """The event or its bets may be forgotten here, and have been R0: COLD first, and nothing is remembered."""
    scene.block().ok()
    wrong: dict[Kind, dict[str, Any]] = {
        Kind.LOGIN: {},
        Kind.BET: {"b9": 5},
        Kind.CANCEL: {"b2": 99},
        Kind.RESULT: {"b3": (99, 5)},
        Kind.CHANGE: {"b1": (3_000, 1, 7)},
    }
    step = scene.send(kind, **wrong[kind])
    step.answered("COLD", seq_of(scene.shard))
    assert step.asked_again().reply[0] == "DECLINED"


def test_a_wallet_that_was_not_loaded_whole(player):
    """Until the period that it names, SQL is asked for every event that is not here; then no longer."""
    key = keys.wallet(SHARD, player.shard.epoch, player.user_id)
    player.shard.client.hset(key, "ask_until", player.shard.period + 2)
    bet = player.event(Kind.BET, items=(Item("1", "player", 3_000),))
    player.shard.send(bet).answered("COLD", seq_of(player.shard))
    player.login().answered("COLD", seq_of(player.shard))
    player.shard.send(bet, player.unseen()).ok()
    player.shard.send(bet).duplicate("R0")
    player.shard.end_period()
    player.bet(b2=5).answered("COLD", seq_of(player.shard))
    player.shard.end_period()
    player.bet(b2=5).ok()
