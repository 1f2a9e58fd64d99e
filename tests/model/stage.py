"""Where a history is played: each action goes to the real thing and to the model, and both are compared."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable
from typing import ClassVar

from seamless_wallet.commands import BACK_OFFICE, Answer, Code, Command, Policy
from seamless_wallet.ledger.bets import Bet as StoredBet
from seamless_wallet.ledger.entry import Entry
from seamless_wallet.ledger.fold import Wallet
from tests.model import history
from tests.model.bets import Bet
from tests.model.history import POLICIES, Action, Disaster, Pass, Send
from tests.model.model import Moment, Player, Verdict, allowed

TRANSIENT = {"redis", "deadline", "ledger", "backlog", "writer"}  # row 7


class Stage(ABC):
    """Plays one history. Users have short names in it; `user_id` tells who they are in the wallet.

    `keep_as`: a history that fails is kept under this name (the shortest last, as Hypothesis shrinks it).
    """

    name: ClassVar[str]
    disasters: ClassVar[tuple[str, ...]]

    @property
    def waits(self) -> tuple[int, ...]:
        """For how long to wait, besides what is interesting anywhere; ms."""
        return ()

    def __init__(self, keep_as: str = "") -> None:
        self.players: dict[str, Player | None] = {}
        self.commands: list[tuple[str, Command]] = []
        self.books: Counter[tuple[str, str]] = Counter()  # by currency and account
        self.seen: Counter[str] = Counter()
        self.last_answer: Answer | None = None
        self._played: list[Action] = []
        self._keep_as = keep_as

    def play(self, action: Action) -> None:
        """Do one thing and compare everything."""
        self._played.append(action)
        try:
            match action:
                case Send():
                    self._send(action)
                case Pass():
                    self.wait(action.ms)
                case Disaster():
                    self.disaster(action.what)
        except Exception as error:
            if self._keep_as:
                history.write(history.FAILED / f"{self._keep_as}.jsonl", self._played)
                error.add_note(
                    f"{len(self._played)} steps; again: python -m tests.model.replay {self._keep_as} --on {self.name}"
                )
            raise

    def play_all(self, actions: Iterable[Action]) -> None:
        """A history."""
        for action in actions:
            self.play(action)

    def _send(self, send: Send) -> None:
        command = send.command(self.user_id(send.user), self.now_ms())
        policy = POLICIES[send.provider]
        epoch = self.epoch(command)
        answer, sent = self.ask(command, policy, send.worker)
        self.last_answer = answer
        moment = Moment(self.now_ms(), (epoch, self.epoch(command)), self.window_ms())
        player = self.players.get(send.user)
        verdicts = allowed(player, command, policy, moment)
        verdict = next((v for v in verdicts if _fits(v, answer, sent)), None)
        assert verdict is not None, (
            f"{told(answer)}, where the law has {' or '.join(map(told, verdicts))}; before: {_known(player, command)}"
        )
        self.players[send.user] = verdict.after
        self.commands.append((send.user, command))
        self.seen[f"{command.kind} {answer.code} {answer.reason}"] += 1
        self._compare(command, verdict, player)

    def _compare(self, command: Command, verdict: Verdict, before: Player | None) -> None:
        after = verdict.after
        wallet = self.wallet(command.user_id)
        if after is None:
            assert wallet is None
            return
        entry = self.last_entry(command.user_id)
        assert entry is not None
        decision = entry.decision
        assert (decision.version, decision.balance, decision.debt) == (after.entries, after.balance, after.debt)
        if verdict.effects is not None:
            moved = after.balance - (before.balance if before else 0)
            owed = after.debt - (before.debt if before else 0)
            assert entry.command == command, "the entry is of another event"
            assert (decision.balance_delta, decision.debt_delta) == (moved, owed)
            assert decision.effects == verdict.effects
            assert sum(leg.amount for leg in entry.legs()) == 0
            other = "cash" if command.provider == BACK_OFFICE else f"house:{command.provider}"
            for account, amount in {"player": moved, "debt": -owed, other: owed - moved}.items():
                self.books[after.currency, account] += amount
        compare_wallet(wallet, after)
        if command.game_no:
            known = {
                index: bet
                for (provider, game, index), bet in after.bets.items()
                if (provider, game) == (command.provider, command.game_no)
            }
            stored = self.bets(command)
            assert {index: simple(bet) for index, bet in stored.items()} == known
        self.compare_more(command, after)

    # ------------------------------------------------------------------ the real thing

    def user_id(self, user: str) -> str:
        """Who a player of the history is in the wallet."""
        return user

    @abstractmethod
    def now_ms(self) -> int:
        """Our clock. It stands still but for `wait`."""

    @abstractmethod
    def window_ms(self) -> int:
        """The hot window."""

    @abstractmethod
    def epoch(self, command: Command) -> int:
        """Of the player's shard."""

    @abstractmethod
    def ask(self, command: Command, policy: Policy, worker: int) -> tuple[Answer, int]:
        """The answer, and how often it had to be sent."""

    @abstractmethod
    def wallet(self, user_id: str) -> Wallet | None:
        """As the ledger has it."""

    @abstractmethod
    def last_entry(self, user_id: str) -> Entry | None:
        """The player's newest."""

    @abstractmethod
    def bets(self, command: Command) -> dict[str, StoredBet]:
        """The command's round, as the ledger has it."""

    @abstractmethod
    def compare_more(self, command: Command, after: Player) -> None:
        """What else there is to compare."""

    @abstractmethod
    def wait(self, ms: int) -> None:
        """Time passes."""

    @abstractmethod
    def disaster(self, what: str) -> None:
        """Something breaks, and is whole again when this returns, or when it is next asked."""


def _fits(verdict: Verdict, answer: Answer, sent: int) -> bool:
    """Whether the answer is this verdict. If it was sent more than once, the first may have been executed."""
    reasons = {*verdict.reasons, "duplicate"} if sent > 1 and verdict.code is Code.R0 else verdict.reasons
    after = verdict.after
    told = (answer.balance, answer.debt, answer.currency)
    known = (after.balance, after.debt, after.currency) if after else (None, None, "")
    return answer.code is verdict.code and answer.reason in reasons and told == known


def told(said: Answer | Verdict) -> str:
    """An answer in a few words."""
    reasons, after = (said.reason, said) if isinstance(said, Answer) else ("/".join(sorted(said.reasons)), said.after)
    return f"{said.code} {reasons} (balance {after.balance}, debt {after.debt})" if after else f"{said.code} {reasons}"


def _known(player: Player | None, command: Command) -> str:
    """What of a player matters for a command."""
    if player is None:
        return "unknown"
    event = (command.provider, command.transaction_id)
    known: dict[str, object] = {
        "balance": player.balance,
        "debt": player.debt,
        "blocked": player.blocked,
        "session": player.sessions.get(command.provider),
        "event": player.events.get(event) or player.declines.get(event),
    }
    bets = {i.bet_index: player.bets.get((command.provider, command.game_no, i.bet_index)) for i in command.items}
    return ", ".join(f"{name} {value}" for name, value in {**known, **bets}.items())


def compare_wallet(wallet: Wallet | None, player: Player) -> None:
    """Currency, money, version, status and sessions."""
    assert wallet is not None
    status = "blocked" if player.blocked else "active"
    mine = (player.currency, player.balance, player.debt, player.entries, status)
    assert (wallet.currency, wallet.balance, wallet.debt, wallet.version, wallet.status) == mine
    theirs = {name: (s.login_ms, s.renewed_ms, s.closed_ms) for name, s in wallet.sessions.items()}
    assert theirs == {name: (s.login_ms, s.used_ms, s.closed_ms) for name, s in player.sessions.items()}


def simple(bet: StoredBet) -> Bet:
    """A bet of the ledger in the model's words."""
    changes = tuple((c.before, c.after, c.timestamp_ms) for c in bet.changes)
    return Bet(bet.state.value, bet.stake, bet.winloss, bet.first_winloss, changes)  # type: ignore[arg-type]
