"""A player under test and its rounds: what a case writes with."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

from seamless_wallet.commands import Command, Item, Kind
from seamless_wallet.conformance.case_events import R0, R1, Event
from seamless_wallet.conformance.case_result import CaseFailed
from seamless_wallet.conformance.cash_desks import NotDone
from seamless_wallet.money import format_minor

if TYPE_CHECKING:
    from seamless_wallet.conformance.case_context import Scene

GRACE_MARGIN_S: Final = 0.5
_DIGITS: Final = {Kind.LOGIN: "0", Kind.LOGOUT: "1", Kind.BET: "2", Kind.CANCEL: "3", Kind.RESULT: "4"}


class Player:
    """Somebody with money. `balance` is what the next answer must tell, in minor units; None: nobody knows them."""

    def __init__(self, scene: Scene, user_id: str, balance: int | None, *, shared: bool = False) -> None:
        self.scene = scene
        self.user_id = user_id
        self.balance = balance
        self.shared = shared
        self.currency = scene.currency
        self.scale = scene.scale

    @property
    def has(self) -> int:
        """The balance of a player who is known."""
        if self.balance is None:
            raise CaseFailed(f"{self.user_id} is unknown")
        return self.balance

    def major(self, minor: int) -> str:
        """An amount as people write it."""
        return format_minor(minor, self.scale)

    def told(self, moves: int) -> str:
        """The balance that is due, for a message."""
        return "" if self.balance is None else f" with {self.major(self.balance + moves)}"

    def round(self, game_no: str = "") -> Round:
        """A round that never was."""
        return Round(self, game_no or self.scene.unique())

    def event(
        self, kind: Kind, game_no: str = "", items: tuple[Item, ...] = (), at_s: int | None = None, name: str = ""
    ) -> Event:
        """A new event of this player, now or at another second."""
        scene = self.scene
        context = {"feedback_data": scene.unique()}
        if items:
            context |= {"game_type": "baccarat", "table_no": "7"}
        if kind in {Kind.RESULT, Kind.CHANGE}:
            context |= {"result": "B", "result_detail": '{"banker":["S9"]}'}
        command = Command(
            kind=kind,
            provider=scene.wire.provider.name,
            user_id=self.user_id,
            transaction_id=scene.transaction_id(_DIGITS.get(kind, "5")),
            timestamp_ms=(int(time.time()) if at_s is None else at_s) * 1000,
            received_ms=0,
            currency=self.currency if items else "",
            game_no=game_no,
            items=items,
            context=context,
        )
        return Event.of(self, scene.wire.provider.profile.encode_event(command, self.scale, name or None))

    # ------------------------------------------------------------------ sessions

    def login(self) -> Event:
        """A login that is not older than any before."""
        return self.event(Kind.LOGIN, at_s=self.scene.newest_login_s(self.user_id))

    def logout(self, after_s: int = 1) -> Event:
        """A logout that is so much newer than the newest login."""
        return self.event(Kind.LOGOUT, at_s=self.scene.newest_login_s(self.user_id, renew=False) + after_s)

    async def leaves(self) -> None:
        """Log out, and wait until the grace for late bets is over."""
        await self.logout().gets(R0)
        await self.waits_for_grace()

    async def waits_for_grace(self) -> None:
        """Until a bet of a closed session would be refused."""
        await asyncio.sleep(self.scene.expected.grace_s + GRACE_MARGIN_S)

    # ------------------------------------------------------------------ money

    async def wins(self, minor: int) -> None:
        """A round without a stake that is won."""
        game = self.round()
        await game.bet(0).gets(R0)
        await game.result((0, minor)).gets(R0, moves=minor)

    async def loses_all(self, but: int = 0) -> None:
        """A round that costs everything that is there, but for a rest."""
        if stake := self.has - but:
            game = self.round()
            await game.bet(stake).gets(R0, moves=-stake)
            await game.result((stake, -stake)).gets(R0)

    async def is_given(self, minor: int) -> None:
        """Cash in."""
        await self.scene.port.do("deposit", self.user_id, self.currency, self.major(minor))
        self.balance = self.has + minor

    async def takes_out(self, minor: int) -> None:
        """Cash out."""
        await self.scene.port.do("withdraw", self.user_id, self.currency, self.major(minor))
        self.balance = self.has - minor

    async def cannot_take_out(self, minor: int) -> None:
        """Cash out that must be refused."""
        try:
            await self.scene.port.do("withdraw", self.user_id, self.currency, self.major(minor))
        except NotDone:
            return
        raise CaseFailed(f"a withdrawal of {self.major(minor)} was done, though it had to be refused")

    async def is_blocked(self) -> None:
        """Block, and see by a login that it is in force (row 22); the scene unblocks in the end."""
        await self.scene.port.do("block", self.user_id, self.currency)
        self.scene.later(self.is_unblocked)
        login = self.login()
        await Event(self, login.fields, "of a blocked player").gets(R1)

    async def is_unblocked(self) -> None:
        """Unblock."""
        await self.scene.port.do("unblock", self.user_id, self.currency)


class Round:
    """One round of a player. Bets have the indexes 1, 2, 3 …, or begin at `at`."""

    def __init__(self, player: Player, game_no: str) -> None:
        self.player = player
        self.game_no = game_no

    def bet(self, *stakes: int, at: int = 1) -> Event:
        """Stakes to place."""
        return self._event(Kind.BET, [(stake,) for stake in stakes], at)

    def cancel(self, *stakes: int, at: int = 1) -> Event:
        """Stakes to take back."""
        return self._event(Kind.CANCEL, [(stake,) for stake in stakes], at)

    def result(self, *settled: tuple[int, int], at: int = 1) -> Event:
        """(stake, winloss) of bets."""
        return self._event(Kind.RESULT, settled, at)

    def change(self, *changed: tuple[int, int, int], at: int = 1, at_s: int | None = None, name: str = "") -> Event:
        """(stake, winloss before, winloss) of settled bets."""
        items = [(stake, after, before) for stake, before, after in changed]
        return self._event(Kind.CHANGE, items, at, at_s, name)

    def _event(self, kind: Kind, amounts: Any, at: int, at_s: int | None = None, name: str = "") -> Event:
        items = tuple(Item(str(at + number), "banker", *parts) for number, parts in enumerate(amounts))
        return self.player.event(kind, self.game_no, items, at_s, name)
