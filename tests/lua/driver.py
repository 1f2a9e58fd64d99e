"""Drive the scripts as the service does, one shard on one server, and watch every key while doing so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import count, cycle
from typing import Any

import redis

from seamless_wallet.commands import BACK_OFFICE, BET_KINDS, Command, Item, Kind, Policy
from seamless_wallet.engine import keys
from seamless_wallet.engine.arguments import ConfirmArgs, ConfirmItem, GateArgs, TakeOverArgs
from seamless_wallet.engine.scripts import Argument, Script, load_scripts
from seamless_wallet.ledger.bets import parse_bet
from seamless_wallet.ledger.entry import Entry
from seamless_wallet.ledger.records import LedgerLookup
from seamless_wallet.wallet.prepared_event import PreparedEvent
from tests.entries import streamed
from tests.lua.expect import Run, Step
from tests.lua.state import Dump, changed, dump

NOW = 1_700_000_000_000
SECOND = 1_000
HOUR = 3_600_000
SHARD = 3
NONCE = "a1"
LEDGER = "00000000-0000-4000-8000-000000000001"
CHANNEL = keys.committed_channel(LEDGER)
MAX = 2**53 - 1


PERIOD_SLACK_MS = 20_000


def coarse(at_ms: int) -> int:
    """A time of the test's clock, as exact as a test can know it."""
    return round(at_ms / PERIOD_SLACK_MS) * PERIOD_SLACK_MS


class Shard:
    """One shard: its epoch, its clock, its limits. Every run proves the script's own contract, too."""

    def __init__(self, client: redis.Redis) -> None:
        self.client = client
        self.epoch = 1
        self.period = 0
        self.now_ms = NOW
        self.window_ms = HOUR
        self.pending_max = 1_000
        self.policy = Policy()
        self.numbers = count(1)
        self.written: dict[str, set[str]] = {}  # script → names of the keys that it was seen to write
        for script in load_scripts().values():
            client.script_load(script.text)

    def wait(self, ms: int) -> None:
        """All clocks go on. As nobody can move that of the server, its period began so much earlier."""
        self.now_ms += ms
        if self.client.hexists(keys.head(SHARD), "period_at"):
            self.client.hincrby(keys.head(SHARD), "period_at", -ms)

    def dump(self) -> Dump:
        """All keys. When the period began is told by our clock, to PERIOD_SLACK_MS."""
        kept = dump(self.client)
        head = kept.get(keys.head(SHARD))
        if head and "period_at" in head.value:
            seconds, _ = self.client.time()
            head.value["period_at"] = str(coarse(self.now_ms + int(head.value["period_at"]) - seconds * 1000))
        return kept

    def run(self, name: str, names: Iterable[str], argv: Iterable[Argument]) -> Run:
        """Run a script and hold it to its header: the shape of the reply, and the keys that it may change.

        An error is raised on, once it is proven that the script has changed nothing.
        """
        script, names, before = load_scripts()[name], tuple(names), self.dump()
        try:
            raw = self.client.execute_command(*script.command(names, argv))
        except redis.ResponseError:
            assert changed(before, self.dump()) == set(), f"{name} failed half-way"
            raise
        replies = [[word.decode() for word in reply] for reply in (raw if script.contract.for_each else [raw])]
        for reply in replies:
            _keep_contract(script, reply)
        assert len(names) == len(replies) * len(script.contract.keys)
        run = Run(replies[0], before, self.dump())
        meaning = dict(zip(names, cycle(script.contract.keys), strict=False))
        written = {meaning.get(key, key) for key in changed(before, run.after)}
        assert written <= set(script.contract.writes), f"{name} writes more than its header says"
        self.written.setdefault(name, set()).update(written)
        return run

    def open(self, epoch: int = 1, seq: int = 0) -> Run:
        """Open the gate of an epoch."""
        args = GateArgs(epoch, seq, LEDGER, NONCE, "", f"gate.{epoch}")
        run = self.run("gate", (keys.head(SHARD), keys.stream(SHARD, epoch)), args)
        self.epoch = epoch
        return run

    def confirm(self, seq: int, tail: int = 1_000, *tokens: str, nonce: str = NONCE) -> Run:
        """What the writer says after a commit."""
        names = (keys.head(SHARD), keys.stream(SHARD, self.epoch))
        args = ConfirmArgs(tail, self.window_ms, nonce, CHANNEL)
        run = self.run("confirm", names, (*args, *ConfirmItem(SHARD, self.epoch, seq, " ".join(tokens))))
        if run.reply[0] == "OK":
            self.period = int(run.after[keys.head(SHARD)].value["period"])
        return run

    def take_over(self, nonce: str, judged: str = NONCE) -> Run:
        """What another writer does with a head that it has judged."""
        return self.run("take_over", (keys.head(SHARD),), TakeOverArgs(self.epoch, nonce, judged))

    def end_period(self) -> None:
        """As if a window had passed since the last one ended."""
        before = self.period
        seq = int(self.client.hget(keys.head(SHARD), "committed") or 0)
        names = (keys.head(SHARD), keys.stream(SHARD, self.epoch))
        args = ConfirmArgs(1_000_000, 0, NONCE, CHANNEL)
        run = self.run("confirm", names, (*args, *ConfirmItem(SHARD, self.epoch, seq, "")))
        self.period = int(run.after[keys.head(SHARD)].value["period"])
        assert self.period == before + 1

    def arguments(self, event: PreparedEvent, lookup: LedgerLookup | None = None, token: str = "") -> list[Argument]:
        """ARGV of an event, as the wallet makes it."""
        return list(
            event.arguments(
                epoch=self.epoch,
                period=self.period,
                token=token,
                pending_max=self.pending_max,
                window_ms=self.window_ms,
                lookup=lookup,
            )
        )

    def send(self, event: PreparedEvent, lookup: LedgerLookup | None = None, **replaced: Argument) -> Step:
        """Run an event's script. `replaced` puts something else in place of the arguments of those names."""
        token = f"worker.{next(self.numbers)}"
        argv = self.arguments(event, lookup, token)
        contract = event.script.contract
        for name, value in replaced.items():
            argv[(contract.argv + contract.items).index(name)] = value
        run = self.run(event.script.name, event.keys(self.epoch, self.period), argv)
        return Step(self, event, token, run)

    def lookup(self, seq: int, **bets: str) -> LedgerLookup:
        """What SQL knows of the bets of a round, as of `seq`: `b1="O 3000"` is bet_index 1."""
        known = {name.removeprefix("b"): parse_bet(bet) for name, bet in bets.items()}
        return LedgerLookup(self.epoch, seq, None, None, known)

    def entries(self, after_seq: int = 0) -> list[Entry]:
        """The stream of the epoch, decoded; the mark of the gate is none."""
        rows: Any = self.client.xrange(keys.stream(SHARD, self.epoch), min=f"({self.epoch}-{after_seq}")
        return [streamed(SHARD, at, fields) for at, fields in rows if b"gate" not in fields]


def _keep_contract(script: Script, reply: list[str]) -> None:
    """The reply has the shape of one of those that the header names."""
    shapes = [shape.split() for shape in script.contract.returns.split("|")]
    verdicts = ("DONE", "DUP", "CONFLICT", "DECLINED", "BUSY")
    fits = any(
        len(reply) == len(shape) and (reply[0] in verdicts if shape[0] == "status" else reply[0] == shape[0])
        for shape in shapes
    )
    assert fits, f"{script.name} answers {reply}, which its header does not name"


class Player:
    """One player of the shard, and what its provider (or the back office) sends about it."""

    def __init__(self, shard: Shard, user_id: str = "kim", provider: str = "dowinn", currency: str = "KRW") -> None:
        self.shard = shard
        self.user_id = user_id
        self.provider = provider
        self.currency = currency

    def event(self, kind: Kind, **fields: Any) -> PreparedEvent:
        """One event with an identity of its own. `at` is the provider's time, ours unless named.

        Items are `b<bet_index>=` an amount, (stake, winloss) or (stake, winloss before, winloss after).
        """
        fields = _items(fields)
        at = fields.pop("at", self.shard.now_ms)
        office = kind in (Kind.CREATE, Kind.DEPOSIT, Kind.WITHDRAW, Kind.STATUS)
        if kind in BET_KINDS:
            fields = {"game_no": "G1", "currency": self.currency, **fields}
        fields.setdefault("provider", BACK_OFFICE if office else self.provider)
        fields.setdefault("transaction_id", f"t{next(self.shard.numbers)}")
        command = Command(kind=kind, user_id=self.user_id, timestamp_ms=at, received_ms=self.shard.now_ms, **fields)
        return PreparedEvent(command, self.shard.policy, SHARD)

    def send(self, kind: Kind, lookup: LedgerLookup | None = None, **fields: Any) -> Step:
        return self.shard.send(self.event(kind, **fields), lookup)

    def create(self) -> Step:
        return self.send(Kind.CREATE, currency=self.currency)

    def opened(self, balance: int = 10_000) -> Player:
        """Created, given money, logged in."""
        self.create().ok()
        if balance:
            self.deposit(balance).ok()
        self.login().ok()
        return self

    def login(self, **fields: Any) -> Step:
        return self.send(Kind.LOGIN, **fields)

    def logout(self, **fields: Any) -> Step:
        return self.send(Kind.LOGOUT, **fields)

    def block(self) -> Step:
        return self.send(Kind.STATUS, status="blocked")

    def unblock(self) -> Step:
        return self.send(Kind.STATUS, status="active")

    def deposit(self, amount: int, **fields: Any) -> Step:
        return self.send(Kind.DEPOSIT, amount=amount, **fields)

    def withdraw(self, amount: int, **fields: Any) -> Step:
        return self.send(Kind.WITHDRAW, amount=amount, **fields)

    def bet(self, lookup: LedgerLookup | None = None, **fields: Any) -> Step:
        """`b1=3000` stakes 3000 on bet_index 1."""
        return self.send(Kind.BET, lookup, **fields)

    def cancel(self, lookup: LedgerLookup | None = None, **fields: Any) -> Step:
        """`b1=3000` cancels bet_index 1, said to be of 3000."""
        return self.send(Kind.CANCEL, lookup, **fields)

    def result(self, lookup: LedgerLookup | None = None, **fields: Any) -> Step:
        """`b1=(3000, 2850)`: stake and winloss."""
        return self.send(Kind.RESULT, lookup, **fields)

    def change(self, lookup: LedgerLookup | None = None, **fields: Any) -> Step:
        """`b1=(3000, 2850, -3000)`: stake, winloss before, winloss after."""
        return self.send(Kind.CHANGE, lookup, **fields)

    def unseen(self, **bets: str) -> LedgerLookup:
        """SQL was asked, is up to date, and knows of the round no more than these bets."""
        last = self.shard.client.hget(keys.wallet(SHARD, self.shard.epoch, self.user_id), "seq")
        return self.shard.lookup(int(last or 0), **bets)

    def tombstone(self, **fields: Any) -> Step:
        """Cancel bets that were never placed."""
        return self.cancel(self.unseen(), **fields).ok()

    def settled(self, stake: int = 3_000, winloss: int = 2_850, **fields: Any) -> Player:
        """With bet 1 placed and settled."""
        self.bet(b1=stake, **fields).ok()
        self.result(b1=(stake, winloss), **fields).ok()
        return self

    def indebted(self, debt: int = 500, balance: int = 0) -> Player:
        """Opened and owing: a win of `debt` was taken out, then taken back. Its round is G0."""
        self.opened(0)
        self.bet(b1=0, game_no="G0").ok()
        self.result(b1=(0, debt), game_no="G0").ok()
        self.withdraw(debt).ok()
        self.change(b1=(0, debt, 0), game_no="G0").ok()
        if balance:
            self.deposit(balance).ok()
        return self


def _items(fields: Mapping[str, Any]) -> dict[str, Any]:
    items, rest = [], dict[str, Any]()
    for name, value in fields.items():
        if not (name[0] == "b" and name[1:].isdigit()):
            rest[name] = value
            continue
        amount, *others = value if isinstance(value, tuple) else (value,)
        before, after = (others[0], others[1]) if len(others) == 2 else (0, others[0] if others else 0)
        items.append(Item(name[1:], "player", amount, after, before))
    return {**rest, "items": tuple(items)} if items else rest
