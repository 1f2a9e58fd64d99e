"""Rows 20 to 24: logins and logouts."""

from __future__ import annotations

from seamless_wallet.conformance.case_context import CaseContext
from seamless_wallet.conformance.case_events import R0, R3
from seamless_wallet.conformance.case_registry import MUST, SHOULD, Phase, cases_of

case = cases_of(Phase.PLAYERS)


@case("20", MUST)
async def login_tells_the_balance(context: CaseContext) -> None:
    """A known player logs in: R0 with the balance."""
    player = await context.player()
    player.check_exact()
    await player.login().gets(R0)


@case("20", MUST)
async def login_again_changes_nothing(context: CaseContext) -> None:
    """A player who is logged in logs in again: R0 with the same balance."""
    player = await context.player()
    await player.login().gets(R0)
    await player.login().gets(R0)


@case("20", MUST)
async def login_tells_the_balance_of_now(context: CaseContext) -> None:
    """After a bet, a login tells what is left."""
    player = await context.player()
    await player.round().bet(1234).gets(R0, moves=-1234)
    await player.login().gets(R0)


@case("20", MUST)
async def players_have_balances_of_their_own(context: CaseContext) -> None:
    """What one player bets and wins never changes the balance of another."""
    player, other = await context.player(), await context.player()
    game = await player.placed(777)
    await other.login().gets(R0)
    await game.result((777, 1111)).gets(R0, moves=777 + 1111)
    await other.round().bet(50).gets(R0, moves=-50)
    await player.login().gets(R0)


@case("21", MUST)
async def events_of_an_unknown_player(context: CaseContext) -> None:
    """The wallet does not know the player: R3 for every kind of event, without a balance. A known one still gets R0."""
    player, unknown = await context.player(), context.unknown_player()
    game = unknown.round()
    for event in (
        unknown.login(),
        unknown.logout(),
        game.bet(100),
        game.cancel(100),
        game.result((100, 100)),
        game.change((100, 100, -100)),
    ):
        await event.gets(R3)
    await player.login().gets(R0)


@case("21", SHOULD)
async def an_unknown_player_leaves_nothing_behind(context: CaseContext) -> None:
    """A bet of an unknown player is R3: once the player exists, the same event is decided afresh, and is R0."""
    user_id = f"conf-{context.unique_id()}"
    unknown = context.unknown_player(user_id)
    bet = unknown.round().bet(100)
    await bet.gets(R3)
    player = await context.new_player(user_id, 1000)
    bet.account = player
    await bet.gets(R0, moves=-100)


@case("23", MUST)
async def logout_tells_the_balance(context: CaseContext) -> None:
    """A player who is logged in logs out: R0 with the balance."""
    player = await context.player()
    await player.logout().gets(R0)


@case("23", SHOULD)
async def logout_twice(context: CaseContext) -> None:
    """A player who has logged out logs out again: R0."""
    player = await context.player()
    await player.logout().gets(R0)
    await player.logout(after_s=2).gets(R0)


@case("23", SHOULD)
async def logout_without_a_session(context: CaseContext) -> None:
    """A player who never logged in logs out: R0."""
    player = await context.player(login=False)
    await player.logout().gets(R0)


@case("24", SHOULD)
async def an_old_logout_is_accepted(context: CaseContext) -> None:
    """A logout that is older than the newest login: R0, and a bet is still taken."""
    player = await context.player()
    await player.logout(after_s=-60).gets(R0)
    await player.round().bet(100).gets(R0, moves=-100)
