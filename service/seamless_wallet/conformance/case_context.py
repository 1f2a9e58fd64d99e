"""What a case plays in: its players, new or given, and the choices of the wallet's operator."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from typing import Final

from seamless_wallet.conformance.case_errors import CASE_FAILURES, SKIPS, CaseFailed, CaseSkipped
from seamless_wallet.conformance.case_events import R0
from seamless_wallet.conformance.case_player import CasePlayer
from seamless_wallet.conformance.run_context import RunContext

FUNDS: Final = 100_000
"""What a player has at least, unless a case asks for more. Minor units."""

SHORTEST_GRACE_S: Final = 0.2
"""The shortest grace after a logout within which a case can still place a bet."""


class NoPlayer(CaseFailed):
    """The back office did not make a player, or gave one no money."""


class CaseContext:
    """One case's part of a run. Leave it by `end`."""

    def __init__(self, run: RunContext) -> None:
        self.run = run
        self.webhook = run.webhook
        self.back_office = run.back_office
        self.currency = run.currency
        self.scale = run.scale
        self.choices = run.choices
        self.unique_id = run.unique_id
        self.given_players = [CasePlayer(run, user_id, 0, shared=True) for user_id in run.given_players]
        """The existing players of the run. What they have is not known yet."""
        self._players: list[CasePlayer] = []
        self._everybody = [*self.given_players]  # also those whom the wallet does not know

    def remarks(self) -> list[str]:
        """What was unusual, though it is no failure: lost answers, and balances that cannot be judged exactly."""
        remarks = [
            f"balances were judged to within a minor unit: that of {player.user_id} is finer than {self.scale} digits"
            for player in self._everybody
            if player.fraction
        ]
        if lost := sum(player.lost_answers for player in self._everybody):
            remarks.append(f"answers were lost, and events sent again: {lost}")
        return remarks

    # ------------------------------------------------------------------ players

    async def player(self, funds: int = FUNDS, *, login: bool = True) -> CasePlayer:
        """A player who has logged in and has at least these funds; the next call gives another one.

        No new player has what another has: so a balance that is told by chance, or that of another player, is noticed.

        Raises CaseSkipped.
        """
        run = self.run
        if self.given_players:
            return await self._given_player(funds)
        if run.player_refusal:
            raise CaseSkipped(f"not played: {run.player_refusal}")
        try:
            return await self.new_player(f"conf-{self.unique_id()}", funds + next(run.extra_funds), login=login)
        except NoPlayer as refusal:
            if funds <= FUNDS:  # a back office that refuses as little as this will refuse it every time
                run.player_refusal = str(refusal)
            raise

    async def new_player(self, user_id: str, funds: int = 0, *, login: bool = True) -> CasePlayer:
        """A player who was never there. Raises CaseSkipped or NoPlayer."""
        if self.given_players:
            raise CaseSkipped("needs new players: leave out --player, and pass --admin-url or --hook")
        player = self._added(CasePlayer(self.run, user_id, 0))
        try:
            await self.back_office.do("create", user_id, self.currency)
            if funds:
                await player.deposit(funds)
        except CASE_FAILURES as refusal:
            raise NoPlayer(f"a player cannot be made: {refusal}") from None
        if login:
            await player.login().gets(R0)
        self._players.append(player)
        return player

    async def player_without_session(self) -> CasePlayer:
        """A player who is not logged in, and whose bets are refused for that."""
        player = await self.player(login=False)
        if player.shared:
            await player.leave()
        return player

    def unknown_player(self, user_id: str = "") -> CasePlayer:
        """A user_id that the wallet does not know."""
        return self._added(CasePlayer(self.run, user_id or f"nobody-{self.unique_id()}", None))

    async def _given_player(self, funds: int) -> CasePlayer:
        number = len(self._players)
        if number == len(self.given_players):
            raise CaseSkipped("needs a second player: pass --player twice, or --admin-url or --hook")
        player = self.given_players[number]
        await player.find_balance()
        if player.has < funds:
            await player.win(funds - player.has)
        self._players.append(player)
        return player

    def _added(self, player: CasePlayer) -> CasePlayer:
        self._everybody.append(player)
        return player

    # ------------------------------------------------------------------ choices

    def needs(self, name: str, choice: str) -> None:
        """Skip the case unless the operator chose this. Raises CaseSkipped."""
        chosen = getattr(self.choices, name)
        if chosen != choice:
            raise CaseSkipped(f"is only for --{name.replace('_', '-')} {choice}; this wallet has {chosen}")

    def needs_grace(self) -> None:
        """Skip what has to happen between a logout and the end of its grace. Raises CaseSkipped."""
        if self.choices.grace_s < SHORTEST_GRACE_S:
            raise CaseSkipped(
                f"needs a grace of {SHORTEST_GRACE_S:g} s or more; this wallet has {self.choices.grace_s:g} s"
            )

    # ------------------------------------------------------------------ the end

    async def end(self, *, played: bool) -> None:
        """Clean up. After a case that went well, every player must still have the balance that was last expected."""
        for player in reversed(self._players):
            for cleanup in reversed(player.cleanups):
                with nullcontext() if played else suppress(*CASE_FAILURES, *SKIPS):
                    await cleanup()
        for player in self._players if played else ():
            await player.login().noted("at the end of the case").gets(R0)
