"""SEMANTICS: a batch is all or nothing; the worst answer wins, wherever it stands: R3 > R1 > R4 > R0."""

from __future__ import annotations

from itertools import permutations

import pytest

from seamless_wallet.commands import Policy
from tests.lua.driver import NOW, SECOND

# Of a round in which bet 1 is settled, 2 open, 3 cancelled, 4 settled and changed, 5 unknown (all of stake 100).
RESULT_R0 = {"b2": (100, 7)}
RESULT_SAME = {"b1": (100, 10)}
RESULT_R1 = {"b5": (100, 7)}
RESULT_R3 = ({"b3": (100, 7)}, {"b1": (100, 11)}, {"b2": (101, 7)}, {"b2": (100, -101)})
CHANGE_R0 = {"b1": (100, 10, 0)}
CHANGE_R1 = ({"b2": (100, 10, 0)}, {"b5": (100, 10, 0)}, {"b4": (100, 9, 8)})
CHANGE_R3 = ({"b3": (100, 10, 0)}, {"b1": (99, 10, 0)}, {"b1": (100, 10, -101)})


@pytest.fixture
def round_(player):
    """The round described above."""
    player.bet(b1=100, b2=100, b3=100, b4=100).ok()
    player.cancel(b3=100).ok()
    player.result(b1=(100, 10), b4=(100, 10)).ok()
    player.change(b4=(100, 10, 20)).ok()
    return player


def orders(*items):
    """The items in every order."""
    for order in permutations(items):
        yield {name: item for part in order for name, item in part.items()}


@pytest.mark.parametrize("r3", RESULT_R3)
def test_result_r3_beats_r1_and_r0(round_, r3):
    """Nothing of the batch is settled."""
    reason = round_.result(round_.unseen(), **r3).reply[2]
    others = [part for part in (RESULT_R0, RESULT_R1, RESULT_SAME) if not part.keys() & r3.keys()]
    for batch in orders(r3, *others):
        round_.result(round_.unseen(), **batch).declined("R3", reason)


def test_result_r1_beats_r0(round_):
    """The open bet waits for the orphan."""
    for batch in orders(RESULT_R0, RESULT_R1, RESULT_SAME):
        round_.result(round_.unseen(), **batch).declined("R1", "orphan")


@pytest.mark.parametrize("r3", CHANGE_R3)
@pytest.mark.parametrize("r1", CHANGE_R1)
def test_change_r3_beats_r1_and_r0(round_, r1, r3):
    """Nothing of the batch is changed."""
    reason = round_.change(round_.unseen(), **r3).reply[2]
    others = [part for part in (r1, CHANGE_R0) if not part.keys() & r3.keys()]
    for batch in orders(r3, *others):
        round_.change(round_.unseen(), **batch).declined("R3", reason)


@pytest.mark.parametrize("r1", CHANGE_R1)
def test_change_r1_beats_r0(round_, r1):
    """Nothing of the batch is changed."""
    reason = "orphan" if r1 is CHANGE_R1[1] else "change_early"
    for batch in orders(r1, CHANGE_R0):
        round_.change(round_.unseen(), **batch).declined("R1", reason)


def test_change_r1_beats_r4(round_):
    """(cfg reject) What cannot be paid and is early: R1, as the retry may find another state."""
    round_.shard.policy = Policy(change_overdraw="reject")
    round_.withdraw(9_930).ok()
    for batch in orders({"b1": (100, 10, -100)}, {"b2": (100, 10, 0)}):
        round_.change(**batch).declined("R1", "change_early")
    round_.change(b1=(100, 10, -100)).declined("R4", "funds")


def test_change_outdated_is_told_before_early(round_):
    """Both are R1: the anomaly is the one that is named."""
    outdated = {"b4": (100, 20, 30)}
    for batch in orders(outdated, CHANGE_R1[0], CHANGE_R1[1]):
        round_.change(round_.unseen(), at=NOW - 6 * SECOND, **batch).declined("R1", "change_outdated")


def test_bet_r3_beats_r4(round_):
    """A bet that was cancelled and a bet that cannot be paid."""
    for batch in orders({"b3": 100}, {"b6": 90_000}):
        round_.bet(**batch).declined("R3", "bet_cancelled", stored=True)


def test_bet_of_old_and_new_items(round_):
    """Only the new one is paid."""
    for batch in orders({"b2": 100}, {"b1": 100}, {"b6": 90_000}):
        round_.bet(**batch).declined("R4", "funds", stored=True)
    round_.bet(b2=100, b7=30, b1=100).done(
        "bet",
        balance=9_900,
        effects="-+-",
        round_={"1": "S 100 10 10", "2": "O 100", "3": "C 100", "4": f"S 100 20 10 10:20:{NOW}", "7": "O 30"},
    )


def test_cancel_r3_beats_r0(round_):
    """A settled bet holds the refund of the open one."""
    for batch in orders({"b2": 100}, {"b1": 100}, {"b3": 100}):
        round_.cancel(**batch).declined("R3", "cancel_of_settled")


def test_five_hundred_items(player):
    """The largest batch passes through every script."""
    items = range(1, 501)
    placed = {str(n): "O 2" for n in items}
    player.bet(**{f"b{n}": 2 for n in items}).done("bet", balance=9_000, effects="+" * 500, round_=placed)
    player.result(**{f"b{n}": (2, -2) for n in items}).ok()
    changed = {str(n): f"S 2 1 -2 -2:1:{NOW}" for n in items}
    player.change(**{f"b{n}": (2, -2, 1) for n in items}).done(
        "change", balance=10_500, effects="+" * 500, round_=changed
    )
    player.bet(game_no="G2", **{f"b{n}": 2 for n in items}).ok()
    player.cancel(game_no="G2", **{f"b{n}": 2 for n in items}).done(
        "cancel", balance=10_500, effects="+" * 500, round_={str(n): "C 2" for n in items}
    )
