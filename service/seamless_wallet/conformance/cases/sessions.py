"""Rows 1, 23, 24 and 33: a bet needs an open session, or one that was closed a moment ago."""

from __future__ import annotations

import time

from seamless_wallet.commands import Kind
from seamless_wallet.conformance.case_context import CaseContext
from seamless_wallet.conformance.case_events import R0, R1, R3
from seamless_wallet.conformance.case_registry import MUST, OURS, SHOULD, Phase, cases_of

case = cases_of(Phase.SESSIONS)


@case("33", OURS, waits=True)
async def bet_without_a_session(context: CaseContext) -> None:
    """The player is not logged in: R1. After a login, the same event is R0 (with --session off: R0 at once)."""
    player = await context.player_without_session()
    bet = player.round().bet(100)
    if context.choices.session == "required":
        await bet.gets(R1)
        await player.login().gets(R0)
    await bet.gets(R0, moves=-100)


@case("33", OURS)
async def bet_just_after_the_logout(context: CaseContext) -> None:
    """A bet within the grace after a logout: R0."""
    context.needs_grace()
    player = await context.player()
    await player.logout().gets(R0)
    await player.round().bet(100).gets(R0, moves=-100)


@case("33", OURS, waits=True)
async def bet_long_after_the_logout(context: CaseContext) -> None:
    """A bet after the grace: R1; after another login, the same event is R0."""
    context.needs("session", "required")
    player = await context.player()
    await player.leave()
    bet = player.round().bet(100)
    await bet.gets(R1)
    await player.login().gets(R0)
    await bet.gets(R0, moves=-100)


@case("33", OURS, waits=True)
async def bet_in_the_grace_opens_nothing(context: CaseContext) -> None:
    """A bet within the grace is R0, but does not open the session again: after the grace, R1."""
    context.needs("session", "required")
    context.needs_grace()
    player = await context.player()
    await player.logout().gets(R0)
    await player.round().bet(100).gets(R0, moves=-100)
    await player.wait_for_grace()
    await player.round().bet(100).gets(R1)
    await player.login().gets(R0)


@case("33", OURS, waits=True)
async def session_comes_before_funds(context: CaseContext) -> None:
    """Neither a session nor enough money: R1, not R4. After a login and a win, the same event is R0."""
    context.needs("session", "required")
    player = await context.player_without_session()
    bet = player.round().bet(player.has + 100)
    await bet.gets(R1)
    await player.login().gets(R0)
    await player.win(200)
    await bet.gets(R0, moves=-player.has + 100)


@case("33", OURS, waits=True)
async def a_cancelled_bet_comes_before_the_session(context: CaseContext) -> None:
    """No session, and the bet was cancelled before: R3, not R1."""
    context.needs("cancel_unknown", "tombstone")
    player = await context.player_without_session()
    game = player.round()
    await game.cancel(100).gets(R0)
    await game.bet(100).gets(R3)


@case("33", MUST, waits=True)
async def what_follows_a_bet_needs_no_session(context: CaseContext) -> None:
    """A result, a change and a cancel long after the logout: R0."""
    player = await context.player()
    game = await player.placed(100, 40)
    await player.leave()
    await game.result((100, 95)).gets(R0, moves=195)
    await game.change((100, 95, -100)).gets(R0, moves=-195)
    await game.cancel(40, at=2).gets(R0, moves=40)


@case("33", MUST, waits=True)
async def a_placed_bet_needs_no_session(context: CaseContext) -> None:
    """Long after the logout a bet comes again, as a retry and as a new event: R0."""
    player = await context.player()
    bet = player.round().bet(100)
    await bet.gets(R0, moves=-100)
    await player.leave()
    await bet.gets(R0)
    await bet.renewed().gets(R0)


@case("24", SHOULD, waits=True)
async def a_late_logout_closes_nothing(context: CaseContext) -> None:
    """A logout that is not newer than the newest login: R0, and bets are still taken after the grace."""
    player = await context.player()
    await player.logout(after_s=0).gets(R0)
    await player.logout(after_s=-30).gets(R0)
    await player.wait_for_grace()
    await player.round().bet(100).gets(R0, moves=-100)


@case("24", OURS, waits=True)
async def a_login_stamped_far_ahead_can_be_logged_out(context: CaseContext) -> None:
    """A login that is stamped a year ahead counts as at most 5 minutes ahead: a logout of in 10 minutes closes, R1."""
    context.needs("session", "required")
    player = await context.new_player(f"conf-{context.unique_id()}", 1000, login=False)
    now_s = int(time.time())
    await player.event(Kind.LOGIN, at_s=now_s + 365 * 24 * 3600).gets(R0)
    await player.event(Kind.LOGOUT, at_s=now_s + 600).gets(R0)
    await player.wait_for_grace()
    await player.round().bet(100).gets(R1)


@case("24", MUST, waits=True)
async def login_after_logout_opens_again(context: CaseContext) -> None:
    """A logout and a new login: bets are still taken after the grace of that logout."""
    player = await context.player()
    await player.logout().gets(R0)
    await player.login().gets(R0)
    await player.wait_for_grace()
    await player.round().bet(100).gets(R0, moves=-100)


@case("1", OURS, waits=True)
async def a_repeated_login_opens_nothing(context: CaseContext) -> None:
    """A login is sent again after the logout: R0, but a bet is R1, because the login was executed before."""
    context.needs("session", "required")
    player = await context.player()
    login = player.login()
    await login.gets(R0)
    await player.leave()
    await login.gets(R0)
    await player.round().bet(100).gets(R1)
    await player.login().gets(R0)


@case("1", SHOULD, waits=True)
async def a_repeated_logout_closes_nothing(context: CaseContext) -> None:
    """A logout is sent again after the next login, with a newer timestamp: R0, and the session stays open."""
    player = await context.player()
    logout = player.logout()
    await logout.gets(R0)
    await player.login().gets(R0)
    await logout.stamped(30).gets(R0)
    await player.wait_for_grace()
    await player.round().bet(100).gets(R0, moves=-100)


@case("24", SHOULD, waits=True)
async def an_old_login_sets_nothing_back(context: CaseContext) -> None:
    """A login comes late: R0. A logout that is older than the newest login still closes nothing."""
    player = await context.player()
    newest_s = context.run.newest_login_s(player.user_id, renew=False)
    await player.event(Kind.LOGIN, at_s=newest_s - 60).gets(R0)
    await player.logout(after_s=-30).gets(R0)
    await player.wait_for_grace()
    await player.round().bet(100).gets(R0, moves=-100)


@case("23", OURS, waits=True)
async def a_second_logout_renews_no_grace(context: CaseContext) -> None:
    """Another logout long after the first: R0, but a bet after it is R1."""
    context.needs("session", "required")
    player = await context.player()
    await player.leave()
    await player.logout(after_s=2).gets(R0)
    await player.round().bet(100).gets(R1)
    await player.login().gets(R0)
