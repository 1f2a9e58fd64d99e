"""The machine's rules taken by weight from a seed, without Hypothesis: many more steps a second, and nearer to life.

Scenes of a few steps lead to where rows begin to differ; what a scene starts, other steps cross.
"""

from __future__ import annotations

from random import Random

from service.commands import Kind
from tests.model.bets import State
from tests.model.history import SESSION_MS, Action, Disaster, Pass, Send
from tests.model.machine import OFFICE, STAKES, WINLOSSES, resend
from tests.model.stage import Stage

USERS = ("ann", "bob")
PROVIDERS = ("games", "slots")
ATS = (0, 0, 0, -1_000, -2_000, -3_000, -4_000, -5_000, -5_001, -6_000, 3_000)
WAITS = (1, 5_000, 10_000, 10_000, 10_001, SESSION_MS, SESSION_MS + 1)


class Walk:
    """Plays on a stage for ever."""

    def __init__(self, stage: Stage, seed: object) -> None:
        self._stage = stage
        self._rng = Random(repr(seed))
        self._number = 0
        for user in USERS:
            self._send(Kind.CREATE, user, tid="create", currency="KRW")
            self._send(Kind.DEPOSIT, user, amount=600)

    def step(self) -> None:
        """One of the things that may happen next."""
        steps = (self._bet, self._about_bets, self._again, self._office, self._session, self._wait, self._break)
        self._rng.choices(steps, (22, 40, 18, 12, 6, 2, 1))[0]()

    def _play(self, action: Action) -> None:
        self._stage.play(action)

    def _send(self, kind: Kind, user: str, **fields: object) -> None:
        self._number += 1
        self._play(Send(kind, user, **{"tid": f"t{self._number}", **fields}))  # type: ignore[arg-type]

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
        player = self._stage.players[user]
        assert player is not None
        fitting = [bet_id for bet_id, bet in player.bets.items() if wanted in {bet.state, None}][-6:]
        if not fitting:
            return
        provider, game, index = pick(fitting)
        others = [other for other in STAKES if other != index]
        items = []
        for each in (index, *rng.sample(others, pick((0, 0, 0, 1, 2)))):
            bet = player.bets.get((provider, game, each))
            stake = (bet.stake if bet else STAKES[each]) + (rng.random() < 0.02)
            won, before = (max(value, -stake) for value in rng.choices((-stake, *WINLOSSES), k=2))
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
        player = self._stage.players[user]
        assert player is not None
        match pick(OFFICE):
            case "active" | "create":
                self._send(Kind.STATUS, user, status="active")
            case "blocked":
                self._send(Kind.STATUS, user, status="blocked")
            case "withdraw" | "withdraw_all":
                amounts = (player.balance - player.debt, player.balance, player.balance - player.debt + 1, 100)
                self._send(Kind.WITHDRAW, user, amount=max(0, pick(amounts)))
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
        self._play(Disaster("reload"))
