"""SEMANTICS: Result change. Amounts of a bet: (stake, before, after)."""

from __future__ import annotations

import pytest

from tests.lua.driver import HOUR, NOW, SECOND


def bet_text(*changes: tuple[int, int, int], stake: int = 3_000, first: int = 2_850) -> dict[str, str]:
    """The round of one settled bet after these changes (before, after, ms after NOW)."""
    last = changes[-1][1] if changes else first
    words = "".join(f" {before}:{after}:{NOW + ms}" for before, after, ms in changes)
    return {"1": f"S {stake} {last} {first}{words}"}


def test_row_60_applied_exactly_before(player):
    """R0 =, also after further changes, and while `before` is again what is stored."""
    player.settled()
    player.change(b1=(3_000, 2_850, 0)).ok()
    player.change(b1=(3_000, 2_850, 0)).done("repeated", balance=10_000, effects="-")
    player.change(b1=(3_000, 0, 2_850)).ok()
    player.change(b1=(3_000, 2_850, 0)).done("change_superseded", balance=12_850, effects="-")


def test_row_60_superseded_by_a_change_to_the_same_value(player):
    """The stored value is what the provider believes: nothing contradicts it, whichever change made it so."""
    player.settled()
    player.change(b1=(3_000, 2_850, 0)).ok()
    player.change(b1=(3_000, 0, 50), at=NOW + 1).ok()
    player.change(b1=(3_000, 50, 0), at=NOW + 2).ok()
    player.change(b1=(3_000, 2_850, 0)).done("repeated", balance=10_000, effects="-")


def test_row_60_one_superseded_change_of_a_batch(player):
    """The others are applied, and the reason tells the contradiction."""
    player.bet(b1=100, b2=100).ok()
    player.result(b1=(100, 50), b2=(100, 50)).ok()
    player.change(b1=(100, 50, 0)).ok()
    player.change(b1=(100, 0, 50), at=NOW + 1).ok()
    player.change(b1=(100, 50, 0), b2=(100, 50, 70)).done(
        "change_superseded",
        balance=10_120,
        effects="-+",
        round_={"1": f"S 100 50 50 50:0:{NOW} 0:50:{NOW + 1}", "2": f"S 100 70 50 50:70:{NOW}"},
    )


def test_row_60_a_superseded_change_beside_one_that_is_early(player):
    """R1 is worse than R0."""
    player.bet(b1=100, b2=100).ok()
    player.result(b1=(100, 50), b2=(100, 50)).ok()
    player.change(b1=(100, 50, 0)).ok()
    player.change(b1=(100, 0, 50), at=NOW + 1).ok()
    player.change(b1=(100, 50, 0), b2=(100, 1, 70)).declined("R1", "change_early")


def test_row_2_another_value_before_under_the_same_id(player):
    """R3: `before` is part of what an event says, though it decides about no money."""
    player.settled()
    first = player.change(b1=(3_000, 2_850, 0), transaction_id="x").ok()
    player.change(b1=(3_000, 2_849, 0), transaction_id="x").conflict()
    first.again().duplicate("R0")


@pytest.mark.parametrize(("after", "balance"), [(-3_000, 7_000), (0, 10_000), (9_000, 19_000), (2_850, 12_850)])
def test_row_61_moves_new_less_stored(player, after, balance):
    """R0, down or up; a change to the same value leaves its transition, too."""
    player.settled()
    player.change(b1=(3_000, 2_850, after)).done(
        "change", balance=balance, effects="+", round_=bet_text((2_850, after, 0))
    )


def test_row_61_after_logout_and_while_blocked(player):
    """Neither session nor status is checked."""
    player.settled()
    player.logout(at=NOW + 1).ok()
    player.block().ok()
    player.shard.wait(9 * HOUR)
    player.change(b1=(3_000, 2_850, 0)).done(
        "change", balance=10_000, effects="+", round_=bet_text((2_850, 0, 9 * HOUR))
    )


def test_row_61_first_change_of_any_time(player):
    """There is no change to be older than: a result has no time in this."""
    player.settled()
    player.change(b1=(3_000, 2_850, 0), at=NOW - HOUR).done(
        "change", balance=10_000, effects="+", round_=bet_text((2_850, 0, -HOUR))
    )


def test_row_61_back_and_forth(player):
    """The same pair again, later, is a change of its own."""
    player.settled()
    player.change(b1=(3_000, 2_850, 0)).ok()
    player.change(b1=(3_000, 0, 2_850), at=NOW + 1).ok()
    changes = (2_850, 0, 0), (0, 2_850, 1), (2_850, 0, 2)
    player.change(b1=(3_000, 2_850, 0), at=NOW + 2).done(
        "change", balance=10_000, effects="+", round_=bet_text(*changes)
    )


def test_row_61_five_seconds_older(player):
    """R0: clocks of the provider's machines differ that much."""
    player.settled()
    player.change(b1=(3_000, 2_850, 0)).ok()
    player.change(b1=(3_000, 0, 50), at=NOW - 5 * SECOND).done(
        "change", balance=10_050, effects="+", round_=bet_text((2_850, 0, 0), (0, 50, -5 * SECOND))
    )


def test_row_62_more_than_five_seconds_older(player):
    """R1, nothing moves, also for a pair that was applied."""
    player.settled()
    player.change(b1=(3_000, 2_850, 0)).ok()
    player.change(b1=(3_000, 0, 50), at=NOW - 5 * SECOND - 1).declined("R1", "change_outdated")
    player.change(b1=(3_000, 0, 2_850)).ok()
    player.change(b1=(3_000, 2_850, 0), at=NOW - 6 * SECOND).declined("R1", "change_outdated")


def test_row_62_is_measured_from_the_last_change(player):
    """R1: what came before the last change is nothing to be young by."""
    player.settled()
    player.change(b1=(3_000, 2_850, 0)).ok()
    player.change(b1=(3_000, 0, 50), at=NOW + 10 * SECOND).ok()
    player.change(b1=(3_000, 50, 70), at=NOW + 4 * SECOND).declined("R1", "change_outdated")


def test_row_63_pair_applied_at_another_time(player):
    """R0 =: re-stamped by the provider, `before` is not what is stored any more."""
    player.settled()
    player.change(b1=(3_000, 2_850, 0)).ok()
    player.change(b1=(3_000, 2_850, 0), at=NOW + 9).done("repeated", balance=10_000, effects="-")
    player.change(b1=(3_000, 2_850, 0), at=NOW - HOUR).done("repeated", balance=10_000, effects="-")


def test_row_64_before_its_predecessor(player):
    """R1; delivered 2, 1, 2 it ends right."""
    player.settled()
    second = player.change(b1=(3_000, 0, 100), at=NOW + 2).declined("R1", "change_early")
    player.change(b1=(3_000, 2_850, 0), at=NOW + 1).ok()
    second.again().done("change", balance=10_100, effects="+", round_=bet_text((2_850, 0, 1), (0, 100, 2)))


def test_row_64_before_the_result(player):
    """R1 for an open bet; the retry after the result applies."""
    player.bet(b1=3_000).ok()
    change = player.change(b1=(3_000, 2_850, 0)).declined("R1", "change_early")
    player.result(b1=(3_000, 2_850)).ok()
    change.again().done("change", balance=10_000, effects="+", round_=bet_text((2_850, 0, 0)))


def test_row_64_before_the_bet(player):
    """R1, an orphan, once SQL was asked; COLD until then."""
    change = player.change(b1=(3_000, 2_850, 0))
    change.answered("COLD", 3)
    player.shard.send(change.event, player.unseen()).declined("R1", "orphan")


@pytest.mark.parametrize("placed", [True, False])
def test_row_65_cancelled_bet(player, placed):
    """R3 for a cancelled bet and for a tombstone."""
    if placed:
        player.bet(b1=3_000).ok()
        player.cancel(b1=3_000).ok()
    else:
        player.tombstone(b1=3_000)
    player.change(b1=(3_000, 2_850, 0)).declined("R3", "change_of_cancelled")


@pytest.mark.parametrize("stake", [2_999, 3_001])
@pytest.mark.parametrize("settled", [False, True])
def test_other_stake(player, stake, settled):
    """R3 before anything is said of the change."""
    player.bet(b1=3_000).ok()
    if settled:
        player.result(b1=(3_000, 0)).ok()
    player.change(b1=(stake, 5, 6)).declined("R3", "stake_differs")


def test_loses_more_than_the_stake(player):
    """R3, known bet or not."""
    player.settled().change(b1=(3_000, 2_850, -3_001)).declined("R3", "winloss_below_stake")
    player.change(player.unseen(), b2=(3_000, 2_850, -3_001)).declined("R3", "winloss_below_stake")


def test_64_changes_then_no_more(player):
    """The 64th is applied, the 65th is R3; what was applied is recognised still."""
    player.settled(stake=3_000, winloss=0)
    for n in range(63):
        player.change(b1=(3_000, n, n + 1), at=NOW + n).ok()
    changes = [(n, n + 1, n) for n in range(64)]
    player.change(b1=(3_000, 63, 64), at=NOW + 63).done(
        "change", balance=10_064, effects="+", round_=bet_text(*changes, first=0)
    )
    player.change(b1=(3_000, 64, 65), at=NOW + 64).declined("R3", "too_many_changes")
    player.change(b1=(3_000, 63, 64), at=NOW + 63).done("repeated", balance=10_064, effects="-")
    player.change(b1=(3_000, 5, 6), at=NOW + 900).done("repeated", balance=10_064, effects="-")
    player.change(b1=(3_000, 99, 6), at=NOW + 900).declined("R1", "change_early")


def test_the_stored_value_decides_the_money(player):
    """Never `before`: a change from a value that the bet does not have moves nothing."""
    player.settled()
    player.change(b1=(3_000, 9_999, 0)).declined("R1", "change_early")


def test_batch_of_an_effect_and_a_repetition(player):
    """Only what has an effect moves money; the repeated bet keeps its text."""
    player.settled()
    player.bet(b2=100).ok()
    player.result(b2=(100, 100)).ok()
    player.change(b1=(3_000, 2_850, 0)).ok()
    player.change(b1=(3_000, 2_850, 0), b2=(100, 100, -100)).done(
        "change", balance=9_900, effects="-+", round_={**bet_text((2_850, 0, 0)), "2": f"S 100 -100 100 100:-100:{NOW}"}
    )
