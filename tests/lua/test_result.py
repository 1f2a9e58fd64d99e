"""SEMANTICS: Result."""

from __future__ import annotations

import pytest

from tests.lua.driver import HOUR, NOW


@pytest.mark.parametrize(
    ("winloss", "balance"), [(2_850, 12_850), (0, 10_000), (-3_000, 7_000), (-1_500, 8_500), (105_000, 115_000)]
)
def test_row_50_open_bet(player, winloss, balance):
    """R0, stake + winloss is credited; a losing result is an entry of amount 0."""
    player.bet(b1=3_000).ok()
    player.result(b1=(3_000, winloss)).done(
        "result", balance=balance, effects="+", round_={"1": f"S 3000 {winloss} {winloss}"}
    )


def test_row_50_some_bets_of_a_round(player):
    """The others stay open, and the round stays."""
    player.bet(b1=3_000, b2=2_000, b3=1_000).ok()
    player.result(b1=(3_000, -3_000), b3=(1_000, 950)).done(
        "result", balance=5_950, effects="++", round_={"1": "S 3000 -3000 -3000", "2": "O 2000", "3": "S 1000 950 950"}
    )


def test_row_50_after_logout_and_while_blocked(player):
    """Neither session nor status is checked."""
    player.bet(b1=3_000).ok()
    player.logout(at=NOW + 1).ok()
    player.block().ok()
    player.shard.wait(9 * HOUR)
    player.result(b1=(3_000, 0)).done("result", balance=10_000, effects="+", round_={"1": "S 3000 0 0"})


@pytest.mark.parametrize("stake", [0, 2_999, 3_001])
@pytest.mark.parametrize("settled", [False, True])
def test_row_51_other_stake(player, stake, settled):
    """R3, for an open and for a settled bet."""
    player.bet(b1=3_000).ok()
    if settled:
        player.result(b1=(3_000, 0)).ok()
    player.result(b1=(stake, 0)).declined("R3", "stake_differs")


def test_row_51_loses_more_than_the_stake(player):
    """R3."""
    player.bet(b1=3_000).ok()
    player.result(b1=(3_000, -3_001)).declined("R3", "winloss_below_stake")


def test_row_51_comes_before_an_unknown_bet(player):
    """R3 whether the bet is known or not."""
    player.result(player.unseen(), b1=(3_000, -3_001)).declined("R3", "winloss_below_stake")


def test_row_52_settled_with_the_same(player):
    """R0, no money."""
    player.settled().result(b1=(3_000, 2_850)).done("repeated", balance=12_850, effects="-")


@pytest.mark.parametrize("winloss", [2_850, -3_000, 100])
def test_row_52_any_winloss_that_it_ever_had(player, winloss):
    """The first, a later one and the current one: R0, and nothing goes back."""
    player.settled()
    player.change(b1=(3_000, 2_850, -3_000)).ok()
    player.change(b1=(3_000, -3_000, 100)).ok()
    player.result(b1=(3_000, winloss)).done("repeated", balance=10_100, effects="-")


@pytest.mark.parametrize("winloss", [2_849, 0, -3_000])
def test_row_53_settled_with_something_else(player, winloss):
    """R3: a change has its own event."""
    player.settled().result(b1=(3_000, winloss)).declined("R3", "settled_differently")


def test_row_54_unknown_bet(player):
    """R1, nothing stored; the retry after the bet settles it."""
    result = player.result(player.unseen(), b1=(3_000, 10)).declined("R1", "orphan")
    player.bet(b1=3_000).ok()
    result.again().done("result", balance=10_010, effects="+", round_={"1": "S 3000 10 10"})


def test_row_54_an_orphan_holds_the_batch(player):
    """R1 for all, the open bet is not settled alone."""
    player.bet(b1=3_000).ok()
    player.result(player.unseen(), b1=(3_000, 10), b2=(5, 5)).declined("R1", "orphan")


@pytest.mark.parametrize("placed", [True, False])
def test_row_55_cancelled_bet(player, placed):
    """R3 for a cancelled bet and for a tombstone."""
    if placed:
        player.bet(b1=3_000).ok()
        player.cancel(b1=3_000).ok()
    else:
        player.tombstone(b1=3_000)
    player.result(b1=(3_000, 10)).declined("R3", "result_of_cancelled")


def test_batch_of_an_open_and_a_settled_bet(player):
    """Only the open one moves money."""
    player.settled()
    player.bet(b2=50).ok()
    player.result(b1=(3_000, 2_850), b2=(50, 50)).done(
        "result", balance=12_900, effects="-+", round_={"1": "S 3000 2850 2850", "2": "S 50 50 50"}
    )


def test_row_67_a_win_pays_the_debt_first(newcomer):
    """Stake + winloss pays the debt, what remains is the player's."""
    newcomer.indebted(debt=500, balance=100)
    newcomer.bet(b1=100).ok()
    newcomer.result(b1=(100, 900)).done("result", balance=500, debt=0, effects="+", round_={"1": "S 100 900 900"})


def test_row_67_a_win_smaller_than_the_debt(newcomer):
    """All of it goes to the debt."""
    newcomer.indebted(debt=500, balance=100)
    newcomer.bet(b1=100).ok()
    newcomer.result(b1=(100, 50)).done("result", balance=0, debt=350, effects="+", round_={"1": "S 100 50 50"})


def test_row_67_a_refund_pays_the_debt_first(newcomer):
    """A cancelled stake is a game credit, too."""
    newcomer.indebted(debt=500, balance=800)
    newcomer.bet(b1=700).ok()
    newcomer.cancel(b1=700).done("cancel", balance=300, debt=0, effects="+", round_={"1": "C 700"})
