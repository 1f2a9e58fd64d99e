"""What a case plays in: players who are new or given, ids that are new, and the choices of the wallet's operator."""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Awaitable, Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from typing import Final

from seamless_wallet.commands import Code, Kind
from seamless_wallet.conformance.case_events import R0, Event
from seamless_wallet.conformance.case_player import Player
from seamless_wallet.conformance.case_result import CaseFailed, CaseSkipped
from seamless_wallet.conformance.cash_desks import NotDone, Port
from seamless_wallet.conformance.raw_webhook import Wire
from seamless_wallet.money import AmountError, to_minor

FUNDS: Final = 100_000
"""What a player has at least, unless a case asks for more. Minor units."""

SHORTEST_GRACE_S: Final = 0.2
"""Of which a case can make use."""

_REFUSALS: Final = {Code.R1: "is the player blocked?", Code.R3: "it knows no such player"}


class NoPlayer(CaseFailed):
    """The cash desk did not make a player, or gave one no money."""


@dataclass(frozen=True, slots=True)
class Expected:
    """How the operator chose the rows marked (cfg), and the limits that a case has to know."""

    session: str = "required"
    cancel_unknown: str = "tombstone"
    change_overdraw: str = "debt"
    grace_s: float = 10.0
    body_bytes_max: int = 65_536


class World:
    """What all cases of a run share. Given players serve one case after the other."""

    def __init__(
        self, wire: Wire, port: Port, *, currency: str, scale: int, given: tuple[str, ...] = (), expected: Expected
    ) -> None:
        self.wire = wire
        self.port = port
        self.currency = currency
        self.scale = scale
        self.given = given
        self.expected = expected
        self.unfunded = ""  # the refusal after which there is no use in asking for players
        self.tag = secrets.token_hex(4)
        self.logins_s: dict[str, int] = {}
        self.more = itertools.count(1)  # funds beyond what is asked for
        self._numbers = itertools.count(1)
        self._id_ms = 0

    def unique(self) -> str:
        """An id that nobody had."""
        return f"{self.tag}-{next(self._numbers)}"

    def transaction_id(self, kind: str) -> str:
        """A new one, in the provider's form: kind, agent, epoch milliseconds, four digits."""
        self._id_ms = max(self._id_ms + 1, time.time_ns() // 1_000_000)
        return f"{kind}_{self.tag}_{self._id_ms}_{secrets.randbelow(10_000):04d}"


class Scene:
    """One case's part of the world. Leave it by `end`."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.wire = world.wire
        self.port = world.port
        self.currency = world.currency
        self.scale = world.scale
        self.expected = world.expected
        self.unique = world.unique
        self.transaction_id = world.transaction_id
        self.lost = 0  # answers, of events that were sent again
        self._players: list[Player] = []
        self._cleanups: list[Callable[[], Awaitable[None]]] = []

    # ------------------------------------------------------------------ players

    async def player(self, funds: int = FUNDS, *, login: bool = True) -> Player:
        """A player who has logged in and has at least these funds; the next call gives another one.

        No new player has what another has: a balance that is told by chance, or of somebody else, is seen.
        """
        if self.world.given:
            return await self._given_player(funds)
        if self.world.unfunded:
            raise CaseSkipped(f"not played: {self.world.unfunded}")
        try:
            return await self.new_player(f"conf-{self.unique()}", funds + next(self.world.more), login=login)
        except NoPlayer as refusal:
            if funds <= FUNDS:  # who is refused as little as this will be refused every time
                self.world.unfunded = str(refusal)
            raise

    async def new_player(self, user_id: str, funds: int = 0, *, login: bool = True) -> Player:
        """A player who was never there."""
        if self.world.given:
            raise CaseSkipped("needs new players: leave --player out and say --admin-url or --hook")
        player = Player(self, user_id, 0)
        try:
            await self.port.do("create", user_id, self.currency)
            if funds:
                await player.is_given(funds)
        except (NotDone, CaseFailed) as refusal:
            raise NoPlayer(f"a player cannot be made: {refusal}") from None
        if login:
            await player.login().gets(R0)
        self._players.append(player)
        return player

    async def outsider(self) -> Player:
        """A player without a session."""
        player = await self.player(login=False)
        if player.shared:
            await player.leaves()
        return player

    def stranger(self, user_id: str = "") -> Player:
        """A user_id that the wallet does not know."""
        return Player(self, user_id or f"nobody-{self.unique()}", None)

    async def _given_player(self, funds: int) -> Player:
        number = len(self._players)
        if number == len(self.world.given):
            raise CaseSkipped("needs a second player: say --player twice, or --admin-url or --hook")
        player = Player(self, self.world.given[number], 0, shared=True)
        await self.let_in(player)
        if player.has < funds:
            await player.wins(funds - player.has)
        self._players.append(player)
        return player

    async def let_in(self, player: Player) -> None:
        """Log in somebody who must be known; what the answer tells is the balance. Raises CaseFailed."""
        reply = await player.login().deliver()
        if reply.code is not R0:
            why = _REFUSALS.get(reply.code, "R0 is due to a player who is known")
            raise CaseFailed(f"the login of {player.user_id} is answered {reply.code.value}: {why}")
        if reply.latest_balance is None:
            raise CaseFailed(f"the login of {player.user_id} is answered R0 without latest_balance")
        try:
            player.balance = to_minor(reply.latest_balance, self.scale)
        except AmountError as error:
            raise CaseFailed(f"latest_balance {reply.latest_balance} of {player.user_id}: {error}") from None

    def newest_login_s(self, user_id: str, *, renew: bool = True) -> int:
        """The timestamp of the newest login of a user; a new one is now, and never older than that."""
        newest = self.world.logins_s.get(user_id, int(time.time()))
        if renew:
            newest = self.world.logins_s[user_id] = max(newest, int(time.time()))
        return newest

    # ------------------------------------------------------------------ choices

    def needs(self, name: str, choice: str) -> None:
        """Skip what this operator chose to do without."""
        if getattr(self.expected, name) != choice:
            option = name.replace("_", "-")
            raise CaseSkipped(f"is about --{option} {choice}; this wallet has {getattr(self.expected, name)}")

    def needs_grace(self) -> None:
        """Skip what has to happen between a logout and the end of its grace."""
        if self.expected.grace_s < SHORTEST_GRACE_S:
            raise CaseSkipped(f"is about bets soon after a logout; the grace is {self.expected.grace_s:g} s here")

    # ------------------------------------------------------------------ the end

    def later(self, cleanup: Callable[[], Awaitable[None]]) -> None:
        """Do it when the case is over, however it went."""
        self._cleanups.append(cleanup)

    async def end(self, *, played: bool) -> None:
        """Clean up. After a case that went well, nobody may have another balance than was last expected."""
        for cleanup in reversed(self._cleanups):
            with nullcontext() if played else suppress(CaseFailed, CaseSkipped, NotDone):
                await cleanup()
        for player in self._players if played else ():
            probe = player.event(Kind.LOGIN, at_s=self.newest_login_s(player.user_id))
            await Event(player, probe.fields, "at the end of the case").gets(R0)
