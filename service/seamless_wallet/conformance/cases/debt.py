"""Rows 66, 67, 70 and 71: a balance is never negative, and who pays what it could not."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from seamless_wallet.conformance.case_context import CaseContext
from seamless_wallet.conformance.case_errors import CaseFailed
from seamless_wallet.conformance.case_events import R0, R4
from seamless_wallet.conformance.case_player import CasePlayer, Round
from seamless_wallet.conformance.case_registry import Phase, cases_of

case = cases_of(Phase.DEBT)

STAKE, WON = 1000, 6000
DEBT = STAKE + WON
"""What is owed when the win becomes a loss and all money is gone."""


async def indebted(context: CaseContext, rest: int = 0, before_it: Round | None = None) -> tuple[CasePlayer, Round]:
    """A player who won, spent all but a rest, and then had not won: owes `DEBT` less the rest, and has nothing."""
    context.needs("change_overdraw", "debt")
    player = before_it.player if before_it else await context.player()
    if player.shared:
        player.cleanups.append(lambda: paid_off(player))
    game = player.round()
    await game.bet(STAKE).gets(R0, moves=-STAKE)
    await game.result((STAKE, WON)).gets(R0, moves=STAKE + WON)
    await player.lose_all(but=rest)
    await game.change((STAKE, WON, -STAKE)).gets(R0, moves=-rest)
    return player, game


async def paid_off(player: CasePlayer) -> None:
    """No debt is left with a player who is given: what the game credits pays it."""
    game = player.round()
    await game.bet(0).deliver()
    await game.result((0, DEBT)).deliver()
    await player.find_balance()


@case("66")
async def change_that_takes_more_than_the_balance(context: CaseContext) -> None:
    """The money is spent: R0, the balance is 0 and never negative (with --change-overdraw reject: R4, unchanged)."""
    if context.choices.change_overdraw == "debt":
        await indebted(context)
        return
    player = await context.player()
    game = player.round()
    await game.bet(STAKE).gets(R0, moves=-STAKE)
    await game.result((STAKE, WON)).gets(R0, moves=STAKE + WON)
    await player.lose_all(but=1)
    await game.change((STAKE, WON, -STAKE)).gets(R4)


@case("66")
async def change_takes_what_is_there(context: CaseContext) -> None:
    """Some money is left: R0, all of it is taken."""
    player, _ = await indebted(context, rest=2500)
    await player.login().gets(R0)


@case("66")
async def change_after_a_withdrawal(context: CaseContext) -> None:
    """The win was withdrawn: R0, the rest of it becomes a debt that a win then pays."""
    context.needs("change_overdraw", "debt")
    player = await context.player()
    if player.shared:
        player.cleanups.append(lambda: paid_off(player))
    game = player.round()
    await game.bet(STAKE).gets(R0, moves=-STAKE)
    await game.result((STAKE, WON)).gets(R0, moves=STAKE + WON)
    await player.withdraw(player.has - 300)
    await game.change((STAKE, WON, -STAKE)).gets(R0, moves=-300)
    await win(player, DEBT - 300 + 25, seen=25)


@case("66")
async def repeated_overdraw(context: CaseContext) -> None:
    """The change that made the debt comes again, and as a new event: the debt does not grow."""
    context.needs("change_overdraw", "debt")
    player, game = await indebted(context)
    change = game.change((STAKE, WON, -STAKE))
    await change.gets(R0)
    await change.gets(R0)
    await win(player, DEBT + 10, seen=10)


@case("66")
async def batch_is_netted_before_it_overdraws(context: CaseContext) -> None:
    """One bet goes up and another down in one event: only the difference is owed."""
    context.needs("change_overdraw", "debt")
    player = await context.player()
    if player.shared:
        player.cleanups.append(lambda: paid_off(player))
    game = player.round()
    await game.bet(STAKE, STAKE).gets(R0, moves=-2 * STAKE)
    await game.result((STAKE, WON), (STAKE, -STAKE)).gets(R0, moves=STAKE + WON)
    await player.lose_all()
    await game.change((STAKE, WON, -STAKE), (STAKE, -STAKE, 0)).gets(R0)
    await win(player, WON, seen=0)
    await win(player, 30, seen=30)


async def win(player: CasePlayer, minor: int, *, seen: int) -> None:
    """A round without a stake that wins; so much of it is seen in the balance."""
    game = player.round()
    await game.bet(0).gets(R0)
    await game.result((0, minor)).gets(R0, moves=seen)


@case("67")
async def win_pays_the_debt_first(context: CaseContext) -> None:
    """A win goes to the debt until it is paid, and then to the balance."""
    player, _ = await indebted(context, rest=2500)
    await win(player, 4000, seen=0)
    await win(player, DEBT - 2500 - 4000 + 90, seen=90)
    await win(player, 5, seen=5)


@case("67")
async def refund_pays_the_debt_first(context: CaseContext) -> None:
    """The stake of a cancelled bet goes to the debt, and the rest to the balance."""
    earlier = (await context.player()).round()
    await earlier.bet(DEBT + 40).gets(R0, moves=-DEBT - 40)
    player, _ = await indebted(context, before_it=earlier)
    await earlier.cancel(DEBT + 40).gets(R0, moves=40)
    await win(player, 5, seen=5)


@case("67")
async def change_upward_pays_the_debt_first(context: CaseContext) -> None:
    """The result becomes a win again: nothing is left to owe, and nothing is gained twice."""
    player, game = await indebted(context)
    await game.change((STAKE, -STAKE, WON + 70)).gets(R0, moves=70)
    await win(player, 5, seen=5)


@case("67")
async def retry_of_a_payment(context: CaseContext) -> None:
    """The win that paid the debt comes again: it pays nothing twice."""
    player, _ = await indebted(context)
    game = player.round()
    await game.bet(0).gets(R0)
    result = game.result((0, DEBT - 100))
    await result.gets(R0)
    await result.gets(R0)
    await win(player, 110, seen=10)


@case("67")
async def deposits_do_not_pay_the_debt(context: CaseContext) -> None:
    """A deposit is in the balance whole; the debt is still there for the next win."""
    player, _ = await indebted(context)
    await player.deposit(3000)
    await player.login().gets(R0)
    await win(player, DEBT, seen=0)
    await win(player, 5, seen=5)


@case("67")
async def bets_of_a_player_in_debt(context: CaseContext) -> None:
    """The balance may be staked, whatever is owed; what it wins pays the debt."""
    player, _ = await indebted(context)
    await player.deposit(3000)
    game = player.round()
    await game.bet(3001).gets(R4)
    await game.bet(3000, at=2).gets(R0, moves=-3000)
    await game.result((3000, 3000), at=2).gets(R0)
    await win(player, DEBT - 6000 + 15, seen=15)


@case("67")
async def withdrawal_of_a_player_in_debt(context: CaseContext) -> None:
    """At most balance − debt can be taken out."""
    player, _ = await indebted(context)
    await player.deposit(DEBT + 200)
    await player.cannot_withdraw(201)
    await player.withdraw(200)
    await player.cannot_withdraw(1)
    await win(player, DEBT, seen=0)
    await player.withdraw(DEBT)


@case("70")
async def deposit_and_withdrawal_are_seen(context: CaseContext) -> None:
    """What the cash desk moves is in the next reply, and the cash desk sees what the game moves."""
    player = await context.player()
    await player.deposit(1234)
    await player.login().gets(R0)
    await player.withdraw(234)
    await player.round().bet(50).gets(R0, moves=-50)
    seen = await context.back_office.do("balance", player.user_id, player.currency)
    try:
        agrees = Decimal(seen) == Decimal(player.major(player.has))
    except InvalidOperation:
        agrees = False
    if not agrees:
        raise CaseFailed(f"the cash desk sees {seen[:80]!r}, and the webhook told {player.major(player.has)}")


@case("71")
async def withdrawal_over_the_balance(context: CaseContext) -> None:
    """More than is there is refused, and nothing moves; all that is there can be taken."""
    player = await context.player()
    await player.cannot_withdraw(player.has + 1)
    await player.login().gets(R0)
    await player.withdraw(player.has)
    await player.login().gets(R0)
    await player.deposit(100)


@case("71")
async def stakes_cannot_be_withdrawn(context: CaseContext) -> None:
    """What is staked in an open bet is not there to be taken; the rest is."""
    player = await context.player()
    everything = player.has
    game = player.round()
    await game.bet(600).gets(R0, moves=-600)
    await player.cannot_withdraw(everything)
    await player.withdraw(everything - 600)
    await game.cancel(600).gets(R0, moves=600)


@case("72")
async def player_who_exists_is_made_again(context: CaseContext) -> None:
    """Who is there already is made once more: the same player, with the same money."""
    player = await context.player()
    await player.round().bet(50).gets(R0, moves=-50)
    await context.back_office.do("create", player.user_id, player.currency)
    await player.login().gets(R0)
