"""What two careless providers, a back office and bad luck may do next.

Few users, rounds, amounts and times, so that they meet; most events are about bets that are there. Scenes of a few
steps lead to where rows begin to differ; what a scene starts, other moves cross. All that is by chance is drawn from
one `Random`: a seed's in a walk, Hypothesis' in a machine. One file, since every move crosses every other.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from seamless_wallet.commands import BACK_OFFICE, BET_KINDS, Command, Kind
from tests.model.bets import Bet, State
from tests.model.history import SESSION_MS, Action, Disaster, Pass, Send
from tests.model.model import AHEAD_MAX_MS, LIMIT, Player
from tests.model.stage import Stage

USERS = ("ann", "bob")
STRANGERS = ("eve", "new")  # Eve stays unknown
PROVIDERS = ("games", "slots")
STAKES = {"1": 100, "2": 250, "3": 0, "4": 1}
OTHER_STAKES = (7, 1_000, LIMIT)
WINLOSSES = (-100, 0, 95, -250, 250, 1, LIMIT)
ATS = (0, 0, 0, -1_000, -2_000, -3_000, -4_000, -5_000, -5_001, -6_000, 3_000)
WAITS = (1, 5_000, 10_000, 10_000, 10_001, SESSION_MS, SESSION_MS + 1)

ITEM_PARTS = ("stake", "winloss", "before")
OF_A_BATCH = ("kind", "currency", "game", "index", "order", "stake")
PARTS = {
    Kind.LOGIN: ("kind",),
    Kind.LOGOUT: ("kind",),
    Kind.BET: OF_A_BATCH,
    Kind.CANCEL: OF_A_BATCH,
    Kind.RESULT: (*OF_A_BATCH, "winloss"),
    Kind.CHANGE: (*OF_A_BATCH, "winloss", "before"),
    Kind.DEPOSIT: ("kind", "amount"),
    Kind.WITHDRAW: ("kind", "amount"),
    Kind.STATUS: ("status",),
}
"""What an event says, by kind."""
OTHER_KIND = {
    Kind.LOGIN: Kind.LOGOUT,
    Kind.LOGOUT: Kind.LOGIN,
    Kind.BET: Kind.CANCEL,
    Kind.CANCEL: Kind.BET,
    Kind.RESULT: Kind.CHANGE,
    Kind.CHANGE: Kind.RESULT,
    Kind.DEPOSIT: Kind.WITHDRAW,
    Kind.WITHDRAW: Kind.DEPOSIT,
}

Items = tuple[tuple[str, int, int, int], ...]


class Moves:
    """One history on a stage, move by move."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.rng = Random()  # another one takes its place
        self._number = 0

    def open(self) -> None:
        """Ann and Bob have some money and are logged in."""
        for user in USERS:
            self._send(Kind.CREATE, user, tid="create", currency="KRW", slow=0)
            self._send(Kind.DEPOSIT, user, amount=600)
            self._send(Kind.LOGIN, user, provider=PROVIDERS[0])

    # ------------------------------------------------------------------ events of providers

    def bet(self, user: str = "", provider: str = "") -> None:
        """Up to three bets of a round that is played of late."""
        pick = self.rng.choice
        chosen = self.rng.sample(sorted(STAKES), pick((1, 1, 2, 3)))
        items = tuple((index, pick(OTHER_STAKES) if self._seldom() else STAKES[index], 0, 0) for index in chosen)
        game = f"g{self._number // 60 + pick((0, 0, 0, -1))}"
        user = user or self._user()
        player = self.stage.players.get(user)
        currency = "USD" if self._seldom() else player.currency if player else "KRW"
        fields = {"provider": provider or pick(PROVIDERS), "game": game, "items": items, "currency": currency}
        self._send(Kind.BET, user, at=self._at(), **fields)

    def result(self) -> None:
        """Mostly of open bets."""
        self._about_bets(Kind.RESULT, (State.OPEN, State.OPEN, State.OPEN, State.SETTLED, None))

    def change(self) -> None:
        """Mostly of settled bets, and mostly from what is stored."""
        self._about_bets(Kind.CHANGE, (*[State.SETTLED] * 6, State.OPEN, None))

    def cancel(self) -> None:
        """Mostly of open bets."""
        self._about_bets(Kind.CANCEL, (State.OPEN, State.OPEN, State.OPEN, None, None))

    def _about_bets(self, kind: Kind, states: tuple[State | None, ...]) -> None:
        """About one bet of late in one of the states (None: in any), and perhaps more of its round."""
        pick, rng = self.rng.choice, self.rng
        user, wanted = pick(USERS), pick(states)
        player = self._player(user)
        fitting = [bet_id for bet_id, bet in player.bets.items() if wanted in {bet.state, None}][-6:]
        if not fitting:
            return self.bet(user)
        provider, game, index = pick(fitting)
        others = [other for other in STAKES if other != index]
        indexes = (index, *rng.sample(others, pick((0, 0, 0, 1, 2))))
        items = tuple(self._item(kind, each, player.bets.get((provider, game, each))) for each in indexes)
        return self._send(kind, user, provider=provider, game=game, items=items, at=self._at(), currency="KRW")

    def _item(self, kind: Kind, index: str, bet: Bet | None) -> tuple[str, int, int, int]:
        rng = self.rng
        stake = min((bet.stake if bet else STAKES[index]) + self._seldom(), LIMIT)
        if kind is Kind.CANCEL:
            return index, stake, 0, 0
        lowest = max(-stake - self._seldom(), -LIMIT)
        won, before = (max(value, lowest) for value in rng.choices((lowest, *WINLOSSES), k=2))
        past = [value for change in bet.changes for value in change[:2]] if bet else []
        if past and rng.random() < 0.5:
            won = rng.choice(past)
        if bet and rng.random() < 0.8:
            before = bet.winloss
        return index, stake, won, before if kind is Kind.CHANGE else 0

    def session(self) -> None:
        """Logins and logouts; or a session's end to the millisecond: leave, wait, bet."""
        user, provider = self._user(), self.rng.choice(("games", "games", "slots"))
        ahead = self.rng.random() < 0.1  # by more than a login counts for (row 24)
        at = self.rng.choice((AHEAD_MAX_MS + 1, 10**12) if ahead else (0, 0, -6_000, 3_000))
        self._send(Kind.LOGIN, user, provider=provider, at=at)
        if self.rng.random() < 0.4:
            at = AHEAD_MAX_MS + self.rng.choice((0, 1)) if ahead else self.rng.choice((-6_000, 0, 1, 3_000, 4_000))
            self._send(Kind.LOGOUT, user, provider=provider, at=at)
        if self.rng.random() < 0.4:
            for _ in range(2):
                self.wait()
                self.bet(user, provider)

    def again(self) -> None:
        """An earlier command: as it was, re-stamped, under a new id, or another one under its id."""
        sent = self.stage.commands[-25:]
        user, old = self.rng.choice(sent)
        fields = _fields(old, self.stage.now_ms(), keep_time=self.rng.random() < 0.7)
        if old.kind is not Kind.CREATE and self.rng.random() < 0.4:
            del fields["tid"]
        elif old.kind is not Kind.CREATE and self.rng.random() < 0.1:
            fields["tid"] = self.rng.choice(sent)[1].transaction_id
        self._send(old.kind, user, **fields)

    def conflict(self) -> None:
        """The id of an event that is recorded, with one part of it changed, or only the order of its items."""
        recorded = [(user, old) for user, old in self.stage.commands[-60:] if self._is_recorded(user, old)]
        if not recorded:
            return self.bet()
        user, old = self.rng.choice(recorded)
        fields = _fields(old, self.stage.now_ms(), keep_time=True)
        part = self.rng.choice(PARTS[old.kind])
        kind = OTHER_KIND[old.kind] if part == "kind" else old.kind
        if part in fields:
            status = "active" if old.status == "blocked" else "blocked"
            others = {"currency": "USD", "game": f"{old.game_no}-", "amount": _another(old.amount), "status": status}
            fields[part] = others[part]
        elif part != "kind":
            fields["items"] = self._one_changed(part, fields["items"])
        return self._send(kind, user, **fields)

    def _one_changed(self, part: str, items: Items) -> Items:
        if part == "order":
            return items[::-1]
        at = self.rng.randrange(len(items))
        index, *amounts = items[at]
        if part == "index":
            index = f"{index}{index}"
        else:
            changed = ITEM_PARTS.index(part)
            amounts[changed] = _another(amounts[changed])
        stake, won, before = amounts
        return (*items[:at], (index, stake, won, before), *items[at + 1 :])

    def _is_recorded(self, user: str, old: Command) -> bool:
        player, event = self.stage.players[user], (old.provider, old.transaction_id)
        return player is not None and old.kind in PARTS and (event in player.events or event in player.declines)

    # ------------------------------------------------------------------ everybody else

    def office(self) -> None:
        """Money, statuses, players; that somebody withdraws all that he may makes debts possible."""
        pick, user = self.rng.choice, self._user()
        player = self.stage.players.get(user)
        match pick(("deposit", "deposit", "withdraw", "withdraw", "active", "active", "blocked", "create")):
            case "create" if user != "eve":
                self._send(Kind.CREATE, user, tid="create", currency="USD" if self._seldom() else "KRW")
            case "active" | "blocked" as status:
                self._send(Kind.STATUS, user, status=status)
            case "withdraw":
                free = player.balance - player.debt if player else 1
                amounts = (free, free, player.balance if player else 1, free + 1, 100)
                self._send(Kind.WITHDRAW, user, amount=min(max(0, pick(amounts)), LIMIT))
            case _:
                self._send(Kind.DEPOSIT, user, amount=pick((0, 1, 100, 100, 700, 700, 5_000, LIMIT - 500)))

    def wait(self) -> None:
        """Time passes."""
        self._play(Pass(self.rng.choice((*WAITS, *self.stage.waits))))

    def disaster(self) -> None:
        """Something breaks."""
        self._play(Disaster(self.rng.choice(self.stage.disasters)))

    # ------------------------------------------------------------------ scenes

    def back_and_forth(self) -> None:
        """One bet is changed again and again, until it may not; nobody says when each time."""
        user = self.rng.choice(USERS)
        game = self._settled(user, 0)
        for step in range(self.rng.choice((4, 4, 8, 8, 90))):
            bet = self._player(user).bets.get((PROVIDERS[0], game, "1"))
            stored = bet.winloss if bet else 0
            after = self.rng.choice([value for value in (0, 1, 95) if value != stored])
            self._about(Kind.CHANGE, user, game, after, stored, at=self.rng.choice((0, step, step, -step)))

    def ruin(self) -> None:
        """Wins are taken out before they are taken back: a debt, up to more than there may be."""
        user = self.rng.choice(USERS)
        wins = self.rng.choices((100, 700, LIMIT - 50, LIMIT), k=2)
        games = []
        for win in wins:
            self._take_out(user)
            games.append(self._settled(user, win))
        self._take_out(user)
        for game, win in zip(games, wins, strict=True):
            self._about(Kind.CHANGE, user, game, 0, win)

    def _take_out(self, user: str) -> None:
        player = self._player(user)
        self._send(Kind.STATUS, user, status="active")
        self._send(Kind.WITHDRAW, user, amount=max(0, player.balance - player.debt))

    def _settled(self, user: str, won: int) -> str:
        """A settled bet of nothing. Its game_no."""
        game = f"scene-{self._number}"
        self._send(Kind.STATUS, user, status="active")
        self._send(Kind.LOGIN, user, provider=PROVIDERS[0])
        self._about(Kind.BET, user, game)
        self._about(Kind.RESULT, user, game, won)
        return game

    def _about(self, kind: Kind, user: str, game: str, won: int = 0, before: int = 0, at: int = 0) -> None:
        items = (("1", 0, won, before),)
        self._send(kind, user, provider=PROVIDERS[0], game=game, items=items, currency="KRW", at=at)

    # ------------------------------------------------------------------ below all moves

    def _send(self, kind: Kind, user: str, **fields: Any) -> None:
        self._number += 1
        given = {
            "tid": f"t{self._number}",
            "slow": 2_000 * self._seldom(),
            "worker": self.rng.choice((0, 1)),
            **fields,
        }
        self._play(Send(kind, user, **given))

    def _play(self, action: Action) -> None:
        self.stage.play(action)

    def _player(self, user: str) -> Player:
        player = self.stage.players[user]
        assert player is not None
        return player

    def _user(self) -> str:
        return self.rng.choice(STRANGERS if self._seldom() else USERS)

    def _at(self) -> int:
        far = (600_000, -2 * self.stage.window_ms(), -(10**15))
        return self.rng.choice(far if self._seldom() else ATS)

    def _seldom(self) -> bool:
        return self.rng.random() < 0.04


WEIGHTS: dict[Callable[[Moves], None], int] = {
    Moves.bet: 220,
    Moves.result: 100,
    Moves.change: 200,
    Moves.cancel: 100,
    Moves.again: 160,
    Moves.conflict: 60,
    Moves.office: 120,
    Moves.session: 60,
    Moves.wait: 20,
    Moves.disaster: 15,
    Moves.back_and_forth: 3,
    Moves.ruin: 6,
}


def walk(stage: Stage, seed: object, steps: int) -> None:
    """So many moves, by weight."""
    moves = Moves(stage)
    moves.rng = Random(repr(seed))
    moves.open()
    for move in moves.rng.choices([*WEIGHTS], [*WEIGHTS.values()], k=steps):
        move(moves)


def _another(amount: int) -> int:
    """Another amount that a wire format takes."""
    return amount + 1 if amount < LIMIT else amount - 1


def _fields(old: Command, now_ms: int, *, keep_time: bool) -> dict[str, Any]:
    """The fields of a `Send` that says what `old` said."""
    fields: dict[str, Any] = {"tid": old.transaction_id, "currency": old.currency}
    if old.provider != BACK_OFFICE:
        fields["provider"] = old.provider
    if keep_time:
        fields["at"] = old.timestamp_ms - now_ms
    if old.kind in BET_KINDS:
        items = tuple((i.bet_index, i.amount, i.winloss, i.winloss_before) for i in old.items)
        fields |= {"game": old.game_no, "items": items}
    return fields | {"amount": old.amount, "status": old.status}
