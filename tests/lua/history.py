"""Random lives of players: what two careless providers and a back office may send, from a seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from random import Random
from typing import Any

from msgspec import structs

from seamless_wallet.commands import BACK_OFFICE, Command, Item, Kind, Policy, round_digest
from seamless_wallet.ledger.bets import Bet
from tests.lua.driver import NOW

PROVIDERS = ("dowinn", "other")
USERS = ("kim", "lee")
KINDS = {
    Kind.BET: 30,
    Kind.RESULT: 22,
    Kind.CHANGE: 26,
    Kind.CANCEL: 8,
    Kind.DEPOSIT: 6,
    Kind.WITHDRAW: 8,
    Kind.LOGIN: 6,
    Kind.LOGOUT: 2,
    Kind.STATUS: 2,
}
STAKES = (0, 1, 50, 400)
WINLOSSES = (-400, -50, 0, 45, 700)


class History:
    """Commands without end. Small numbers of rounds, bets and amounts, so that they meet."""

    def __init__(self, seed: int, rounds: Mapping[bytes, Mapping[str, Bet]]) -> None:
        self._rounds = rounds  # what became of the bets so far
        self.random = Random(seed)
        self.now_ms = NOW
        self._numbers = count()
        self._sent: list[Command] = []
        self._bets: list[Command] = []

    def commands(self, length: int) -> Iterator[tuple[Command, Policy]]:
        """First the players and their first money, then anything."""
        for user in USERS:
            yield self._command(Kind.CREATE, user, currency="KRW"), Policy()
            yield self._command(Kind.DEPOSIT, user, amount=500), Policy()
            for provider in PROVIDERS:
                yield self._command(Kind.LOGIN, user, provider=provider), Policy()
        for _ in range(length):
            command = self._next()
            self._sent.append(command)
            yield command, self._policy()

    def _policy(self) -> Policy:
        pick = self.random.choice
        return Policy(
            session_required=pick((True, False)),
            cancel_unknown=pick(("tombstone", "tombstone", "r3")),
            change_overdraw=pick(("debt", "debt", "reject")),
        )

    def _next(self) -> Command:
        self.now_ms += self.random.choice((0, 1, 700, 20_000))
        if self._sent and self.random.random() < 0.15:
            return self._again()
        kind = self.random.choices(list(KINDS), list(KINDS.values()))[0]
        user = self.random.choice(USERS)
        match kind:
            case Kind.DEPOSIT | Kind.WITHDRAW:
                return self._command(kind, user, amount=self.random.randrange(400))
            case Kind.STATUS:
                return self._command(kind, user, status=self.random.choice(("active", "active", "active", "blocked")))
            case Kind.LOGIN | Kind.LOGOUT:
                return self._command(kind, user, provider=self.random.choice(PROVIDERS))
        return self._about_bets(kind, user)

    def _about_bets(self, kind: Kind, user: str) -> Command:
        """New bets; or, mostly, something about bets that were placed lately."""
        provider, game_no = self.random.choice(PROVIDERS), f"G{self.random.randrange(3) + len(self._sent) // 40}"
        indexes = self.random.sample(("1", "2", "3", "4"), self.random.choice((1, 1, 2, 3)))
        placed = [bet for bet in self._bets[-20:] if self._known(bet)]
        if kind is not Kind.BET and placed and self.random.random() < 0.9:
            bet = self.random.choice(placed)
            user, provider, game_no = bet.user_id, bet.provider, bet.game_no
            indexes = [item.bet_index for item in bet.items if self.random.random() < 0.7] or ["1"]
        draft = self._command(kind, user, provider=provider, currency="KRW", game_no=game_no)
        known = self._known(draft)
        command = structs.replace(
            draft,
            currency="KRW" if self.random.random() < 0.98 else "USD",
            items=tuple(self._item(kind, index, known.get(index)) for index in indexes),
        )
        if kind is Kind.BET:
            self._bets.append(command)
        return command

    def _item(self, kind: Kind, index: str, bet: Bet | None) -> Item:
        """The stake follows from the index, nearly always; a change starts, mostly, from what is stored."""
        stake = STAKES[int(index) - 1] if self.random.random() < 0.97 else 7
        if kind not in (Kind.RESULT, Kind.CHANGE):
            return Item(index, "player", stake)
        before, after = (max(winloss, -stake) for winloss in self.random.choices(WINLOSSES, k=2))
        if kind is Kind.RESULT:
            return Item(index, "player", stake, after)
        if bet and self.random.random() < 0.85:
            before = bet.winloss
        return Item(index, "player", stake, after, before)

    def _again(self) -> Command:
        """An earlier command: as it was, re-stamped, under another id, or the id with other content."""
        old = self.random.choice(self._sent[-30:])
        fields: dict[str, Any] = {"received_ms": self.now_ms}
        match self.random.randrange(4):
            case 1:
                fields["timestamp_ms"] = self.now_ms
            case 2:
                fields["transaction_id"] = f"again-{len(self._sent)}"
            case 3:
                fields["transaction_id"] = self.random.choice(self._sent).transaction_id
        return structs.replace(old, **fields)

    def _command(self, kind: Kind, user: str, provider: str = BACK_OFFICE, **fields: Any) -> Command:
        return Command(
            kind=kind,
            provider=provider,
            user_id=user,
            transaction_id=f"t{next(self._numbers)}",
            timestamp_ms=self.now_ms + self.random.choice((0, 0, -2_000, -30_000, 3_000)),
            received_ms=self.now_ms,
            **fields,
        )

    def _known(self, command: Command) -> Mapping[str, Bet]:
        return self._rounds.get(round_digest(command), {})
