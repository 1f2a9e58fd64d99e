"""Rows 66, 67 and 70 to 72: a balance is never negative, a debt is paid by wins, and what the back office moves."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from seamless_wallet.conformance.case_context import CaseContext
from seamless_wallet.conformance.case_errors import CaseFailed
from seamless_wallet.conformance.case_events import R0, R4
from seamless_wallet.conformance.case_player import CasePlayer, Round
from seamless_wallet.conformance.case_registry import MUST, OURS, SHOULD, Phase, cases_of

case = cases_of(Phase.DEBT)

STAKE, WON = 1000, 6000
DEBT = STAKE + WON
"""What is owed when the win becomes a loss and all money is gone."""


async def player_who_may_owe(context: CaseContext) -> CasePlayer:
    """A player for a case that makes a debt. A given player's debt is paid when the case is over."""
    context.needs("change_overdraw", "debt")
    player = await context.player()
    if player.shared:
        player.cleanups.append(lambda: _pay_off(player))
    return player


async def _pay_off(player: CasePlayer) -> None:
    """What the game credits pays the debt, if there is one."""
    game = player.round()
    await game.bet(0).deliver()
    await game.result((0, DEBT)).deliver()
    await player.find_balance()


async def overdraw(player: CasePlayer, rest: int = 0) -> Round:
    """Take a win back when all but a rest is spent: the player owes `DEBT` less the rest, and has nothing."""
    game = await player.settled((STAKE, WON))
    await player.lose_all(but=rest)
    await game.change((STAKE, WON, -STAKE)).gets(R0, moves=-rest)
    return game


async def indebted(context: CaseContext, rest: int = 0) -> tuple[CasePlayer, Round]:
    """A player who owes `DEBT` less a rest and has nothing, and the round that made the debt."""
    player = await player_who_may_owe(context)
    return player, await overdraw(player, rest)


@case("66", MUST)
async def a_balance_is_never_negative(context: CaseContext) -> None:
    """A win is spent, then taken back: whatever the code, no answer tells a balance below 0, then or later."""
    player = await context.player()
    if player.shared:
        player.cleanups.append(lambda: _pay_off(player))
    game = await player.settled((STAKE, WON))
    await player.lose_all(but=300)
    for event in (game.change((STAKE, WON, -STAKE)), player.login()):
        reply = await event.deliver()
        if reply.latest_balance is not None and reply.latest_balance < 0:
            raise CaseFailed(f"{event}: expected no balance below 0; got {reply.latest_balance}")
    await player.find_balance()


@case("66", OURS)
async def change_that_takes_more_than_the_balance(context: CaseContext) -> None:
    """A win is spent, then taken back: R0, the balance is 0, never negative (with --change-overdraw reject: R4)."""
    if context.choices.change_overdraw == "debt":
        await indebted(context)
        return
    player = await context.player()
    game = await player.settled((STAKE, WON))
    await player.lose_all(but=1)
    await game.change((STAKE, WON, -STAKE)).gets(R4)


@case("66", OURS)
async def change_takes_what_is_there(context: CaseContext) -> None:
    """A win is partly spent, then taken back: R0, and the rest of the balance is taken."""
    player, _ = await indebted(context, rest=2500)
    await player.login().gets(R0)


@case("66", OURS)
async def change_after_a_withdrawal(context: CaseContext) -> None:
    """A win is withdrawn, then taken back: R0, and the rest becomes a debt, which the next win pays."""
    player = await player_who_may_owe(context)
    game = await player.settled((STAKE, WON))
    await player.withdraw(player.has - 300)
    await game.change((STAKE, WON, -STAKE)).gets(R0, moves=-300)
    await win(player, DEBT - 300 + 25, seen=25)


@case("66", OURS)
async def repeated_overdraw(context: CaseContext) -> None:
    """The change that made the debt comes again, as a new event and as a retry: R0, and the debt does not grow."""
    player, game = await indebted(context)
    change = game.change((STAKE, WON, -STAKE))
    await change.gets(R0)
    await change.gets(R0)
    await win(player, DEBT + 10, seen=10)


@case("66", OURS)
async def batch_is_netted_before_it_overdraws(context: CaseContext) -> None:
    """One event raises one bet and lowers another: only the difference becomes a debt."""
    player = await player_who_may_owe(context)
    game = await player.settled((STAKE, WON), (STAKE, -STAKE))
    await player.lose_all()
    await game.change((STAKE, WON, -STAKE), (STAKE, -STAKE, 0)).gets(R0)
    await win(player, WON, seen=0)
    await win(player, 30, seen=30)


async def win(player: CasePlayer, minor: int, *, seen: int) -> None:
    """Win a round without a stake; `seen` is how much of it reaches the balance."""
    game = player.round()
    await game.bet(0).gets(R0)
    await game.result((0, minor)).gets(R0, moves=seen)


@case("67", OURS)
async def win_pays_the_debt_first(context: CaseContext) -> None:
    """A win pays the debt first, and the rest goes to the balance."""
    player, _ = await indebted(context, rest=2500)
    await win(player, 4000, seen=0)
    await win(player, DEBT - 2500 - 4000 + 90, seen=90)
    await win(player, 5, seen=5)


@case("67", OURS)
async def refund_pays_the_debt_first(context: CaseContext) -> None:
    """The refund of a cancelled bet pays the debt first, and the rest goes to the balance."""
    player = await player_who_may_owe(context)
    earlier = await player.placed(DEBT + 40)
    await overdraw(player)
    await earlier.cancel(DEBT + 40).gets(R0, moves=40)
    await win(player, 5, seen=5)


@case("67", OURS)
async def change_upward_pays_the_debt_first(context: CaseContext) -> None:
    """The result that made the debt becomes a win again: the debt is paid, and the rest is credited."""
    player, game = await indebted(context)
    await game.change((STAKE, -STAKE, WON + 70)).gets(R0, moves=70)
    await win(player, 5, seen=5)


@case("67", OURS)
async def retry_of_a_payment(context: CaseContext) -> None:
    """The win that paid a debt comes again: R0, and it pays nothing twice."""
    player, _ = await indebted(context)
    game = player.round()
    await game.bet(0).gets(R0)
    result = game.result((0, DEBT - 100))
    await result.gets(R0)
    await result.gets(R0)
    await win(player, 110, seen=10)


@case("67", OURS)
async def deposits_do_not_pay_the_debt(context: CaseContext) -> None:
    """A deposit goes to the balance as a whole; the next win still pays the debt."""
    player, _ = await indebted(context)
    await player.deposit(3000)
    await player.login().gets(R0)
    await win(player, DEBT, seen=0)
    await win(player, 5, seen=5)


@case("67", OURS)
async def bets_of_a_player_in_debt(context: CaseContext) -> None:
    """A player in debt may stake the whole balance, and what it wins pays the debt."""
    player, _ = await indebted(context)
    await player.deposit(3000)
    game = player.round()
    await game.bet(3001).gets(R4)
    await game.bet(3000, at=2).gets(R0, moves=-3000)
    await game.result((3000, 3000), at=2).gets(R0)
    await win(player, DEBT - 6000 + 15, seen=15)


@case("67", OURS)
async def withdrawal_of_a_player_in_debt(context: CaseContext) -> None:
    """A player in debt may withdraw the balance less the debt, and no more."""
    player, _ = await indebted(context)
    await player.deposit(DEBT + 200)
    await player.cannot_withdraw(201)
    await player.withdraw(200)
    await player.cannot_withdraw(1)
    await win(player, DEBT, seen=0)
    await player.withdraw(DEBT)


@case("70", MUST)
async def deposit_and_withdrawal_are_seen(context: CaseContext) -> None:
    """The next reply shows what the back office moved, and the back office shows what the game moved."""
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
        raise CaseFailed(f"the back office shows {seen[:80]!r}, the webhook told {player.major(player.has)}")


@case("71", MUST)
async def withdrawal_over_the_balance(context: CaseContext) -> None:
    """A withdrawal over the balance is refused, nothing moves; the whole balance can be withdrawn."""
    player = await context.player()
    await player.cannot_withdraw(player.has + 1)
    await player.login().gets(R0)
    await player.withdraw(player.has)
    await player.login().gets(R0)
    await player.deposit(100)


@case("71", MUST)
async def stakes_cannot_be_withdrawn(context: CaseContext) -> None:
    """The stake of an open bet cannot be withdrawn; the rest can."""
    player = await context.player()
    everything = player.has
    game = await player.placed(600)
    await player.cannot_withdraw(everything)
    await player.withdraw(everything - 600)
    await game.cancel(600).gets(R0, moves=600)


@case("72", SHOULD)
async def player_who_exists_is_made_again(context: CaseContext) -> None:
    """An existing player is created again: the same player, with the same money."""
    player = await context.player()
    await player.round().bet(50).gets(R0, moves=-50)
    await context.back_office.do("create", player.user_id, player.currency)
    await player.login().gets(R0)
