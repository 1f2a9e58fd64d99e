"""Rows 50 to 55: results, which settle bets."""

from __future__ import annotations

from seamless_wallet.conformance.case_context import CaseContext
from seamless_wallet.conformance.case_events import R0, R1, R3
from seamless_wallet.conformance.case_registry import MUST, OURS, SHOULD, Phase, cases_of
from seamless_wallet.money import AMOUNT_MAX

case = cases_of(Phase.RESULTS)


@case("50", MUST)
async def win_credits_stake_and_winloss(context: CaseContext) -> None:
    """A winloss of 95 on a stake of 100: R0, and 195 is credited, because `winloss` is net of the stake."""
    player = await context.player()
    game = await player.placed(10_000)
    await game.result((10_000, 9_500)).gets(R0, moves=19_500)


@case("50", MUST)
async def loss_credits_nothing(context: CaseContext) -> None:
    """A winloss of minus the stake: R0, nothing moves."""
    player = await context.player()
    game = await player.placed(10_000)
    await game.result((10_000, -10_000)).gets(R0)


@case("50", MUST)
async def push_credits_the_stake(context: CaseContext) -> None:
    """A winloss of 0: R0, and the stake comes back."""
    player = await context.player()
    game = await player.placed(10_000)
    await game.result((10_000, 0)).gets(R0, moves=10_000)


@case("50", MUST)
async def part_of_a_stake_is_lost(context: CaseContext) -> None:
    """A winloss between minus the stake and 0: R0, and the rest of the stake comes back, exact to the last digit."""
    player = await context.player()
    game = await player.placed(1001)
    await game.result((1001, -334)).gets(R0, moves=667)


@case("50", MUST)
async def batch_of_results(context: CaseContext) -> None:
    """Wins and losses in one event: R0, and their sum is credited."""
    player = await context.player()
    game = await player.placed(100, 200, 300)
    await game.result((100, -100), (200, 190), (300, 0)).gets(R0, moves=690)


@case("50", MUST)
async def results_one_by_one(context: CaseContext) -> None:
    """Several events settle the bets of one round: R0 for each."""
    player = await context.player()
    game = await player.placed(100, 200)
    await game.result((200, 200), at=2).gets(R0, moves=400)
    await game.result((100, -100)).gets(R0)


@case("51", MUST)
async def result_of_another_stake(context: CaseContext) -> None:
    """`bet_amount` is not the stored stake: R3, nothing moves. The right one settles the bet afterwards."""
    player = await context.player()
    game = await player.placed(500)
    await game.result((600, 600)).gets(R3)
    await game.result((499, -499)).gets(R3)
    await game.result((500, 500)).gets(R0, moves=1000)


@case("51", SHOULD)
async def winloss_below_the_stake(context: CaseContext) -> None:
    """The loss is larger than the stake: R3, nothing moves."""
    player = await context.player()
    game = await player.placed(500)
    await game.result((500, -501)).gets(R3)
    await game.result((500, -500)).gets(R0)


@case("52", MUST)
async def result_again_under_another_id(context: CaseContext) -> None:
    """The bet is settled with this winloss already: R0, nothing moves."""
    player = await context.player()
    game = await player.settled((500, 475))
    await game.result((500, 475)).gets(R0)


@case("52", SHOULD)
async def result_with_an_earlier_winloss(context: CaseContext) -> None:
    """After a change, another event sends the first result, or the changed one: R0, nothing moves."""
    player = await context.player()
    game = await player.settled((500, 475))
    await game.change((500, 475, -500)).gets(R0, moves=-975)
    await game.result((500, 475)).gets(R0)
    await game.result((500, -500)).gets(R0)


@case("52", SHOULD)
async def result_with_a_winloss_in_between(context: CaseContext) -> None:
    """After two changes, another event sends the result that the first change made: R0, nothing moves."""
    player = await context.player()
    game = await player.settled((500, 475))
    await game.change((500, 475, 0)).gets(R0, moves=-475)
    await game.change((500, 0, -500)).gets(R0, moves=-500)
    await game.result((500, 0)).gets(R0)


@case("52", MUST)
async def batch_with_a_settled_bet(context: CaseContext) -> None:
    """One bet of a batch is settled already with this winloss: R0, and only the other one is credited."""
    player = await context.player()
    game = await player.placed(500, 100)
    await game.result((500, 475)).gets(R0, moves=975)
    await game.result((500, 475), (100, 100)).gets(R0, moves=200)


@case("53", MUST)
async def another_result_is_no_change(context: CaseContext) -> None:
    """The bet is settled, and never had this winloss: R3, nothing moves."""
    player = await context.player()
    game = await player.settled((500, 475))
    await game.result((500, -500)).gets(R3)
    await game.result((500, 476)).gets(R3)


@case("54", MUST)
async def result_before_its_bet(context: CaseContext) -> None:
    """The bet is unknown: R1. Once the bet is placed, the same event settles it: R0."""
    player = await context.player()
    game = player.round()
    result = game.result((500, 475))
    await result.gets(R1)
    await game.bet(500).gets(R0, moves=-500)
    await result.gets(R0, moves=975)


@case("54", MUST)
async def one_unknown_bet_holds_up_the_batch(context: CaseContext) -> None:
    """One bet of a batch is unknown: R1, and nothing of the batch is credited until that bet is placed."""
    player = await context.player()
    game = player.round()
    result = game.result((500, 475), (100, 100))
    await game.bet(500).gets(R0, moves=-500)
    await result.gets(R1)
    await game.bet(100, at=2).gets(R0, moves=-100)
    await result.gets(R0, moves=1175)


@case("54", OURS)
async def the_worst_item_decides(context: CaseContext) -> None:
    """One bet is unknown (R1), another has another stake (R3): the batch is R3 in any order, nothing moves."""
    player = await context.player()
    game, other = player.round(), player.round()
    await game.bet(500, 300).gets(R0, moves=-800)
    await game.result((500, 475), (301, 0), (100, 100)).gets(R3)
    await game.result((500, 475), (300, 0)).gets(R0, moves=1275)
    await other.bet(500, at=2).gets(R0, moves=-500)
    await other.result((100, 100), (501, 475)).gets(R3)
    await other.result((500, 475), at=2).gets(R0, moves=975)


@case("55", MUST)
async def result_of_a_cancelled_bet(context: CaseContext) -> None:
    """The bet was cancelled: R3, nothing is paid."""
    player = await context.player()
    game = await player.placed(500)
    await game.cancel(500).gets(R0, moves=500)
    await game.result((500, 475)).gets(R3)
    await game.result((500, -500)).gets(R3)


@case("55", SHOULD)
async def result_of_a_tombstone(context: CaseContext) -> None:
    """The bet was cancelled before it came: R3, nothing is paid."""
    context.needs("cancel_unknown", "tombstone")
    player = await context.player()
    game = player.round()
    await game.cancel(500).gets(R0)
    await game.result((500, 475)).gets(R3)


@case("always", OURS)
async def credit_over_the_limit(context: CaseContext) -> None:
    """A credit would lift the balance over 2^53 − 1 minor units: R1, nothing moves."""
    player = await context.player()
    game = await player.placed(100)
    await game.result((100, AMOUNT_MAX - player.has - 99)).gets(R1)
    await game.result((100, 100)).gets(R0, moves=200)


@case("always", OURS)
async def batch_over_the_limit(context: CaseContext) -> None:
    """The sum of a batch is over 2^53 − 1 minor units: R3, nothing moves."""
    player = await context.player()
    game = await player.placed(100, 100)
    await game.result((100, AMOUNT_MAX), (100, AMOUNT_MAX)).gets(R3)
    await game.result((100, -100), (100, -100)).gets(R0)
