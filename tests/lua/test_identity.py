"""SEMANTICS: Identity."""

from __future__ import annotations

import pytest

from tests.lua.driver import HOUR, Player


def test_row_1_same_event_again(player):
    """The stored code; nothing moves; the balance is the current one, and the answer rests on what made it."""
    bet = player.bet(b1=3_000).ok()
    player.deposit(500).ok()
    again = bet.again().duplicate("R0")
    assert again.reply[4] == "7500"


def test_row_1_a_retry_with_another_time_is_the_same_event(player):
    """Re-stamped by the provider: a duplicate still."""
    player.bet(b1=3_000, transaction_id="x").ok()
    player.bet(b1=3_000, transaction_id="x", at=player.shard.now_ms + 7).duplicate("R0")


@pytest.mark.parametrize("kind", ["login", "logout", "block", "unblock"])
def test_row_1_for_events_without_money(player, kind):
    """Every kind of event is recognised: nothing is renewed, closed or blocked twice."""
    first = getattr(player, kind)().ok()
    player.shard.wait(60_000)
    first.again().duplicate("R0")


@pytest.mark.parametrize("kind", ["deposit", "withdraw"])
def test_row_1_for_transfers(player, kind):
    """The same Idempotency-Key moves money once."""
    first = getattr(player, kind)(4_000).ok()
    first.again().duplicate("R0")


def test_row_1_for_each_bet_event(player):
    """Cancel, result and change move their money once."""
    steps = [player.bet(b1=3_000, b2=500).ok()]
    steps.append(player.cancel(b2=500).ok())
    steps.append(player.result(b1=(3_000, 2_850)).ok())
    steps.append(player.change(b1=(3_000, 2_850, -3_000)).ok())
    for step in steps:
        step.again().duplicate("R0")


@pytest.mark.parametrize(
    "other", [{"b1": 3_001}, {"b2": 3_000}, {"b1": 3_000, "b2": 0}, {"b1": 3_000, "game_no": "G2"}]
)
def test_row_2_same_event_other_values(player, other):
    """R3, nothing moves, and the record stays: the first event is still a duplicate."""
    first = player.bet(b1=3_000, transaction_id="x").ok()
    player.bet(transaction_id="x", **other).conflict()
    first.again().duplicate("R0")


def test_row_2_other_kind_of_event(player):
    """A cancel under the bet's transaction_id is another event of the same name."""
    player.bet(b1=3_000, transaction_id="x").ok()
    player.cancel(b1=3_000, transaction_id="x").conflict()


def test_row_2_conflict_with_a_stored_decline(player):
    """A declined bet keeps its identity, too."""
    declined = player.bet(b1=10_001, transaction_id="x").declined("R4", "funds", stored=True)
    player.bet(b1=1, transaction_id="x").conflict()
    declined.again().duplicate("R4")


def test_row_2_another_currency_is_a_conflict_first(player):
    """Identity is judged before player and currency."""
    player.bet(b1=3_000, transaction_id="x").ok()
    player.bet(b1=3_000, transaction_id="x", currency="USD").conflict()


def test_row_3_same_transaction_of_another_user(player):
    """A different event: both bets are taken."""
    other = Player(player.shard, "lee").opened()
    player.bet(b1=3_000, transaction_id="x").done("bet", balance=7_000, effects="+", round_={"1": "O 3000"})
    other.bet(b1=3_000, transaction_id="x").done("bet", balance=7_000, effects="+", round_={"1": "O 3000"})


def test_row_3_same_transaction_of_another_provider(player):
    """A different event of a different round, of the same money."""
    other = Player(player.shard, provider="other")
    other.login().ok()
    player.bet(b1=3_000, transaction_id="x").done("bet", balance=7_000, effects="+", round_={"1": "O 3000"})
    other.bet(b1=3_000, transaction_id="x").done("bet", balance=4_000, effects="+", round_={"1": "O 3000"})


def test_row_4_a_bet_that_is_there_under_a_new_transaction(player):
    """R0, an entry without money."""
    player.bet(b1=3_000, b2=2_000).ok()
    player.bet(b1=3_000).done("repeated", balance=5_000, effects="-")
    player.bet(b2=2_000, b1=3_000).done("repeated", balance=5_000, effects="--")


def test_row_4_each_kind_under_a_new_transaction(player):
    """R0 = for cancel, result and change whose every item has its effect already."""
    player.bet(b1=3_000, b2=500).ok()
    player.cancel(b2=500).ok()
    player.cancel(b2=500).done("repeated", balance=7_000, effects="-")
    player.result(b1=(3_000, 100)).ok()
    player.result(b1=(3_000, 100)).done("repeated", balance=10_100, effects="-")
    at = player.shard.now_ms
    player.change(b1=(3_000, 100, 300), at=at).ok()
    player.change(b1=(3_000, 100, 300), at=at).done("repeated", balance=10_300, effects="-")


def test_row_4_a_settled_bet_placed_again(player):
    """The bet has been taken: R0, though it is settled by now."""
    player.settled().bet(b1=3_000).done("repeated", balance=12_850, effects="-")


@pytest.mark.parametrize("scene", ["blocked", "no session", "no funds"])
def test_row_4_is_not_judged_again(player, scene):
    """A bet that was taken stays R0 for a player that could not place it any more."""
    player.bet(b1=10_000).ok()
    if scene == "blocked":
        player.block().ok()
    if scene == "no session":
        player.logout(at=player.shard.now_ms + 1).ok()
        player.shard.wait(HOUR)
    player.bet(b1=10_000).done("repeated", balance=0, effects="-")


def test_row_5_same_bet_other_amount(player):
    """R3, nothing of the batch is taken; stored, as the state of a bet decided it."""
    player.bet(b1=3_000).ok()
    player.bet(b1=3_001, b2=100).declined("R3", "bet_differs", stored=True)


def test_row_6_a_bet_declined_for_funds_stays_declined(player):
    """R4 again, with the balance of today, though funds have arrived; an honest new transaction is taken."""
    bet = player.bet(b1=10_001).declined("R4", "funds", stored=True)
    player.deposit(5_000).ok()
    again = bet.again().duplicate("R4")
    assert again.reply[4] == "15000"
    player.bet(b1=10_001).done("bet", balance=4_999, effects="+", round_={"1": "O 10001"})


@pytest.mark.parametrize("reason", ["bet_cancelled", "bet_differs"])
def test_row_6_a_bet_declined_by_state_stays_declined(player, reason):
    """R3 again."""
    if reason == "bet_cancelled":
        player.tombstone(b1=3_000)
    else:
        player.bet(b1=2_999).ok()
    player.bet(b1=3_000).declined("R3", reason, stored=True).again().duplicate("R3")


def test_row_6_r1_is_never_stored(player):
    """Blocked, without a session: decided afresh each time."""
    player.block().ok()
    bet = player.bet(b1=3_000).declined("R1", "blocked")
    player.unblock().ok()
    player.logout(at=player.shard.now_ms + 1).ok()
    player.shard.wait(HOUR)
    bet = player.bet(b1=3_000, transaction_id=bet.event.command.transaction_id).declined("R1", "no_session")
    player.login().ok()
    bet.again().done("bet", balance=7_000, effects="+", round_={"1": "O 3000"})


def test_row_6_other_declines_are_decided_afresh(player):
    """A currency, a settled cancel, an orphan result, a withdrawal: none is stored."""
    bet = player.bet(b1=3_000, currency="USD").declined("R3", "currency")
    bet.again().declined("R3", "currency")
    withdrawal = player.withdraw(10_001).declined("R4", "funds")
    player.deposit(1).ok()
    withdrawal.again().done("withdraw", balance=0)
    result = player.result(player.unseen(), b1=(0, 5)).declined("R1", "orphan")
    player.bet(b1=0).ok()
    result.again().done("result", balance=5, effects="+", round_={"1": "S 0 5 5"})
