"""Rows 60 to 65: changes of results. The stored value decides how much money moves, never `before`."""

from __future__ import annotations

import time

from seamless_wallet.commands import CHANGES_MAX
from seamless_wallet.conformance.case_context import CaseContext
from seamless_wallet.conformance.case_events import R0, R1, R3
from seamless_wallet.conformance.case_registry import MUST, OURS, SHOULD, Phase, cases_of

case = cases_of(Phase.RESULTS)

STAKE, WIN = 1000, 950


@case("61", MUST)
async def change_down(context: CaseContext) -> None:
    """A win becomes a loss: R0, and the difference between old and new winloss is taken."""
    player = await context.player()
    game = await player.settled((STAKE, WIN))
    await game.change((STAKE, WIN, -STAKE)).gets(R0, moves=-STAKE - WIN)


@case("61", MUST)
async def change_up(context: CaseContext) -> None:
    """A loss becomes a win: R0, and the difference between old and new winloss is credited."""
    player = await context.player()
    game = await player.settled((STAKE, -STAKE))
    await game.change((STAKE, -STAKE, WIN)).gets(R0, moves=STAKE + WIN)


@case("61", SHOULD)
async def change_by_either_name(context: CaseContext) -> None:
    """The event may be called `bet_result_change` or `result_change`: R0."""
    player = await context.player()
    for name in ("bet_result_change", "result_change"):
        game = await player.settled((STAKE, WIN))
        await game.change((STAKE, WIN, 0), name=name).gets(R0, moves=-WIN)


@case("61", MUST)
async def changes_one_after_the_other(context: CaseContext) -> None:
    """Three changes in order, each starting from the one before it: R0 for each."""
    player = await context.player()
    game, now_s = await player.settled((STAKE, WIN)), int(time.time())
    await game.change((STAKE, WIN, 0), at_s=now_s).gets(R0, moves=-WIN)
    await game.change((STAKE, 0, -STAKE), at_s=now_s + 1).gets(R0, moves=-STAKE)
    await game.change((STAKE, -STAKE, WIN), at_s=now_s + 2).gets(R0, moves=STAKE + WIN)


@case("61", MUST)
async def changes_back_and_forth(context: CaseContext) -> None:
    """A change, its reverse, and the first again at a later time: R0 for each, and each moves the money."""
    player = await context.player()
    game, now_s = await player.settled((STAKE, WIN)), int(time.time())
    await game.change((STAKE, WIN, 0), at_s=now_s).gets(R0, moves=-WIN)
    await game.change((STAKE, 0, WIN), at_s=now_s + 1).gets(R0, moves=WIN)
    await game.change((STAKE, WIN, 0), at_s=now_s + 2).gets(R0, moves=-WIN)


@case("61", OURS)
async def change_a_little_older_than_the_last(context: CaseContext) -> None:
    """A change that is just 5 s older than the last one applied: R0."""
    player = await context.player()
    game, now_s = await player.settled((STAKE, WIN)), int(time.time())
    await game.change((STAKE, WIN, 0), at_s=now_s).gets(R0, moves=-WIN)
    await game.change((STAKE, 0, 100), at_s=now_s - 5).gets(R0, moves=100)


@case("61", MUST)
async def batch_of_changes(context: CaseContext) -> None:
    """Several changes in one event: R0, and their sum moves."""
    player = await context.player()
    game = await player.settled((100, 95), (200, -200))
    await game.change((100, 95, -100), (200, -200, 190)).gets(R0, moves=-195 + 390)


@case("64", OURS)
async def the_worst_change_decides(context: CaseContext) -> None:
    """One bet is unknown or open (R1), another has another stake (R3): the event is R3 in any order, nothing moves."""
    player = await context.player()
    game = await player.placed(100, 200)
    await game.result((200, -200), at=2).gets(R0)
    await game.change((100, 95, -100), (201, -200, 190)).gets(R3)
    await game.change((201, -200, 190), (300, 95, -100), at=2).gets(R3)
    await game.change((200, -200, 190), at=2).gets(R0, moves=390)


@case("61", OURS)
async def changes_of_a_bet_are_limited(context: CaseContext) -> None:
    """A bet takes 64 changes; the next one is R3."""
    player = await context.player()
    game, now_s, winloss = await player.settled((STAKE, 0)), int(time.time()), 0
    for number in range(1, CHANGES_MAX + 1):
        await game.change((STAKE, winloss, number), at_s=now_s + number).gets(R0, moves=number - winloss)
        winloss = number
    await game.change((STAKE, winloss, 0), at_s=now_s + CHANGES_MAX + 1).gets(R3)


@case("always", OURS)
async def items_that_give_too_much_together(context: CaseContext) -> None:
    """The credits of a batch add up to more than 2^53 − 1 minor units, though its net does not: R3 in any order."""
    player = await context.player()
    game, part = player.round(), 2**51
    await game.bet(0).gets(R0)
    await game.result((0, 2 * part)).gets(R0, moves=2 * part)
    await game.bet(part, part, at=2).gets(R0, moves=-2 * part)
    await game.result((part, -part), (part, -part), at=2).gets(R0)
    change = game.change((0, 2 * part, 0), (part, -part, part), (part, -part, part))
    await change.gets(R3)
    backwards = change.renewed().put("data.bet_results", change.fields["data"]["bet_results"][::-1], "backwards")
    await backwards.gets(R3)


@case("60", MUST)
async def change_again_under_another_id_moves_nothing(context: CaseContext) -> None:
    """A change that was applied comes as a new event: whatever the code, no money moves."""
    player = await context.player()
    for before, after in ((WIN, -STAKE), (-STAKE, WIN)):
        game = await player.settled((STAKE, before))
        change = game.change((STAKE, before, after))
        await change.gets(R0, moves=after - before)
        await change.renewed().deliver()
        await player.login().gets(R0)


@case("60", SHOULD)
async def change_that_was_applied_long_ago(context: CaseContext) -> None:
    """The same (before, after, timestamp) was applied, and the result has moved back since: R0, nothing moves."""
    player = await context.player()
    game, now_s = await player.settled((STAKE, WIN)), int(time.time())
    await game.change((STAKE, WIN, 0), at_s=now_s).gets(R0, moves=-WIN)
    await game.change((STAKE, 0, WIN), at_s=now_s + 1).gets(R0, moves=WIN)
    await game.change((STAKE, WIN, 0), at_s=now_s).gets(R0)


@case("62", OURS)
async def change_older_than_the_last(context: CaseContext) -> None:
    """`before` is right, but the event is more than 5 s older than the last change: R1, nothing moves."""
    player = await context.player()
    game, now_s = await player.settled((STAKE, WIN)), int(time.time())
    await game.change((STAKE, WIN, 0), at_s=now_s).gets(R0, moves=-WIN)
    await game.change((STAKE, 0, 100), at_s=now_s - 6).gets(R1)


@case("62", OURS)
async def age_is_measured_from_the_last_change(context: CaseContext) -> None:
    """The event is newer than the first change, but more than 5 s older than the last: R1, nothing moves."""
    player = await context.player()
    game, now_s = await player.settled((STAKE, WIN)), int(time.time())
    await game.change((STAKE, WIN, 0), at_s=now_s).gets(R0, moves=-WIN)
    await game.change((STAKE, 0, 100), at_s=now_s + 10).gets(R0, moves=100)
    await game.change((STAKE, 100, 200), at_s=now_s + 4).gets(R1)


@case("62", OURS)
async def old_change_of_a_pair_that_was_applied(context: CaseContext) -> None:
    """`before` is stored and the pair was applied, but the event is too old: R1, because row 62 precedes row 63."""
    player = await context.player()
    game, now_s = await player.settled((STAKE, WIN)), int(time.time())
    await game.change((STAKE, WIN, 0), at_s=now_s).gets(R0, moves=-WIN)
    await game.change((STAKE, 0, WIN), at_s=now_s + 1).gets(R0, moves=WIN)
    await game.change((STAKE, WIN, 0), at_s=now_s + 1 - 6).gets(R1)


@case("63", SHOULD)
async def change_applied_at_another_time(context: CaseContext) -> None:
    """(before, after) was applied, and `before` is not the stored value: R0, nothing moves, whatever the timestamp."""
    player = await context.player()
    game, now_s = await player.settled((STAKE, WIN)), int(time.time())
    await game.change((STAKE, WIN, 0), at_s=now_s).gets(R0, moves=-WIN)
    await game.change((STAKE, 0, -STAKE), at_s=now_s + 1).gets(R0, moves=-STAKE)
    await game.change((STAKE, WIN, 0), at_s=now_s + 2).gets(R0)


@case("64", SHOULD)
async def change_from_a_value_that_is_not_stored(context: CaseContext) -> None:
    """`before` is not the stored value, and the pair was never applied: R1, nothing moves."""
    player = await context.player()
    game = await player.settled((STAKE, WIN))
    await game.change((STAKE, 0, -STAKE)).gets(R1)
    await game.change((STAKE, -STAKE, 10 * WIN)).gets(R1)


@case("64", MUST)
async def changes_out_of_order(context: CaseContext) -> None:
    """Two changes arrive in the order 2, 1, 2: R1, R0, R0, and the second is in force at the end."""
    player = await context.player()
    game, now_s = await player.settled((STAKE, WIN)), int(time.time())
    first = game.change((STAKE, WIN, 0), at_s=now_s)
    second = game.change((STAKE, 0, -STAKE), at_s=now_s + 1)
    await second.gets(R1)
    await first.gets(R0, moves=-WIN)
    await second.gets(R0, moves=-STAKE)


@case("64", MUST)
async def change_before_the_result(context: CaseContext) -> None:
    """The bet is still open: R1. Once it is settled, the same event is applied: R0."""
    player = await context.player()
    game = await player.placed(STAKE)
    change = game.change((STAKE, WIN, 0))
    await change.gets(R1)
    await game.result((STAKE, WIN)).gets(R0, moves=STAKE + WIN)
    await change.gets(R0, moves=-WIN)


@case("64", SHOULD)
async def change_of_an_unknown_bet(context: CaseContext) -> None:
    """The bet is unknown: R1, nothing moves."""
    player = await context.player()
    await player.round().change((STAKE, -STAKE, WIN)).gets(R1)


@case("65", MUST)
async def change_of_a_cancelled_bet(context: CaseContext) -> None:
    """The bet was cancelled: R3, nothing moves."""
    player = await context.player()
    game = await player.placed(STAKE)
    await game.cancel(STAKE).gets(R0, moves=STAKE)
    await game.change((STAKE, -STAKE, WIN)).gets(R3)


@case("51", SHOULD)
async def change_of_another_stake(context: CaseContext) -> None:
    """Another stake than the stored one, or a winloss below minus the stake: R3, nothing moves (row 51)."""
    player = await context.player()
    game = await player.settled((STAKE, WIN))
    await game.change((STAKE + 1, WIN, -STAKE)).gets(R3)
    await game.change((STAKE, WIN, -STAKE - 1)).gets(R3)
    await game.change((STAKE, WIN, -STAKE)).gets(R0, moves=-STAKE - WIN)
