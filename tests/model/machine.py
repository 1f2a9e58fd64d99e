"""What two careless providers, a back office and bad luck may do, as rules for Hypothesis.

Few users, rounds, amounts and times, so that they meet; where there are bets, most events are about one of them.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from service.commands import BACK_OFFICE, BET_KINDS, Command, Kind
from tests.model.bets import Bet, State
from tests.model.history import SESSION_MS, Action, Disaster, Pass, Send
from tests.model.model import LIMIT, BetId
from tests.model.soak import Budget
from tests.model.stage import Stage

WINDOW_MS = 3_600_000
STAKES = {"1": 100, "2": 250, "3": 0, "4": 1}
OTHER_STAKES = (7, 1_000, LIMIT)
WINLOSSES = (-100, 0, 95, -250, 250, 1, LIMIT)
GAMES = ("g1", "g2", "g3")
OFFICE = (*["deposit"] * 4, "withdraw", *["withdraw_all"] * 2, "active", "active", "blocked", "create")
AMOUNTS = (0, 1, 100, 350, 700, 700, LIMIT - 500)

users = st.sampled_from(("ann", "ann", "ann", "bob", "bob", "eve"))  # Eve is unknown
providers = st.sampled_from(("games", "slots"))
picks = st.integers(0, 63)
workers = st.integers(0, 1)
seldom = st.sampled_from((False,) * 9 + (True,))
ats = st.sampled_from((0, 0, 0, -2_000, -4_000, -6_000, 3_000, 600_000, -2 * WINDOW_MS, -(10**15)))
indexes = st.lists(st.sampled_from(sorted(STAKES)), min_size=1, max_size=3, unique=True)
USUAL = {Kind.RESULT: State.OPEN, Kind.CHANGE: State.SETTLED, Kind.CANCEL: State.OPEN}
ABOUT_A_BET: dict[str, Any] = {
    "astray": st.sampled_from((None,) * 8 + tuple(State)),
    "pick": picks,
    "more": st.sampled_from((0, 0, 0, 1, 2)),
    "winlosses": st.lists(st.sampled_from(WINLOSSES), min_size=3, max_size=3),
    "odd": seldom,
    "at": ats,
    "worker": workers,
}


class Machine(RuleBasedStateMachine):
    """Plays on a stage that a test gives it, while there is time for it."""

    budget: Budget
    disasters: tuple[str, ...] = ()
    passages: tuple[int, ...] = (1, 1_000, 10_000, SESSION_MS // 2, SESSION_MS, SESSION_MS + 1)

    def __init__(self) -> None:
        super().__init__()
        self.stage = self.new_stage()
        self._idle = self.budget.spent
        self._number = 0

    def new_stage(self) -> Stage:
        """Overridden by each test."""
        raise NotImplementedError

    def _send(self, kind: Kind, user: str, **fields: Any) -> None:
        if "tid" not in fields:
            self._number += 1
            fields["tid"] = f"t{self._number}"
        self._play(Send(kind, user, **fields))

    def _play(self, action: Action) -> None:
        if self._idle:
            return
        try:
            self.stage.play(action)
        except BaseException:
            type(self).budget.failed = True
            raise

    @initialize()
    def open(self) -> None:
        """Ann and Bob have some money and are logged in."""
        for user in ("ann", "bob"):
            self._send(Kind.CREATE, user, tid="create", currency="KRW")
            self._send(Kind.DEPOSIT, user, amount=600)
            self._send(Kind.LOGIN, user, provider="games")

    @rule(
        user=users, provider=providers, game=st.sampled_from(GAMES), chosen=indexes, at=ats, odd=seldom, worker=workers
    )
    def bet(self, user: str, provider: str, game: str, chosen: list[str], at: int, odd: bool, worker: int) -> None:
        items = tuple((index, OTHER_STAKES[len(chosen) - 1] if odd else STAKES[index], 0, 0) for index in chosen)
        self._send(Kind.BET, user, provider=provider, game=game, items=items, at=at, currency="KRW", worker=worker)

    @rule(**ABOUT_A_BET)
    def result(self, **drawn: Any) -> None:
        self._about_bets(Kind.RESULT, **drawn)

    @rule(**ABOUT_A_BET, stored=st.sampled_from((True, True, True, False)))
    def change(self, **drawn: Any) -> None:
        """Where nothing is settled yet, a result."""
        settled = any(bet.state is State.SETTLED for user in self.stage.players for bet in self._bets(user).values())
        self._about_bets(Kind.CHANGE if settled or drawn["astray"] else Kind.RESULT, **drawn)

    @rule(**ABOUT_A_BET)
    def cancel(self, **drawn: Any) -> None:
        self._about_bets(Kind.CANCEL, **drawn)

    def _about_bets(
        self,
        kind: Kind,
        *,
        astray: State | None,
        pick: int,
        more: int,
        winlosses: list[int],
        odd: bool,
        at: int,
        worker: int,
        stored: bool = True,
    ) -> None:
        """Bets of one round: one in the usual state, if there is any, or in another one; and some more.

        `stored`: a change starts from the value that is stored. `odd`: the last stake is wrong, a loss too high.
        """
        if not astray and not any(self._bets(user) for user in self.stage.players):
            return self.bet("ann", "games", "g1", ["1", "2"], 0, odd, worker)
        user, (provider, game, index) = self._find(astray or USUAL[kind], pick)
        known = self._bets(user)
        chosen = [index, *(other for other in STAKES if other != index)][: more + 1]
        items = []
        for number, each in enumerate(chosen):
            bet = known.get((provider, game, each))
            stake = (bet.stake if bet else STAKES[each]) + (odd and number == more)
            won, before = (value if odd else max(value, -stake) for value in (winlosses[number], winlosses[number - 1]))
            if bet and stored:
                before = bet.winloss
            if kind is Kind.CANCEL:
                items.append((each, stake, 0, 0))
            else:
                items.append((each, stake, won, before if kind is Kind.CHANGE else 0))
        return self._send(
            kind, user, provider=provider, game=game, items=tuple(items), at=at, currency="KRW", worker=worker
        )

    def _find(self, wanted: State, pick: int) -> tuple[str, BetId]:
        all_bets = [(user, bet_id) for user in self.stage.players for bet_id in self._bets(user)]
        fitting = [(user, bet_id) for user, bet_id in all_bets if self._bets(user)[bet_id].state is wanted] or all_bets
        return fitting[-1 - pick % len(fitting)] if fitting else ("ann", ("games", "g1", "1"))

    def _bets(self, user: str) -> dict[BetId, Bet]:
        player = self.stage.players.get(user)
        return dict(player.bets) if player else {}

    @rule(user=users, provider=providers, leave=st.sampled_from((False, False, True)), at=ats, worker=workers)
    def log_in_or_out(self, user: str, provider: str, leave: bool, at: int, worker: int) -> None:
        self._send(Kind.LOGOUT if leave else Kind.LOGIN, user, provider=provider, at=at, worker=worker)

    @rule(user=users, what=st.sampled_from(OFFICE), amount=st.sampled_from(AMOUNTS))
    def office(self, user: str, what: str, amount: int) -> None:
        """Money, statuses, players; that somebody withdraws all that he may makes debts possible."""
        match what:
            case "create":
                self._send(
                    Kind.CREATE, user if amount else "new", tid="create", currency="KRW" if amount < 700 else "USD"
                )
            case "active" | "blocked":
                self._send(Kind.STATUS, user, status=what)
            case "withdraw_all":
                player = self.stage.players.get(user)
                self._send(Kind.WITHDRAW, user, amount=max(0, player.balance - player.debt) if player else 1)
            case _:
                self._send(Kind(what), user, amount=amount)

    @rule(pick=picks, how=st.sampled_from(("same", "same", "restamped", "renamed", "reused")), worker=workers)
    def again(self, pick: int, how: str, worker: int) -> None:
        """An earlier command: as it was, re-stamped, under a new id, or another one under its id."""
        sent = self.stage.commands
        if not sent:  # no precondition, which would depend on the clock: see `budget`
            return
        user, old = sent[-1 - pick % len(sent)]
        fields = resend(old, self.stage.now_ms(), keep_time=how != "restamped")
        if how == "renamed":
            del fields["tid"]
        elif how == "reused":
            _, other = sent[-1 - pick // 2 % len(sent)]
            fields["tid"] = other.transaction_id
        if old.kind is Kind.CREATE:
            fields["tid"] = "create"
        self._send(old.kind, user, worker=worker, **fields)

    @precondition(lambda self: self.passages)
    @rule(pick=picks)
    def time_passes(self, pick: int) -> None:
        self._play(Pass(self.passages[pick % len(self.passages)]))

    @precondition(lambda self: self.disasters)
    @rule(pick=picks)
    def disaster(self, pick: int) -> None:
        self._play(Disaster(self.disasters[pick % len(self.disasters)]))


def resend(old: Command, now_ms: int, *, keep_time: bool) -> dict[str, Any]:
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
