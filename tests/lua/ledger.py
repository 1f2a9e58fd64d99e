"""A ledger in memory: what SQL would know of a shard, by folding the entries of its stream."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from seamless_wallet.commands import BET_KINDS
from seamless_wallet.engine import keys
from seamless_wallet.engine.replies import Verdict, parse_verdict
from seamless_wallet.ledger.bets import Bet, BetState
from seamless_wallet.ledger.entry import Entry
from seamless_wallet.ledger.fold import Wallet, fold_round, fold_wallet, net_effect
from seamless_wallet.ledger.records import EventRecord, LedgerLookup, WalletSnapshot
from seamless_wallet.wallet.loader import Loader, wallet_fields
from seamless_wallet.wallet.prepared_event import PreparedEvent
from tests.lua.driver import SHARD, Shard


class Ledger:
    """Reads the stream of a shard and holds Redis to it."""

    def __init__(self, shard: Shard) -> None:
        self.shard = shard
        self.seq = 0
        self.token = f"gate.{shard.epoch}"
        self.wallets: dict[str, Wallet] = {}
        self.rounds: defaultdict[bytes, dict[str, Bet]] = defaultdict(dict)
        self.owners: dict[bytes, str] = {}
        self.events: defaultdict[str, list[EventRecord]] = defaultdict(list)
        self.gone: defaultdict[bytes, set[str]] = defaultdict(set)
        """Bets of a round that have left Redis, and that nothing has written since."""
        self.leaving: set[bytes] = set()
        """Rounds that go after a while unless something is written to them."""
        self.left: set[str] = set()
        """Players whose wallets have left Redis."""

    def read(self) -> list[Entry]:
        """Fold what is new. Raises if an entry does not follow from those before it."""
        new = self.shard.entries(self.seq)
        for entry in new:
            assert entry.seq == self.seq + 1, "a hole in the stream"
            assert entry.before == self.token, "an entry that follows another one"
            self.token = entry.token
            self._fold(entry)
        return new

    def _fold(self, entry: Entry) -> None:
        user, decision = entry.command.user_id, entry.decision
        self.seq = entry.seq
        self.wallets[user] = fold_wallet(self.wallets.get(user), entry)
        self.events[user].append(EventRecord(entry.event_digest, entry.fingerprint, entry.seq))
        assert sum(leg.amount for leg in entry.legs()) == 0
        assert net_effect(entry) == decision.balance_delta - decision.debt_delta
        assert decision.balance >= 0
        assert decision.debt >= 0
        if entry.command.kind in BET_KINDS:
            digest = entry.round_digest
            assert digest is not None
            fold_round(self.rounds[digest], entry)
            self.owners[digest] = user
            effects = zip(entry.command.items, decision.effects, strict=True)
            self.gone[digest] -= {item.bet_index for item, effect in effects if effect != "-"}

    def agrees_about(self, event: PreparedEvent) -> None:
        """The event's wallet and round in Redis are what the entries say, to the letter."""
        epoch, user = self.shard.epoch, event.command.user_id
        wallet = {name: str(value) for name, value in wallet_fields(self.wallets[user])}
        assert _hash(self.shard, keys.wallet(SHARD, epoch, user)) == ({} if user in self.left else wallet)
        if event.round_digest is not None:
            gone = self.gone[event.round_digest]
            bets = {index: bet for index, bet in self.rounds[event.round_digest].items() if index not in gone}
            texts = {index: bet.text() for index, bet in bets.items()}
            if texts:
                texts[""] = str(sum(bet.state is BetState.OPEN for bet in bets.values()))
            assert _hash(self.shard, keys.round_(SHARD, epoch, event.round_digest)) == texts

    def decide(self, event: PreparedEvent) -> Verdict:
        """Execute an event as the wallet does, asking SQL when Redis asks. Light: without the driver's proofs."""
        shard, lookup = self.shard, None
        if event.round_digest and self.gone[event.round_digest]:
            lookup = self._lookup(event)  # what has left Redis is older than the window, and asked of SQL first
        while True:
            argv = shard.arguments(event, lookup)
            command = event.script.command(event.keys(shard.epoch, shard.period), argv)
            reply: list[Any] = shard.client.execute_command(*command)
            if reply[0] == b"MISS":
                self.load(event.command.user_id)
            elif reply[0] == b"COLD":
                assert lookup is None, "asked twice"
                lookup = self._lookup(event)
            else:
                return parse_verdict(reply)

    def _lookup(self, event: PreparedEvent) -> LedgerLookup:
        bets = dict(self.rounds[event.round_digest]) if event.round_digest else {}
        return LedgerLookup(self.shard.epoch, self.seq, None, None, bets)

    def load(self, user: str) -> None:
        """Bring a player's wallet into Redis, all rounds and events with it."""
        for command in self.installation(user):
            reply: list[bytes] = self.shard.client.execute_command(*command)
            assert reply == [b"OK"], reply
        self.loaded(user)

    def loaded(self, user: str) -> None:
        """Redis has all of a player again."""
        self.left.discard(user)
        for digest in [digest for digest, owner in self.owners.items() if owner == user]:
            self.gone.pop(digest, None)
            self.leaving.discard(digest)

    def reload(self) -> None:
        """A new epoch, into which every player is brought from the entries."""
        self.shard.open(self.shard.epoch + 1, self.seq)
        self.token = f"gate.{self.shard.epoch}"
        for user in self.wallets:
            self.load(user)

    def installation(self, user: str) -> Iterator[tuple[Any, ...]]:
        """The commands by which the wallet brings a player into the shard's epoch: all rounds, all events."""
        shard = self.shard
        rounds = {digest: bets for digest, bets in self.rounds.items() if bets and self.owners[digest] == user}
        snapshot = WalletSnapshot(shard.epoch, self.seq, self.wallets[user], rounds, self.events[user])
        unused: Any = None
        shards: Any = SimpleNamespace(period=lambda _: shard.period)
        loader = Loader(unused, unused, shards, unused, shard.window_ms)
        return loader._installation(SHARD, snapshot, self.wallets[user])


def _hash(shard: Shard, name: str) -> dict[str, str]:
    raw: Any = shard.client.hgetall(name)
    return {field.decode(): value.decode() for field, value in raw.items()}
