"""The machine's rules taken by weight from a seed, without Hypothesis: many more steps a second, and nearer to life.

Scenes of a few steps lead to where rows begin to differ; what a scene starts, other steps cross.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from service.commands import Kind
from tests.model.bets import State
from tests.model.history import SESSION_MS, Action, Disaster, Pass, Send
from tests.model.machine import OFFICE, STAKES, WINLOSSES, resend
from tests.model.model import LIMIT, Player
from tests.model.stage import Stage

USERS = ("ann", "bob")
PROVIDERS = ("games", "slots")
ATS = (0, 0, 0, -1_000, -2_000, -3_000, -4_000, -5_000, -5_001, -6_000, 3_000)
WAITS = (1, 5_000, 10_000, 10_000, 10_001, SESSION_MS, SESSION_MS + 1)


class Walk:
    """One history on a stage, as the seed has it."""

    def __init__(self, stage: Stage, seed: object) -> None:
        self._stage = stage
        self._rng = Random(repr(seed))
        self._number = 0

    def play(self, steps: int, enough: Callable[[], bool] = lambda: False) -> None:
        """So many steps, or until it is enough."""
        for user in USERS:
            self._send(Kind.CREATE, user, tid="create", currency="KRW")
            self._send(Kind.DEPOSIT, user, amount=600)
        for _ in range(steps):
            self._step()
            if enough():
                break

    def _step(self) -> None:
        happens = {
            self._bet: 220,
            self._about_bets: 400,
            self._again: 180,
            self._office: 120,
            self._session: 60,
            self._wait: 20,
            self._break: 15,
            self._back_and_forth: 3,
            self._ruin: 6,
        }
        self._rng.choices([*happens], [*happens.values()])[0]()

    def _play(self, action: Action) -> None:
        self._stage.play(action)

    def _player(self, user: str) -> Player:
        player = self._stage.players[user]
        assert player is not None
        return player

    def _send(self, kind: Kind, user: str, **fields: object) -> None:
        self._number += 1
        slow = 2_000 if self._rng.random() < 0.05 else 0
        self._play(Send(kind, user, **{"tid": f"t{self._number}", "slow": slow, **fields}))  # type: ignore[arg-type]

    def _bet(self, user: str = "", provider: str = "") -> None:
        pick = self._rng.choice
        chosen = self._rng.sample(sorted(STAKES), pick((1, 1, 2, 3)))
        items = tuple((index, 7 if self._rng.random() < 0.02 else STAKES[index], 0, 0) for index in chosen)
        game = f"g{self._number // 60 + pick((0, 0, 0, -1))}"
        fields = {"provider": provider or pick(PROVIDERS), "game": game, "items": items, "at": pick(ATS)}
        self._send(Kind.BET, user or pick(USERS), currency="KRW" if self._rng.random() < 0.98 else "USD", **fields)

    def _about_bets(self) -> None:
        """Mostly a fitting event of a bet of late, and of more of its round; a change mostly from what is stored."""
        pick, rng = self._rng.choice, self._rng
        kind, wanted = pick(
            (
                (Kind.RESULT, State.OPEN),
                (Kind.RESULT, State.SETTLED),
                *[(Kind.CHANGE, State.SETTLED)] * 4,
                (Kind.CHANGE, State.OPEN),
                (Kind.CANCEL, State.OPEN),
                (Kind.CANCEL, None),
            )
        )
        user = pick(USERS)
        player = self._player(user)
        fitting = [bet_id for bet_id, bet in player.bets.items() if wanted in {bet.state, None}][-6:]
        if not fitting:
            return
        provider, game, index = pick(fitting)
        others = [other for other in STAKES if other != index]
        items = []
        for each in (index, *rng.sample(others, pick((0, 0, 0, 1, 2)))):
            bet = player.bets.get((provider, game, each))
            stake = (bet.stake if bet else STAKES[each]) + (rng.random() < 0.02)
            lowest = -stake - (rng.random() < 0.05)
            won, before = (max(value, lowest) for value in rng.choices((lowest, *WINLOSSES), k=2))
            past = [value for change in bet.changes for value in change[:2]] if bet else []
            if past and rng.random() < 0.5:
                won = pick(past)
            if bet and rng.random() < 0.8:
                before = bet.winloss
            amounts = {Kind.CANCEL: (stake, 0, 0), Kind.RESULT: (stake, won, 0)}
            items.append((each, *amounts.get(kind, (stake, won, before))))
        self._send(kind, user, provider=provider, game=game, items=tuple(items), at=pick(ATS), currency="KRW")

    def _again(self) -> None:
        sent = self._stage.commands[-25:]
        user, old = self._rng.choice(sent)
        fields = resend(old, self._stage.now_ms(), keep_time=self._rng.random() < 0.7)
        if old.kind is not Kind.CREATE and self._rng.random() < 0.4:
            del fields["tid"]
        elif old.kind is not Kind.CREATE and self._rng.random() < 0.1:
            fields["tid"] = self._rng.choice(sent)[1].transaction_id
        self._send(old.kind, user, **fields)

    def _office(self) -> None:
        pick, user = self._rng.choice, self._rng.choice(USERS)
        player = self._player(user)
        match pick(OFFICE):
            case "active" | "create":
                self._send(Kind.STATUS, user, status="active")
            case "blocked":
                self._send(Kind.STATUS, user, status="blocked")
            case "withdraw" | "withdraw_all":
                amounts = (player.balance - player.debt, player.balance, player.balance - player.debt + 1, 100)
                self._send(Kind.WITHDRAW, user, amount=min(max(0, pick(amounts)), LIMIT))
            case _:
                self._send(Kind.DEPOSIT, user, amount=pick((0, 100, 700, 5_000)))

    def _session(self) -> None:
        """Logins and logouts; or a session's end to the millisecond: leave, wait, bet."""
        user, provider = self._rng.choice(USERS), self._rng.choice(("games", "games", "slots"))
        self._send(Kind.LOGIN, user, provider=provider, at=self._rng.choice((0, 0, -6_000, 3_000)))
        if self._rng.random() < 0.4:
            self._send(Kind.LOGOUT, user, provider=provider, at=self._rng.choice((-6_000, 0, 1, 3_000, 4_000)))
        if self._rng.random() < 0.4:
            for _ in range(2):
                self._wait()
                self._bet(user, provider)

    def _wait(self) -> None:
        self._play(Pass(self._rng.choice(WAITS)))

    def _break(self) -> None:
        self._play(Disaster(self._rng.choice(("reload", "period"))))

    def _back_and_forth(self) -> None:
        """One bet is changed again and again, until it may not; nobody says when each time."""
        user, game = self._settled(0)
        for step in range(self._rng.choice((4, 8, 90))):
            bet = self._player(user).bets.get((PROVIDERS[0], game, "1"))
            stored = bet.winloss if bet else 0
            after = self._rng.choice([value for value in (0, 1, 95) if value != stored])
            self._about(Kind.CHANGE, user, game, after, stored, at=self._rng.choice((0, step, step, -step)))

    def _ruin(self) -> None:
        """Wins are taken out before they are taken back: a debt, up to more than there may be."""
        user = self._rng.choice(USERS)
        wins = self._rng.choices((100, 700, LIMIT - 50, LIMIT), k=2)
        games = []
        for win in wins:
            self._take_out(user)
            games.append(self._settled(win, user)[1])
        self._take_out(user)
        for game, win in zip(games, wins, strict=True):
            self._about(Kind.CHANGE, user, game, 0, win)

    def _take_out(self, user: str) -> None:
        player = self._player(user)
        self._send(Kind.STATUS, user, status="active")
        self._send(Kind.WITHDRAW, user, amount=max(0, player.balance - player.debt))

    def _settled(self, won: int, user: str = "") -> tuple[str, str]:
        """A settled bet of nothing. Whose, and its game_no."""
        user, game = user or self._rng.choice(USERS), f"scene-{self._number}"
        self._send(Kind.STATUS, user, status="active")
        self._send(Kind.LOGIN, user, provider=PROVIDERS[0])
        self._about(Kind.BET, user, game)
        self._about(Kind.RESULT, user, game, won)
        return user, game

    def _about(self, kind: Kind, user: str, game: str, won: int = 0, before: int = 0, at: int = 0) -> None:
        items = (("1", 0, won, before),)
        self._send(kind, user, provider=PROVIDERS[0], game=game, items=items, currency="KRW", at=at)
