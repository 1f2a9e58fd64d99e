"""The writer's sweep for idle wallets and rounds, step by step, each held to what the law says of it.

Between two sweeps the first one's loads are under way: they read SQL then, and reach Redis after the second.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from seamless_wallet.engine import keys
from seamless_wallet.engine.arguments import (
    ConfirmArgs,
    ConfirmItem,
    EvictArgs,
    EvictIdleArgs,
    ExpireRoundArgs,
    SuspendArgs,
)
from seamless_wallet.engine.scripts import load_scripts
from seamless_wallet.ledger.bets import BetState
from seamless_wallet.ledger.entry import Entry
from seamless_wallet.wallet.prepared_event import PreparedEvent
from tests.lua.driver import CHANNEL, NONCE, SHARD, Shard
from tests.lua.ledger import Ledger

LATER_MS = 3_600_000
OTHER_NONCE = "b2"
SUSPENDED = "suspended"
"""A player of whom SQL has refused an entry."""


class Load(NamedTuple):
    """One that has read SQL and not reached Redis yet."""

    user: str
    epoch: int
    period: int
    seq: int
    commands: list[tuple[Any, ...]]


class Idleness:
    """What has left a shard, or is going to."""

    def __init__(self, shard: Shard, ledger: Ledger) -> None:
        self._shard = shard
        self._ledger = ledger
        self._committed = 0
        self._idle_seq = 0
        self._evicted = 0
        self._sweeps = 0
        self._loads: list[Load] = []

    def reloaded(self) -> None:
        """A new epoch: nothing of this is in Redis, and SQL has all."""
        self._committed = self._ledger.seq
        self._evicted = 0

    def written(self, entry: Entry) -> None:
        """An entry is there: its round stays, if it wrote to it."""
        digest = entry.round_digest
        if digest is not None and set(entry.decision.effects) - {"-"}:
            self._ledger.leaving.discard(digest)

    def agrees_about(self, event: PreparedEvent) -> None:
        """The round of an event lives for ever just if it has open bets and is not leaving."""
        digest = event.round_digest
        if digest is None or not self._there(digest):
            return
        ttl_ms: Any = self._shard.client.pttl(keys.round_(SHARD, self._shard.epoch, digest))
        stays = self._open(digest) and digest not in self._ledger.leaving
        assert ttl_ms == -1 if stays else ttl_ms > 0, f"a round lives for {ttl_ms} ms"

    def sweep(self) -> None:
        """In turn: what is committed goes at once, or what was there at the sweep before."""
        self._sweeps += 1
        if self._sweeps % 2:
            self._confirm()
        self._fenced()
        self._suspended()
        self._begin_loads()
        for user in sorted(self._ledger.wallets, key=lambda user: -self._ledger.wallets[user].seq):
            self._evict(user)
        self._finish_loads()
        self._expire_rounds()
        self._idle_seq = self._ledger.seq
        self._begin_loads()

    def _run(self, name: str, names: tuple[str, ...], args: tuple[Any, ...]) -> list[str]:
        script = load_scripts()[name]
        reply: Any = self._shard.client.execute_command(*script.command(names, args))
        return [word.decode() for word in (reply[0] if script.contract.for_each else reply)]

    def _names(self, user: str) -> tuple[str, str]:
        return keys.head(SHARD), keys.wallet(SHARD, self._shard.epoch, user)

    def _confirm(self) -> None:
        self._committed, shard = self._ledger.seq, self._shard
        args = ConfirmArgs(10**6, shard.window_ms, NONCE, CHANNEL)
        item = ConfirmItem(SHARD, shard.epoch, self._committed, "")
        self._run("confirm", (keys.head(SHARD), keys.stream(SHARD, shard.epoch)), (*args, *item))

    def _fenced(self) -> None:
        """A writer that lost the shard, and one that does not know its epoch, let nothing go."""
        epoch = self._shard.epoch
        round_ = keys.round_(SHARD, epoch, next(iter(self._ledger.rounds), bytes(16)))
        for other, nonce in ((epoch, OTHER_NONCE), (epoch + 1, NONCE)):
            for user in self._ledger.wallets:
                reply = self._run("evict_idle", self._names(user), EvictIdleArgs(other, nonce, self._ledger.seq))
                assert reply == ["FENCED", str(epoch)]
            reply = self._run("expire_round", (keys.head(SHARD), round_), ExpireRoundArgs(other, nonce, LATER_MS))
            assert reply == ["FENCED", str(epoch)]

    def _suspended(self) -> None:
        """A suspended wallet waits for its own eviction."""
        epoch, names = self._shard.epoch, self._names(SUSPENDED)
        assert self._run("suspend", names, SuspendArgs(epoch, NONCE, "", b"", 0))[0] == "OK"
        self._shard.client.hset(names[1], "seq", "0")
        assert self._run("evict_idle", names, EvictIdleArgs(epoch, NONCE, self._ledger.seq)) == ["KEPT"]
        events = (keys.events(SHARD, epoch, SUSPENDED, 0), keys.events(SHARD, epoch, SUSPENDED, 1))
        assert self._run("evict", (*names, *events), EvictArgs(epoch, NONCE, 0)) == ["OK"]

    def _evict(self, user: str) -> None:
        last = self._ledger.wallets[user].seq
        idle_seq = self._idle_seq if self._sweeps % 3 == 0 else self._ledger.seq
        goes = user not in self._ledger.left and last <= min(idle_seq, self._committed)
        reply = self._run("evict_idle", self._names(user), EvictIdleArgs(self._shard.epoch, NONCE, idle_seq))
        assert reply == ["OK" if goes else "KEPT"], f"{user}: {reply}"
        if goes:
            self._ledger.left.add(user)
            self._evicted = max(self._evicted, last)

    def _begin_loads(self) -> None:
        """They read SQL as it was right after each wallet's last entry: the oldest snapshot that is still true."""
        seq = self._ledger.seq
        for user, wallet in self._ledger.wallets.items():
            if wallet.seq <= self._committed:
                self._ledger.seq = wallet.seq
                commands = list(self._ledger.installation(user))
                self._loads.append(Load(user, self._shard.epoch, self._shard.period, wallet.seq, commands))
        self._ledger.seq = seq

    def _finish_loads(self) -> None:
        """Those of this sweep and of the one before: each is refused, or brings back what is true now."""
        loads, self._loads = self._loads, []
        for load in loads:
            expected = "OK"
            if (load.epoch, load.period) != (self._shard.epoch, self._shard.period):
                expected = "FENCED"
            elif load.seq < self._evicted:
                expected = "OUTDATED"
            elif load.user not in self._ledger.left:
                expected = "EXISTS"
            for command in load.commands:
                reply: list[bytes] = self._shard.client.execute_command(*command)
                assert reply[0] == expected.encode(), f"a load of {load.user}: {reply}, where {expected} is due"
            if expected == "OK":
                self._ledger.loaded(load.user)

    def _expire_rounds(self) -> None:
        """Every other round goes at once, the rest later."""
        for number, digest in enumerate(self._ledger.rounds):
            is_open = self._open(digest)
            if not is_open and number % 7:  # there are many
                continue
            goes = bool(is_open and digest not in self._ledger.leaving)
            name, at_once = keys.round_(SHARD, self._shard.epoch, digest), (number + self._sweeps) % 2
            args = ExpireRoundArgs(self._shard.epoch, NONCE, 1 if at_once else LATER_MS)
            reply = self._run("expire_round", (keys.head(SHARD), name), args)
            assert reply == ["OK" if goes else "KEPT"], f"round {number}: {reply}"
            if goes and at_once:
                self._ledger.gone[digest] |= set(self._there(digest))
            elif goes:
                self._ledger.leaving.add(digest)
        time.sleep(0.003)

    def _there(self, digest: bytes) -> list[str]:
        """Bets of a round that Redis has."""
        return [index for index in self._ledger.rounds[digest] if index not in self._ledger.gone[digest]]

    def _open(self, digest: bytes) -> list[str]:
        """Those of them that are open."""
        bets = self._ledger.rounds[digest]
        return [index for index in self._there(digest) if bets[index].state is BetState.OPEN]
