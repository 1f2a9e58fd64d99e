"""The scripts alone, on a real Valkey, with a ledger in memory that reads their stream: no waiting for commits."""

from __future__ import annotations

import redis

from seamless_wallet.commands import Answer, Code, Command, Policy
from seamless_wallet.engine import keys
from seamless_wallet.ledger.bets import Bet, parse_bet
from seamless_wallet.ledger.entry import Entry
from seamless_wallet.ledger.fold import Wallet
from seamless_wallet.wallet.prepared_event import PreparedEvent
from tests.lua.driver import SHARD, Shard
from tests.lua.ledger import Ledger
from tests.model.idleness import Idleness
from tests.model.model import Player
from tests.model.stage import Stage


class LuaStage(Stage):
    """One shard. Its hot window never ends, as there is no SQL to ask for what Redis forgot."""

    name = "scripts"
    disasters = ("reload", "period", "idle", "idle")

    def __init__(self, client: redis.Redis, keep_as: str = "") -> None:
        super().__init__(keep_as)
        client.flushall()
        self._client = client
        self._shard = Shard(client)
        self._shard.window_ms = 1000 * 86_400_000
        self._shard.open()
        self._ledger = Ledger(self._shard)
        self._last: dict[str, Entry] = {}
        self._loaded_in = self._shard.period
        self._idleness = Idleness(self._shard, self._ledger)

    def now_ms(self) -> int:
        return self._shard.now_ms

    def window_ms(self) -> int:
        return self._shard.window_ms

    def epoch(self, command: Command) -> int:
        return self._shard.epoch

    def ask(self, command: Command, policy: Policy, worker: int) -> tuple[Answer, int]:
        """As the service does, which asks SQL first whether a player is there."""
        known = self._ledger.wallets.get(command.user_id)
        if (known is None) is not (command.kind == "create"):
            if known is None:
                return Answer(Code.R3, "unknown_player"), 1
            return Answer(Code.R0, "exists", known.balance, known.debt, known.currency), 1
        verdict = self._ledger.decide(PreparedEvent(command, policy, SHARD))
        for entry in self._ledger.read():
            self._last[command.user_id] = entry
            self._idleness.written(entry)
        return Answer(Code(verdict.code), verdict.reason, verdict.balance, verdict.debt, verdict.currency), 1

    def wallet(self, user_id: str) -> Wallet | None:
        return self._ledger.wallets.get(user_id)

    def last_entry(self, user_id: str) -> Entry | None:
        return self._last.get(user_id)

    def bets(self, command: Command) -> dict[str, Bet]:
        """From Redis, and those that have left it from the fold: `agrees_about` compares the two."""
        digest = PreparedEvent(command, Policy(), SHARD).round_digest
        assert digest is not None
        there = self._client.hgetall(keys.round_(SHARD, self._shard.epoch, digest))
        bets = {index.decode(): parse_bet(text.decode()) for index, text in there.items() if index}  # type: ignore[union-attr]
        return bets | {index: self._ledger.rounds[digest][index] for index in self._ledger.gone[digest]}

    def compare_more(self, command: Command, after: Player) -> None:
        event = PreparedEvent(command, Policy(), SHARD)
        self._ledger.agrees_about(event)
        self._idleness.agrees_about(event)
        assert sum(self.books.values()) == 0
        mine = [wallet for wallet in self._ledger.wallets.values() if wallet.currency == after.currency]
        assert self.books[after.currency, "player"] == sum(wallet.balance for wallet in mine)
        assert self.books[after.currency, "debt"] == -sum(wallet.debt for wallet in mine)

    def wait(self, ms: int) -> None:
        self._shard.wait(ms)

    def disaster(self, what: str) -> None:
        """`reload`: whatever happens to Redis comes to this for the scripts, all is loaded anew. `period`: one ends.

        `idle`: wallets and rounds that were not written to for a while leave Redis.
        """
        match what:
            case "idle":
                self._idleness.sweep()
            case "period" if self._shard.period == self._loaded_in:  # two would forget what only SQL remembers
                self._shard.end_period()
            case "period":
                pass
            case _:
                self._ledger.reload()
                self._idleness.reloaded()
                self._loaded_in = self._shard.period
