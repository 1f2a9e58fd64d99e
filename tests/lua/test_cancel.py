"""SEMANTICS: Bet cancel."""

from __future__ import annotations

import pytest

from seamless_wallet.commands import Policy
from tests.lua.driver import HOUR, NOW
from tests.lua.expect import seq_of


def test_row_40_open_bets(player):
    """R0, the stored stakes come back; a round without open bets expires after one window."""
    player.bet(b1=3_000, b2=2_000).ok()
    player.cancel(b1=3_000, b2=2_000).done(
        "cancel", balance=10_000, effects="++", round_={"1": "C 3000", "2": "C 2000"}
    )


def test_row_40_a_subset(player):
    """Only the named bets; the round stays, as one of its bets is open."""
    player.bet(b1=3_000, b2=2_000).ok()
    player.cancel(b2=2_000).done("cancel", balance=7_000, effects="+", round_={"1": "O 3000", "2": "C 2000"})


def test_row_40_after_logout_and_while_blocked(player):
    """Neither session nor status is checked."""
    player.bet(b1=3_000).ok()
    player.logout(at=NOW + 1).ok()
    player.block().ok()
    player.shard.wait(HOUR)
    player.cancel(b1=3_000).done("cancel", balance=10_000, effects="+", round_={"1": "C 3000"})


@pytest.mark.parametrize("amount", [0, 2_999, 3_001])
def test_row_41_other_amount(player, amount):
    """R3, nothing of the batch comes back."""
    player.bet(b1=3_000, b2=2_000).ok()
    player.cancel(b2=2_000, b1=amount).declined("R3", "stake_differs")


@pytest.mark.parametrize("placed", [True, False])
def test_row_41_other_amount_of_a_bet_cancelled_already(player, placed):
    """R3 also for a cancelled bet and for a tombstone."""
    if placed:
        player.bet(b1=3_000).ok()
        player.cancel(b1=3_000).ok()
    else:
        player.tombstone(b1=3_000)
    player.cancel(b1=1).declined("R3", "stake_differs")


def test_row_42_cancelled_already(player):
    """R0, no money."""
    player.bet(b1=3_000).ok()
    player.cancel(b1=3_000).ok()
    player.cancel(b1=3_000).done("repeated", balance=10_000, effects="-")


def test_row_43_unknown_bet(player):
    """R0, no money, a tombstone per bet_index."""
    cancel = player.cancel(player.unseen(), b1=3_000, b2=2_000)
    cancel.done("cancel", balance=10_000, effects="tt", round_={"1": "T 3000", "2": "T 2000"})
    player.cancel(b1=3_000).done("repeated", balance=10_000, effects="-")


def test_row_43_is_asked_of_sql_first(newcomer):
    """A bet that is not in Redis may have left it: COLD, then decided."""
    newcomer.opened()
    cancel = newcomer.cancel(b1=3_000)
    cancel.answered("COLD", seq_of(newcomer.shard))
    newcomer.shard.send(cancel.event, newcomer.unseen()).done(
        "cancel", balance=10_000, effects="t", round_={"1": "T 3000"}
    )


def test_row_43_unknown_bet_refused(player):
    """(cfg r3) R3, no tombstone: the bet may be placed later."""
    player.shard.policy = Policy(cancel_unknown="r3")
    player.bet(b1=3_000).ok()
    player.cancel(player.unseen(), b1=3_000, b2=2_000).declined("R3", "unknown_bet")
    player.bet(b2=2_000).ok()


def test_row_44_settled_already(player):
    """R3, also when another bet of the batch could be cancelled."""
    player.settled()
    player.bet(b2=50).ok()
    player.cancel(b2=50, b1=3_000).declined("R3", "cancel_of_settled")


def test_batch_of_every_harmless_row(player):
    """An open, a cancelled and an unknown bet: only the first moves money."""
    player.bet(b1=3_000, b2=2_000).ok()
    player.cancel(b2=2_000).ok()
    player.cancel(player.unseen(), b3=7, b2=2_000, b1=3_000).done(
        "cancel", balance=10_000, effects="t-+", round_={"1": "C 3000", "2": "C 2000", "3": "T 7"}
    )


def test_cancel_of_a_zero_stake(player):
    """R0, an effect without money."""
    player.bet(b1=0).ok()
    player.cancel(b1=0).done("cancel", balance=10_000, effects="+", round_={"1": "C 0"})
