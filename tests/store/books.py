"""Valid entries for tests: what Lua would have decided, with the least of code."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from seamless_wallet.commands import BACK_OFFICE, BET_KINDS, Command, Item, Kind, shard_of
from seamless_wallet.ledger.bets import Bet, BetState
from seamless_wallet.ledger.entry import Entry
from seamless_wallet.ledger.fold import Wallet, fold_round, fold_wallet
from tests.entries import entry_of

PROVIDER = "dowinn"
CURRENCIES = {"KRW": 2, "USD": 2, "JPY": 0}
START_MS = 1_700_000_000_000


def user_of(shard: int, shards: int, nth: int = 0) -> str:
    """The nth user_id that belongs to a shard."""
    names = (f"user-{n}" for n in range(1_000_000))
    return [name for name, _ in zip((n for n in names if shard_of(n, shards) == shard), range(nth + 1), strict=False)][
        nth
    ]


def decide(command: Command, wallet: Wallet | None, bets: dict[str, Bet]) -> tuple[int, int, str]:
    """(Δbalance, Δdebt, effects) of a command that is answered R0."""
    if command.kind not in BET_KINDS:
        return -command.amount if command.kind is Kind.WITHDRAW else command.amount, 0, ""
    moved, effects = decide_items(command, bets)
    balance, debt = (wallet.balance, wallet.debt) if wallet else (0, 0)
    if command.kind is Kind.BET:
        return moved, 0, effects
    if moved >= 0:
        paid = min(debt, moved)
        return moved - paid, -paid, effects
    taken = min(balance, -moved)
    return -taken, -moved - taken, effects


def decide_items(command: Command, bets: dict[str, Bet]) -> tuple[int, str]:
    """Money moved in all, and the letter of each item."""
    moved, effects = 0, ""
    for item in command.items:
        bet = bets.get(item.bet_index)
        match command.kind, bet and bet.state:
            case Kind.BET, None:
                moved, letter = moved - item.amount, "+"
            case Kind.CANCEL, None:
                letter = "t"
            case Kind.CANCEL, BetState.OPEN:
                moved, letter = moved + item.amount, "+"
            case Kind.RESULT, BetState.OPEN:
                moved, letter = moved + item.amount + item.winloss, "+"
            case Kind.CHANGE, BetState.SETTLED if bet and bet.winloss == item.winloss_before:
                moved, letter = moved + item.winloss - item.winloss_before, "+"
            case _:
                letter = "-"
        effects += letter
    return moved, effects


@dataclass
class Book:
    """The entries of one shard as Redis would have streamed them, and what they add up to."""

    shard: int = 0
    shards: int = 2
    epoch: int = 1
    now_ms: int = START_MS
    token: str = ""
    entries: list[Entry] = field(default_factory=list)
    wallets: dict[str, Wallet] = field(default_factory=dict)
    rounds: defaultdict[bytes, dict[str, Bet]] = field(default_factory=lambda: defaultdict(dict))
    _sent: int = 0
    _count: int = 0

    @property
    def user(self) -> str:
        """The first player of this shard."""
        return user_of(self.shard, self.shards)

    def copy(self) -> Book:
        """Another story from here on."""
        rounds: defaultdict[bytes, dict[str, Bet]] = defaultdict(dict, {k: dict(v) for k, v in self.rounds.items()})
        return Book(
            self.shard, self.shards, self.epoch, self.now_ms, self.token, list(self.entries), dict(self.wallets),
            rounds, self._sent, self._count,
        )  # fmt: skip

    def post(self, command: Command) -> Entry:
        """Append the command's entry."""
        wallet = self.wallets.get(command.user_id)
        probe = entry_of(self.shard, self.epoch, 0, command, b"")
        bets = self.rounds[probe.round_digest] if probe.round_digest else {}
        balance_delta, debt_delta, effects = decide(command, wallet, bets)
        version, balance, debt = (wallet.version, wallet.balance, wallet.debt) if wallet else (0, 0, 0)
        decided = f"{version + 1} {balance + balance_delta} {debt + debt_delta} {balance_delta} {debt_delta} {effects}"
        seq = len(self.entries) + 1
        entry = entry_of(self.shard, self.epoch, seq, command, decided.encode(), self.token)
        self.wallets[command.user_id] = fold_wallet(wallet, entry)
        if command.kind in BET_KINDS:
            fold_round(bets, entry)
        self.entries.append(entry)
        return entry

    def take(self) -> list[Entry]:
        """What was not taken yet."""
        new = self.entries[self._sent :]
        self._sent = len(self.entries)
        return new

    def command(self, kind: Kind, user_id: str = "", transaction_id: str = "", **rest) -> Command:
        """A command of the shard's first player with an identity of its own."""
        self._count += 1
        back_office = kind in (Kind.CREATE, Kind.DEPOSIT, Kind.WITHDRAW, Kind.STATUS)
        rest = {
            "provider": BACK_OFFICE if back_office else PROVIDER,
            "timestamp_ms": self.now_ms,
            "received_ms": self.now_ms,
            **rest,
        }
        if kind in BET_KINDS:
            rest.setdefault("currency", "KRW")
        transaction_id = transaction_id or f"{self.shard}-{self._count}"
        return Command(kind=kind, user_id=user_id or self.user, transaction_id=transaction_id, **rest)

    def create(self, user_id: str = "", currency: str = "KRW", **rest) -> Entry:
        return self.post(self.command(Kind.CREATE, user_id, currency=currency, **rest))

    def deposit(self, amount: int, user_id: str = "", **rest) -> Entry:
        return self.post(self.command(Kind.DEPOSIT, user_id, amount=amount, **rest))

    def withdraw(self, amount: int, user_id: str = "", **rest) -> Entry:
        return self.post(self.command(Kind.WITHDRAW, user_id, amount=amount, **rest))

    def bet(self, game_no: str, user_id: str = "", currency: str = "KRW", **stakes: int) -> Entry:
        items = tuple(Item(index, "player", stake) for index, stake in stakes.items())
        return self.post(self.command(Kind.BET, user_id, game_no=game_no, currency=currency, items=items))

    def cancel(self, game_no: str, user_id: str = "", currency: str = "KRW", **stakes: int) -> Entry:
        items = tuple(Item(index, "player", stake) for index, stake in stakes.items())
        return self.post(self.command(Kind.CANCEL, user_id, game_no=game_no, currency=currency, items=items))

    def result(self, game_no: str, user_id: str = "", currency: str = "KRW", **bets: tuple[int, int]) -> Entry:
        items = tuple(Item(index, "player", stake, winloss) for index, (stake, winloss) in bets.items())
        return self.post(self.command(Kind.RESULT, user_id, game_no=game_no, currency=currency, items=items))

    def change(self, game_no: str, user_id: str = "", currency: str = "KRW", **bets: tuple[int, int, int]) -> Entry:
        """Per bet: stake, winloss before, winloss after."""
        items = tuple(Item(i, "player", stake, after, before) for i, (stake, before, after) in bets.items())
        return self.post(self.command(Kind.CHANGE, user_id, game_no=game_no, currency=currency, items=items))
