"""A player under test and their rounds: what a case writes with."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from typing import Final

from seamless_wallet.clients.back_office_ports import Action, BackOfficeRefused
from seamless_wallet.clients.provider_events import new_event
from seamless_wallet.commands import Item, Kind
from seamless_wallet.conformance.case_errors import CaseFailed
from seamless_wallet.conformance.case_events import R0, R1, R3, CaseEvent
from seamless_wallet.conformance.player_account import PlayerAccount, whole_and_fraction
from seamless_wallet.conformance.run_context import RunContext
from seamless_wallet.money import AmountError

GRACE_MARGIN_S: Final = 0.5
"""How much longer than the grace after a logout a case waits."""

_LOGIN_REFUSALS: Final = {R1: "is the player blocked?", R3: "it knows no such player"}


class CasePlayer(PlayerAccount):
    """A player that a case acts for. `shared`: an existing one, whom the next case gets as well."""

    def __init__(self, run: RunContext, user_id: str, balance: int | None, *, shared: bool = False) -> None:
        super().__init__(run, user_id, balance)
        self.shared = shared
        self.cleanups: list[Callable[[], Awaitable[None]]] = []
        """What has to be undone when the case is over, however it went; the last one first."""

    def round(self, game_no: str = "") -> Round:
        """A round that never was, or the one of this number."""
        return Round(self, game_no or self.run.unique_id())

    async def placed(self, *stakes: int) -> Round:
        """A new round with these bets, which the wallet has taken."""
        game = self.round()
        await game.bet(*stakes).gets(R0, moves=-sum(stakes))
        return game

    async def settled(self, *bets: tuple[int, int]) -> Round:
        """A new round with these bets, (stake, winloss) each, which the wallet has taken and settled."""
        game = await self.placed(*(stake for stake, _ in bets))
        await game.result(*bets).gets(R0, moves=sum(stake + winloss for stake, winloss in bets))
        return game

    def event(
        self, kind: Kind, game_no: str = "", items: tuple[Item, ...] = (), at_s: int | None = None, name: str = ""
    ) -> CaseEvent:
        """A new event of this player, now or at another epoch second. `name`: one of several names of its kind."""
        provider = self.run.webhook.provider
        command = new_event(
            kind,
            provider=provider.name,
            user_id=self.user_id,
            transaction_id=self.run.transaction_ids.new(kind),
            timestamp_ms=(int(time.time()) if at_s is None else at_s) * 1000,
            feedback_data=self.run.unique_id(),
            currency=self.currency,
            game_no=game_no,
            items=items,
        )
        return CaseEvent.of(self, provider.profile.encode_event(command, self.scale, name or None))

    # ------------------------------------------------------------------ sessions

    def login(self) -> CaseEvent:
        """A login that is not older than any before."""
        return self.event(Kind.LOGIN, at_s=self.run.newest_login_s(self.user_id))

    def logout(self, after_s: int = 1) -> CaseEvent:
        """A logout that is so much newer than the newest login."""
        return self.event(Kind.LOGOUT, at_s=self.run.newest_login_s(self.user_id, renew=False) + after_s)

    async def find_balance(self) -> None:
        """Log in a player whom the wallet must know; what the answer tells is the balance. Raises CaseFailed."""
        reply = await self.login().deliver()
        if reply.code is not R0:
            why = _LOGIN_REFUSALS.get(reply.code, "R0 is due to a player who is known")
            raise CaseFailed(f"the login of {self.user_id} is answered {reply.code.value}: {why}")
        if reply.latest_balance is None:
            raise CaseFailed(f"the login of {self.user_id} is answered R0 without latest_balance")
        self._read_balance(reply.latest_balance)

    def _read_balance(self, told: Decimal) -> None:
        """Minor units, and a fraction of one if there is one: a single inexact balance shall not fail every case."""
        try:
            self.balance, self.fraction = whole_and_fraction(told, self.scale)
        except AmountError as error:
            raise CaseFailed(f"latest_balance {told} of {self.user_id}: {error}") from None
        if told < 0:
            raise CaseFailed(f"latest_balance {told} of {self.user_id} is below 0")

    async def leave(self) -> None:
        """Log out, and wait until bets are refused."""
        await self.logout().gets(R0)
        await self.wait_for_grace()

    async def wait_for_grace(self) -> None:
        """Wait until the grace after a logout is over."""
        await asyncio.sleep(self.run.choices.grace_s + GRACE_MARGIN_S)

    # ------------------------------------------------------------------ money

    async def win(self, minor: int) -> None:
        """Win so much in a round with the smallest stake; without any stake if there is no money."""
        await self.settled((min(1, self.has), minor))

    async def lose_all(self, but: int = 0) -> None:
        """Lose a round that costs everything but a rest."""
        if stake := self.has - but:
            game = await self.settled((stake, -stake))
            self.undo_later(game.change((stake, -stake, 0)))

    def undo_later(self, event: CaseEvent) -> None:
        """Send this when the case is over, if the player is a given one.

        Who has nothing left could win money for the next case only without a stake, which not every wallet takes.
        """

        async def undo() -> None:
            await event.deliver()
            await self.find_balance()

        if self.shared:
            self.cleanups.append(undo)

    async def deposit(self, minor: int) -> None:
        """Have the back office pay money in."""
        await self._ask("deposit", self.major(minor))
        self.balance = self.has + minor

    async def withdraw(self, minor: int) -> None:
        """Have the back office pay money out."""
        await self._ask("withdraw", self.major(minor))
        self.balance = self.has - minor

    async def cannot_withdraw(self, minor: int) -> None:
        """Ask for a withdrawal that the back office must refuse. Raises CaseFailed."""
        try:
            await self._ask("withdraw", self.major(minor))
        except BackOfficeRefused:
            return
        raise CaseFailed(f"a withdrawal of {self.major(minor)} was done, though it had to be refused")

    async def block(self) -> None:
        """Block the player until the case is over, and see by a login that the block is in force. Raises CaseFailed."""
        await self._ask("block")
        self.cleanups.append(self.unblock)
        login = self.login().noted("of a blocked player")
        reply = await login.deliver(R1)
        if reply.code is R0:
            raise CaseFailed(f"{login}: expected R1, or another refusal, as the player is blocked; got R0")

    async def unblock(self) -> None:
        """Lift the block."""
        await self._ask("unblock")

    async def _ask(self, action: Action, amount: str = "") -> None:
        await self.run.back_office.do(action, self.user_id, self.currency, amount)


class Round:
    """One round of a player. Bets have the indexes 1, 2, 3 …, or begin at `at`."""

    def __init__(self, player: CasePlayer, game_no: str) -> None:
        self.player = player
        self.game_no = game_no

    def bet(self, *stakes: int, at: int = 1) -> CaseEvent:
        """Stakes to place."""
        return self._event(Kind.BET, [(stake,) for stake in stakes], at)

    def cancel(self, *stakes: int, at: int = 1) -> CaseEvent:
        """Stakes to take back."""
        return self._event(Kind.CANCEL, [(stake,) for stake in stakes], at)

    def result(self, *settled: tuple[int, int], at: int = 1) -> CaseEvent:
        """(stake, winloss) of bets."""
        return self._event(Kind.RESULT, settled, at)

    def change(self, *changed: tuple[int, int, int], at: int = 1, at_s: int | None = None, name: str = "") -> CaseEvent:
        """(stake, winloss before, winloss) of settled bets."""
        items = [(stake, after, before) for stake, before, after in changed]
        return self._event(Kind.CHANGE, items, at, at_s, name)

    def _event(
        self, kind: Kind, amounts: Sequence[tuple[int, ...]], at: int, at_s: int | None = None, name: str = ""
    ) -> CaseEvent:
        items = tuple(Item(str(at + number), "banker", *parts) for number, parts in enumerate(amounts))
        return self.player.event(kind, self.game_no, items, at_s, name)
