"""SEMANTICS: Bet."""

from __future__ import annotations

import pytest

from seamless_wallet.commands import Policy
from tests.lua.driver import HOUR, NOW, SECOND, Player
from tests.lua.expect import sessions


def test_row_30_balance_above_the_sum(player):
    """R0; the sum is debited once, the bets are open and do not expire."""
    player.bet(b1=3_000, b2=2_000).done("bet", balance=5_000, effects="++", round_={"1": "O 3000", "2": "O 2000"})


def test_row_30_balance_equals_the_sum(player):
    """R0: everything may be staked."""
    player.bet(b1=10_000).done("bet", balance=0, effects="+", round_={"1": "O 10000"})


def test_row_30_bets_of_one_round_come_one_by_one(player):
    """The round collects them, and counts the open ones."""
    player.bet(b1=1_000).done("bet", balance=9_000, effects="+", round_={"1": "O 1000"})
    player.bet(b2=2_000).done("bet", balance=7_000, effects="+", round_={"1": "O 1000", "2": "O 2000"})


def test_row_30_bet_with_debt_uses_the_balance(newcomer):
    """A debt does not hinder a bet."""
    newcomer.indebted(debt=500, balance=1_000)
    newcomer.bet(b1=1_000).done("bet", balance=0, debt=500, effects="+", round_={"1": "O 1000"})


def test_row_30_a_new_bet_keeps_a_settled_round(player):
    """A round that was about to expire does not any more."""
    player.settled()
    player.bet(b2=50).done("bet", balance=12_800, effects="+", round_={"1": "S 3000 2850 2850", "2": "O 50"})


def test_row_31_balance_below_the_sum(player):
    """R4 with the balance; nothing of the batch is taken, even if part of it could be paid."""
    player.bet(b1=9_999, b2=2).declined("R4", "funds", stored=True)


def test_row_31_no_balance_at_all(newcomer):
    """R4 for the smallest stake."""
    newcomer.opened(0).bet(b1=1).declined("R4", "funds", stored=True)


def test_row_16_stake_0(newcomer):
    """R0, recorded, even without money."""
    newcomer.opened(0).bet(b1=0).done("bet", balance=0, effects="+", round_={"1": "O 0"})


def test_row_32_blocked_player(player):
    """R1, not stored."""
    player.block().ok()
    player.bet(b1=1).declined("R1", "blocked")


def test_row_33_no_session(newcomer):
    """R1 without a login, or with one of another provider."""
    newcomer.create().ok()
    newcomer.deposit(100).ok()
    newcomer.bet(b1=1).declined("R1", "no_session")
    Player(newcomer.shard, provider="other").login().ok()
    newcomer.bet(b1=1).declined("R1", "no_session")


def test_row_33_sessions_not_required(newcomer):
    """(cfg) R0, and no session appears."""
    newcomer.shard.policy = Policy(session_required=False)
    newcomer.create().ok()
    newcomer.deposit(100).ok()
    newcomer.bet(b1=1).done("bet", balance=99, effects="+", round_={"1": "O 1"})


def test_row_33_a_session_lasts_eight_hours(player):
    """The last millisecond counts in, the next one does not."""
    player.shard.wait(8 * HOUR + 1)
    player.bet(b1=1).declined("R1", "no_session")
    player.shard.wait(-1)
    renewed = sessions(NOW, NOW + 8 * HOUR)
    player.bet(b1=1).done("bet", balance=9_999, effects="+", round_={"1": "O 1"}, wallet=renewed)


def test_row_33_a_bet_renews_the_session(player):
    """Sliding: eight hours from the last bet."""
    player.shard.wait(8 * HOUR)
    player.bet(b1=1).ok()
    player.shard.wait(8 * HOUR)
    player.bet(b2=1).ok()


def test_row_33_a_repeated_bet_does_not_renew(player):
    """A bet under a new id that has its effect already is R0, and brings no expired session back."""
    player.bet(b1=1).ok()
    player.shard.wait(9 * HOUR)
    player.bet(b1=1).done("repeated", balance=9_999, effects="-")
    player.bet(b2=1).declined("R1", "no_session")


def test_row_33_a_declined_bet_does_not_renew(player):
    """Only an R0 does."""
    player.shard.wait(8 * HOUR)
    player.bet(b1=10_001).declined("R4", "funds", stored=True)
    player.shard.wait(1)
    player.bet(b1=1).declined("R1", "no_session")


def test_row_33_a_clock_behind_does_not_shorten(player):
    """A bet of a worker whose clock is behind leaves the newer renewal."""
    player.shard.wait(-SECOND)
    player.bet(b1=1).done("bet", balance=9_999, effects="+", round_={"1": "O 1"}, wallet=sessions(NOW, NOW))


def test_row_33_ten_seconds_of_grace(player):
    """A bet that crossed the logout is taken, up to 10 s after it by our clock; it does not open the session again."""
    player.logout(at=NOW + 1).ok()
    player.shard.wait(10 * SECOND)
    player.bet(b1=1).done("bet", balance=9_999, effects="+", round_={"1": "O 1"}, wallet=sessions(NOW, NOW, NOW))
    player.shard.wait(1)
    player.bet(b2=1).declined("R1", "no_session")


def test_row_33_grace_does_not_lengthen_a_session(player):
    """A session over for age stays over, logged out or not."""
    player.shard.wait(8 * HOUR)
    player.logout().ok()
    player.shard.wait(1)
    player.bet(b1=1).declined("R1", "no_session")


def test_row_33_late_logout_of_an_earlier_session(player):
    """Logout sent before the second login and delivered after it: bets go on."""
    player.shard.wait(60 * SECOND)
    player.login().ok()
    player.logout(at=NOW + 30 * SECOND).done("repeated", balance=10_000)
    player.shard.wait(60 * SECOND)
    player.bet(b1=1).ok()


@pytest.fixture
def dated(player):
    """A player whose provider's bets are taken for an hour."""
    player.shard.policy = Policy(bet_age_max_ms=HOUR)
    return player


def test_row_35_bets_of_any_time_are_taken(player):
    """Unless the provider's setting says otherwise."""
    player.bet(b1=1, at=0).ok()
    player.bet(b2=1, at=NOW + HOUR).ok()


def test_row_35_a_bet_may_have_just_the_highest_age(dated):
    """A millisecond more is R3; our clock decides, and a time ahead of it is no age."""
    dated.bet(b1=1, at=NOW - HOUR).ok()
    dated.bet(b2=1, at=NOW + 9 * HOUR).ok()
    dated.bet(b3=1, at=NOW - HOUR - 1).declined("R3", "bet_too_old")
    dated.shard.wait(1)
    dated.bet(b3=1, at=NOW - HOUR).declined("R3", "bet_too_old")


def test_row_35_what_is_known_stays_known(dated):
    """The same event, or the same bet under a new id, is R0 = however old; so is a batch of known bets only."""
    bet = dated.bet(b1=1, b2=2).ok()
    dated.shard.wait(9 * HOUR)
    bet.again().duplicate("R0")
    dated.bet(b1=1, b2=2, at=NOW).done("repeated", balance=9_997, effects="--")


def test_row_35_one_bet_that_is_not_known(dated):
    """R3 for the whole batch: nothing of it is taken."""
    dated.bet(b1=1).ok()
    dated.bet(b1=1, b2=2, at=NOW - HOUR - 1).declined("R3", "bet_too_old")


def test_row_35_comes_after_the_state_of_the_bets(dated):
    """A cancelled bet, or one of another stake, is R3 for that."""
    dated.tombstone(b1=100)
    dated.bet(b2=5).ok()
    dated.bet(b1=100, at=0).declined("R3", "bet_cancelled", stored=True)
    dated.bet(b2=6, at=0).declined("R3", "bet_differs", stored=True)


def test_row_35_comes_before_block_session_and_funds(dated):
    """R3 is worse than R1 and R4."""
    dated.bet(b1=10_001, at=0).declined("R3", "bet_too_old")
    dated.block().ok()
    dated.bet(b1=1, at=0).declined("R3", "bet_too_old")
    stranger = Player(dated.shard, user_id="lee")
    stranger.create().ok()
    stranger.bet(b1=1, at=0).declined("R3", "bet_too_old")


def test_row_35_is_not_remembered(dated):
    """A retry may carry another timestamp: it is decided afresh."""
    dated.bet(b1=1, at=0, transaction_id="x").declined("R3", "bet_too_old")
    dated.bet(b1=1, transaction_id="x").ok()


@pytest.mark.parametrize("placed", [False, True], ids=["before it was placed", "after"])
def test_row_34_a_cancelled_bet(player, placed):
    """R3 for the whole batch, the good bet in it included."""
    if placed:
        player.bet(b1=3_000).ok()
        player.cancel(b1=3_000).ok()
    else:
        player.tombstone(b1=3_000)
    player.bet(b2=100, b1=3_000).declined("R3", "bet_cancelled", stored=True)


def test_row_34_a_tombstone_of_another_amount(player):
    """R3: the bet is dead, whatever the cancel said of its amount."""
    player.tombstone(b1=1)
    player.bet(b1=3_000).declined("R3", "bet_cancelled", stored=True)


def test_row_34_other_bets_of_the_round_are_free(player):
    """A tombstone is for its bet_index alone."""
    player.tombstone(b1=3_000)
    player.bet(b2=100).done("bet", balance=9_900, effects="+", round_={"1": "T 3000", "2": "O 100"})


@pytest.mark.parametrize("at", [0, NOW - 90 * 24 * HOUR, NOW + 24 * HOUR])
def test_row_35_a_clock_far_from_ours(player, at):
    """R0."""
    player.bet(b1=1, at=at).done("bet", balance=9_999, effects="+", round_={"1": "O 1"})


def test_order_state_blocked_session_funds(player):
    """State of the bets, then blocked, then session, then funds: each hides the next."""
    player.bet(b1=3_000).ok()
    player.logout(at=NOW + 1).ok()
    player.block().ok()
    player.shard.wait(HOUR)
    player.bet(b1=1, b2=90_000).declined("R3", "bet_differs", stored=True)
    player.bet(b2=90_000).declined("R1", "blocked")
    player.unblock().ok()
    player.bet(b2=90_000).declined("R1", "no_session")
    player.login().ok()
    player.bet(b2=90_000).declined("R4", "funds", stored=True)
