"""Rows 16, 30, 31, 34 and 35: stakes that are taken or refused."""

from __future__ import annotations

from seamless_wallet.conformance.case_context import CaseContext
from seamless_wallet.conformance.case_errors import CaseFailed
from seamless_wallet.conformance.case_events import R0, R3, R4
from seamless_wallet.conformance.case_registry import MUST, OURS, SHOULD, Phase, cases_of

case = cases_of(Phase.BETS)

HOUR_S = 3600

AGE_MARGIN_S = 5
"""By how much a bet is older than bets may be: clocks differ."""


@case("30", MUST)
async def bet_takes_its_stake(context: CaseContext) -> None:
    """The balance covers the stake: R0, and it is taken once."""
    player = await context.player()
    await player.round().bet(1050).gets(R0, moves=-1050)


@case("30", MUST)
async def bet_of_the_whole_balance(context: CaseContext) -> None:
    """The balance equals the stake: R0, and nothing is left."""
    player = await context.player()
    game, everything = player.round(), player.has
    await game.bet(everything).gets(R0, moves=-everything)
    player.undo_later(game.cancel(everything))


@case("30", MUST)
async def batch_is_taken_as_its_sum(context: CaseContext) -> None:
    """Several bets of one event: R0, and their sum is taken."""
    player = await context.player()
    await player.round().bet(100, 250, 1).gets(R0, moves=-351)


@case("30", MUST)
async def rounds_and_indexes_are_bets_of_their_own(context: CaseContext) -> None:
    """The same stake under another bet_index, or in another round, is another bet: R0."""
    player = await context.player()
    game = await player.placed(100)
    await game.bet(100, at=2).gets(R0, moves=-100)
    await player.round().bet(100).gets(R0, moves=-100)


@case("16", OURS)
async def stake_of_zero(context: CaseContext) -> None:
    """A stake of 0 is a bet: R0, recorded, and it may win."""
    player = await context.player()
    game = player.round()
    await game.bet(0).gets(R0)
    await game.result((0, 500)).gets(R0, moves=500)


@case("16", OURS)
async def stake_of_zero_without_money(context: CaseContext) -> None:
    """A stake of 0 with a balance of 0: R0."""
    player = await context.player()
    await player.lose_all()
    await player.round().bet(0).gets(R0)


@case("31", MUST)
async def bet_over_the_balance(context: CaseContext) -> None:
    """One minor unit too much: R4, and nothing is taken."""
    player = await context.player()
    await player.round().bet(player.has + 1).gets(R4)


@case("31", MUST)
async def batch_over_the_balance_takes_nothing(context: CaseContext) -> None:
    """The balance covers each bet, but not their sum: R4, and none is taken. One of them alone is R0 afterwards."""
    player = await context.player()
    game = player.round()
    await game.bet(player.has, 1).gets(R4)
    await game.bet(1, at=2).gets(R0, moves=-1)


@case("31", MUST)
async def bet_without_money(context: CaseContext) -> None:
    """A stake with a balance of 0: R4."""
    player = await context.player()
    await player.lose_all()
    await player.round().bet(1).gets(R4)


@case("31", SHOULD)
async def declines_tell_the_balance(context: CaseContext) -> None:
    """An R4 carries latest_balance, for one bet and for a batch, the first time and again."""
    player = await context.player()
    for bet in (player.round().bet(player.has + 1), player.round().bet(player.has, 1)):
        for _ in range(2):
            reply = await bet.gets(R4)
            if reply.latest_balance is None:
                raise CaseFailed(f"{bet}: expected R4 with latest_balance {player.major(player.has)}; got none")


@case("34", MUST)
async def bet_after_its_cancel(context: CaseContext) -> None:
    """A bet that was placed and cancelled comes again as a new event: R3, nothing is taken."""
    player = await context.player()
    game = await player.placed(300)
    await game.cancel(300).gets(R0, moves=300)
    await game.bet(300).gets(R3)


@case("34", MUST)
async def one_cancelled_bet_refuses_the_batch(context: CaseContext) -> None:
    """One bet of a batch was cancelled before: R3 for the whole batch. The other bet alone is R0."""
    player = await context.player()
    game = await player.placed(300)
    await game.cancel(300).gets(R0, moves=300)
    await game.bet(300, 200).gets(R3)
    await game.bet(200, at=2).gets(R0, moves=-200)


@case("35", OURS)
async def bet_stamped_in_the_past(context: CaseContext) -> None:
    """A timestamp of an hour or a year ago: R0, and it is echoed as it came (if older than --bet-age-max-s: R3)."""
    player = await context.player()
    age_max_s = context.choices.bet_age_max_s
    for age_s in (HOUR_S, 400 * 24 * HOUR_S, age_max_s + AGE_MARGIN_S):
        bet = player.round().bet(100)
        if 0 < age_max_s < age_s:
            await bet.stamped(-age_s).gets(R3)
            await bet.gets(R0, moves=-100)  # the same event with the time of now
        else:
            await bet.stamped(-age_s).gets(R0, moves=-100)


@case("35", MUST)
async def old_bet_that_is_known(context: CaseContext) -> None:
    """A bet that was taken comes again with a timestamp older than any limit, as a retry and as a new event: R0."""
    player = await context.player()
    bet = player.round().bet(100)
    await bet.gets(R0, moves=-100)
    old = bet.stamped(-max(HOUR_S, context.choices.bet_age_max_s + AGE_MARGIN_S))
    await old.gets(R0)
    await old.renewed().gets(R0)


@case("35", OURS)
async def new_bet_in_an_old_batch(context: CaseContext) -> None:
    """An old event has a bet that is placed and one that is not: R0 for both (older than --bet-age-max-s: R3)."""
    player = await context.player()
    game = await player.placed(100)
    old = game.bet(100, 200).stamped(-max(HOUR_S, context.choices.bet_age_max_s + AGE_MARGIN_S))
    if context.choices.bet_age_max_s:
        await old.gets(R3)
    else:
        await old.gets(R0, moves=-200)


@case("35", OURS)
async def bet_stamped_in_the_future(context: CaseContext) -> None:
    """A timestamp of an hour ahead: R0, and it is echoed as it came."""
    player = await context.player()
    await player.round().bet(100).stamped(HOUR_S).gets(R0, moves=-100)


@case("wire", OURS)
async def timestamp_in_milliseconds(context: CaseContext) -> None:
    """A timestamp in milliseconds: R0, and it is echoed as it came."""
    player = await context.player()
    bet = player.round().bet(100)
    await bet.put("timestamp", bet.fields["timestamp"] * 1000 + 7).gets(R0, moves=-100)


@case("always", MUST)
async def amounts_are_exact(context: CaseContext) -> None:
    """Stakes of 0.1, 0.01, 0.57 and the like: the balance is what decimal arithmetic gives."""
    player = await context.player()
    player.check_exact()
    for _ in range(10):
        await player.round().bet(10).gets(R0, moves=-10)
    for stake in (1, 3, 7, 29, 57, 115):
        await player.round().bet(stake).gets(R0, moves=-stake)


@case("always", SHOULD)
async def large_balances_are_exact(context: CaseContext) -> None:
    """A balance of more than 2^52 minor units is exact to the last unit."""
    player = await context.player()
    player.check_exact()
    rest, large = player.has, 2**52 + 3
    await player.win(large)
    await player.round().bet(1).gets(R0, moves=-1)
    await player.round().bet(2**51 + 1).gets(R0, moves=-(2**51) - 1)
    await player.lose_all(but=rest)
