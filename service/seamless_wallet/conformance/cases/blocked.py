"""Rows 22 and 32: a blocked player cannot log in or bet, but open bets are still settled."""

from __future__ import annotations

from seamless_wallet.conformance.case_context import CaseContext
from seamless_wallet.conformance.case_events import R0, R1, R3
from seamless_wallet.conformance.case_registry import MUST, OURS, SHOULD, Phase, cases_of

case = cases_of(Phase.SESSIONS)


@case("22", SHOULD)
async def blocked_player_cannot_log_in(context: CaseContext) -> None:
    """A blocked player logs in: R1. Once unblocked, the same event is R0."""
    player = await context.player()
    await player.block()
    login = player.login()
    await login.gets(R1)
    await player.unblock()
    await login.gets(R0)


@case("32", SHOULD)
async def blocked_player_cannot_bet(context: CaseContext) -> None:
    """A blocked player bets: R1, nothing is taken. Once unblocked, the same event is R0."""
    player = await context.player()
    await player.block()
    bet = player.round().bet(100)
    await bet.gets(R1)
    await player.unblock()
    await bet.gets(R0, moves=-100)


@case("32", OURS)
async def block_comes_before_funds(context: CaseContext) -> None:
    """A blocked player without enough money bets: R1, not R4."""
    player = await context.player()
    await player.block()
    await player.round().bet(player.has + 1).gets(R1)


@case("32", OURS)
async def a_cancelled_bet_comes_before_the_block(context: CaseContext) -> None:
    """A blocked player bets what was cancelled before: R3, not R1."""
    player = await context.player()
    game = await player.placed(100)
    await game.cancel(100).gets(R0, moves=100)
    await player.block()
    await game.bet(100).gets(R3)


@case("32", MUST)
async def a_placed_bet_comes_before_the_block(context: CaseContext) -> None:
    """A placed bet of a blocked player comes again, as a retry and as a new event: R0."""
    player = await context.player()
    bet = player.round().bet(100)
    await bet.gets(R0, moves=-100)
    await player.block()
    await bet.gets(R0)
    await bet.renewed().gets(R0)


@case("40", MUST)
async def cancel_for_a_blocked_player(context: CaseContext) -> None:
    """A bet of a blocked player is cancelled: R0, refunded."""
    player = await context.player()
    game = await player.placed(100)
    await player.block()
    await game.cancel(100).gets(R0, moves=100)


@case("50", MUST)
async def result_for_a_blocked_player(context: CaseContext) -> None:
    """A bet of a blocked player is settled: R0, credited."""
    player = await context.player()
    game = await player.placed(100)
    await player.block()
    await game.result((100, 95)).gets(R0, moves=195)


@case("61", MUST)
async def change_for_a_blocked_player(context: CaseContext) -> None:
    """A result of a blocked player is changed: R0, applied."""
    player = await context.player()
    game = await player.settled((100, 95))
    await player.block()
    await game.change((100, 95, 0)).gets(R0, moves=-95)


@case("23", SHOULD)
async def logout_of_a_blocked_player(context: CaseContext) -> None:
    """A blocked player logs out: R0."""
    player = await context.player()
    await player.block()
    await player.logout().gets(R0)


@case("70", OURS)
async def cash_desk_of_a_blocked_player(context: CaseContext) -> None:
    """A blocked player can deposit, but cannot withdraw."""
    player = await context.player()
    await player.block()
    await player.deposit(500)
    await player.cannot_withdraw(100)
    await player.unblock()
    await player.withdraw(100)
