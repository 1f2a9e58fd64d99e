"""Rows 40 to 44, and row 5 for cancels: stakes that are given back."""

from __future__ import annotations

from seamless_wallet.conformance.case_context import CaseContext
from seamless_wallet.conformance.case_errors import CaseFailed
from seamless_wallet.conformance.case_events import R0, R3
from seamless_wallet.conformance.case_registry import MUST, OURS, SHOULD, Phase, cases_of

case = cases_of(Phase.BETS)


@case("40", MUST)
async def cancel_refunds_the_stake(context: CaseContext) -> None:
    """An open bet is cancelled: R0, and the stake is back."""
    player = await context.player()
    game = await player.placed(1234)
    await game.cancel(1234).gets(R0, moves=1234)


@case("40", MUST)
async def cancel_of_some_bets(context: CaseContext) -> None:
    """The bets of a round are cancelled and settled one by one: R0, each moves its own money."""
    player = await context.player()
    game = await player.placed(100, 200, 300)
    await game.cancel(200, at=2).gets(R0, moves=200)
    await game.result((300, 300), at=3).gets(R0, moves=600)
    await game.cancel(100).gets(R0, moves=100)


@case("40", MUST)
async def cancel_of_a_batch(context: CaseContext) -> None:
    """One event cancels the bets of two events: R0, and their sum is refunded."""
    player = await context.player()
    game = await player.placed(100)
    await game.bet(250, at=2).gets(R0, moves=-250)
    await game.cancel(100, 250).gets(R0, moves=350)


@case("41", MUST)
async def cancel_of_another_amount(context: CaseContext) -> None:
    """The amount is more or less than the stored stake: R3, nothing moves. The right amount is refunded afterwards."""
    player = await context.player()
    game = await player.placed(500)
    await game.cancel(600).gets(R3)
    await game.cancel(499).gets(R3)
    await game.cancel(500).gets(R0, moves=500)


@case("41", MUST)
async def one_wrong_amount_refuses_the_batch(context: CaseContext) -> None:
    """One amount of a batch is wrong: R3, and no stake of the batch is refunded."""
    player = await context.player()
    game = await player.placed(500, 300)
    await game.cancel(500, 301).gets(R3)
    await game.cancel(500, 300).gets(R0, moves=800)


@case("42", MUST)
async def cancel_of_a_cancelled_bet(context: CaseContext) -> None:
    """Another event cancels the same bet once more: R0, nothing moves."""
    player = await context.player()
    game = await player.placed(500)
    await game.cancel(500).gets(R0, moves=500)
    await game.cancel(500).gets(R0)


@case("42", MUST)
async def batch_with_a_cancelled_bet(context: CaseContext) -> None:
    """One bet of a batch is cancelled already: R0, and only the other one is refunded."""
    player = await context.player()
    game = await player.placed(500, 200)
    await game.cancel(500).gets(R0, moves=500)
    await game.cancel(500, 200).gets(R0, moves=200)


@case("43", OURS)
async def cancel_of_an_unknown_bet(context: CaseContext) -> None:
    """The wallet does not know the bet: R0, nothing moves (with --cancel-unknown r3: R3)."""
    player = await context.player()
    code = R0 if context.choices.cancel_unknown == "tombstone" else R3
    await player.round().cancel(500).gets(code)


@case("43", MUST)
async def a_cancel_before_its_bet_loses_no_stake(context: CaseContext) -> None:
    """A cancel comes before its bet. If it is R0, the bet is not taken; if not, the cancel comes again and refunds."""
    player = await context.player()
    game = player.round()
    cancelled, bet = await game.cancel(500).deliver(), await game.bet(500).deliver()
    if bet.code is R0:
        if cancelled.code is R0:
            raise CaseFailed(
                "the cancel that came first was R0: expected no R0 for its bet, whose stake is lost; got R0"
            )
        player.balance = player.has - 500
        await game.cancel(500).gets(R0, moves=500)


@case("43", SHOULD)
async def bet_after_the_cancel_that_came_first(context: CaseContext) -> None:
    """A cancel comes before its bet and leaves a tombstone: the bet is R3 (with --cancel-unknown r3: R0)."""
    player = await context.player()
    game = player.round()
    if context.choices.cancel_unknown == "tombstone":
        await game.cancel(500).gets(R0)
        await game.bet(500).gets(R3)
    else:
        await game.cancel(500).gets(R3)
        await game.bet(500).gets(R0, moves=-500)


@case("43", SHOULD)
async def tombstones_stand_for_one_bet_each(context: CaseContext) -> None:
    """A cancel comes first: every bet that it names is R3, any other bet of the round is R0."""
    context.needs("cancel_unknown", "tombstone")
    player = await context.player()
    game = player.round()
    await game.cancel(500, 600).gets(R0)
    await game.bet(600, at=2).gets(R3)
    await game.bet(700, at=3).gets(R0, moves=-700)
    await game.bet(500).gets(R3)


@case("43", OURS)
async def batch_with_an_unknown_bet(context: CaseContext) -> None:
    """Of a known and an unknown bet one is refunded, one gets a tombstone (with --cancel-unknown r3: R3 for both)."""
    player = await context.player()
    game = await player.placed(500)
    if context.choices.cancel_unknown == "tombstone":
        await game.cancel(500, 40).gets(R0, moves=500)
        await game.bet(40, at=2).gets(R3)
    else:
        await game.cancel(500, 40).gets(R3)


@case("44", MUST)
async def cancel_of_a_settled_bet(context: CaseContext) -> None:
    """The bet is settled already, lost, even or won: R3, nothing moves."""
    player = await context.player()
    for winloss in (-500, 0, 475):
        game = await player.settled((500, winloss))
        await game.cancel(500).gets(R3)


@case("5", SHOULD)
async def cancel_of_a_cancelled_bet_with_another_amount(context: CaseContext) -> None:
    """A cancelled bet, or a tombstone, is cancelled with another amount: R3, because row 5 comes before row 42."""
    player = await context.player()
    game = await player.placed(500)
    await game.cancel(500).gets(R0, moves=500)
    await game.cancel(501).gets(R3)
    if context.choices.cancel_unknown == "tombstone":
        await game.cancel(80, at=2).gets(R0)
        await game.cancel(81, at=2).gets(R3)
