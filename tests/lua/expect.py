"""What one run must have answered and left. Each method compares the reply, every key and every time to live."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from seamless_wallet.engine import keys
from seamless_wallet.ledger.records import LedgerLookup
from seamless_wallet.money import AMOUNT_MAX
from tests.lua.state import Dump, Kept, assert_same, text

if TYPE_CHECKING:
    from seamless_wallet.wallet.prepared_event import PreparedEvent
    from tests.lua.driver import Shard


class Run(NamedTuple):
    """The reply of a script and the server around it."""

    reply: list[str]
    before: Dump
    after: Dump

    def changed_nothing(self) -> None:
        assert_same(self.after, self.before)


class Step:
    """One event, executed."""

    def __init__(self, shard: Shard, event: PreparedEvent, token: str, run: Run) -> None:
        self.shard = shard
        self.event = event
        self.token = token
        self.reply, self.before, self.after = self.run = run
        self.epoch, self.period, self.window_ms = shard.epoch, shard.period, shard.window_ms
        self.head, self.wallet, self.events, _, self.stream, *rest = event.keys(self.epoch, self.period)
        self.round = rest[0] if rest else None

    def again(self) -> Step:
        """The same event once more."""
        return self.shard.send(self.event)

    def asked_again(self) -> Step:
        """The same event, after a look into an SQL that knows no more than Redis does."""
        return self.shard.send(self.event, LedgerLookup(self.epoch, AMOUNT_MAX, None, None, {}))

    def ok(self) -> Step:
        """For the scene of a test: it was R0."""
        assert self.reply[:2] == ["DONE", "R0"], self.reply
        return self

    def _hash(self, name: str) -> dict[str, str]:
        kept = self.before.get(name)
        return dict(kept.value) if kept else {}

    def done(
        self,
        reason: str,
        *,
        balance: int,
        debt: int = 0,
        effects: str = "",
        round_: dict[str, str] | None = None,
        wallet: dict[str, str] | None = None,
    ) -> Step:
        """R0 with its entry. `round_`: all bets of the round, if the entry wrote any; `wallet`: its further fields."""
        head, old = self._hash(self.head), self._hash(self.wallet)
        seq, version = str(int(head["seq"]) + 1), str(int(old.get("version", 0)) + 1)
        fields = {"version": version, "seq": seq, "balance": str(balance), "debt": str(debt)}
        new = {**old, **fields, **(wallet or {})}
        assert self.reply == ["DONE", "R0", reason, new["currency"], str(balance), str(debt), seq, head["committed"]]
        moved = f"{balance - int(old.get('balance', 0))} {debt - int(old.get('debt', 0))}"
        entry = {
            "u": text(self.event.command.user_id.encode()),
            "p": text(self.event.command.provider.encode()),
            "e": text(self.event.payload),
            "d": f"{version} {balance} {debt} {moved} {effects}",
            "t": self.token,
            "b": head["last"],
        }
        expected = dict(self.before)
        expected[self.head] = Kept({**head, "seq": seq, "last": self.token}, None)
        expected[self.wallet] = Kept(new, None)
        expected[self.stream] = Kept([*self.before[self.stream].value, (f"{self.epoch}-{seq}", entry)], None)
        expected[self.events] = self._recorded("R0" + seq)
        if round_ is not None:
            assert self.round is not None
            opened = sum(bet.startswith("O") for bet in round_.values())
            expected[self.round] = Kept({**round_, "": str(opened)}, None if opened else self.window_ms)
        assert_same(self.after, expected)
        return self

    def _recorded(self, outcome: str) -> Kept:
        record = {text(self.event.digest): text(self.event.fingerprint) + outcome}
        return Kept({**self._hash(self.events), **record}, 2 * self.window_ms)

    def _verdict(self, outcome: str, code: str, reason: str, rests_on: str) -> None:
        wallet, head = self._hash(self.wallet), self._hash(self.head)
        money = [wallet["currency"], wallet["balance"], wallet["debt"]]
        assert self.reply == [outcome, code, reason, *money, rests_on, head["committed"]]

    def declined(self, code: str, reason: str, *, stored: bool = False) -> Step:
        """Not R0. Nothing changed but, if `stored`, that the event is known as declined.

        If SQL was not asked it is now, as the service does: before a decline the script wants to know what it knows.
        """
        if self.reply == ["COLD", self._hash(self.wallet)["seq"]]:
            self.run.changed_nothing()
            return self.asked_again().declined(code, reason, stored=stored)
        self._verdict("DECLINED", code, reason, self._hash(self.wallet)["seq"])
        expected = dict(self.before)
        if stored:
            expected[self.events] = self._recorded(code)
        assert_same(self.after, expected)
        return self

    def duplicate(self, code: str) -> Step:
        """The stored answer, the balance of today, which rests on the wallet's last entry."""
        self._verdict("DUP", code, "duplicate", self._hash(self.wallet)["seq"])
        self.run.changed_nothing()
        return self

    def conflict(self) -> Step:
        """The same identity, but not what it said before."""
        self._verdict("CONFLICT", "R3", "conflict", self._hash(self.wallet)["seq"])
        self.run.changed_nothing()
        return self

    def busy(self) -> Step:
        """Too much waits for the writer."""
        self._verdict("BUSY", "R1", "backlog", "0")
        self.run.changed_nothing()
        return self

    def answered(self, *words: str | int) -> Step:
        """A short reply, and nothing changed."""
        assert self.reply == [str(word) for word in words]
        self.run.changed_nothing()
        return self


def sessions(login_ms: int, renewed_ms: int, closed_ms: int = 0, provider: str = "dowinn") -> dict[str, str]:
    """The field of the wallet that holds a session."""
    return {f"s:{provider}": f"{login_ms} {renewed_ms} {closed_ms}"}


def seq_of(shard: Shard) -> int:
    """The last seq of the shard."""
    value = shard.client.hget(keys.head(3), "seq")
    return int(value or 0)
