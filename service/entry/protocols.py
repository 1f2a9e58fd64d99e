"""What the wallet and the writer need of a ledger, a Redis and a clock. One conformance suite tests every store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Protocol

import msgspec

from service.commands import Command
from service.entry.bets import Bet
from service.entry.fold import Wallet
from service.entry.ledger import Entry


class ShardHead(msgspec.Struct, frozen=True):
    """Where a shard stands in SQL, and on which Redis server its epoch runs."""

    epoch: int
    seq: int
    run_id: str
    replid: str


class EventRecord(msgspec.Struct, frozen=True):
    """A committed event: what it said, and where its entry is."""

    digest: bytes
    fingerprint: bytes
    seq: int


class Snapshot(msgspec.Struct, frozen=True):
    """All that Redis must know of a wallet, as of (epoch, seq) of its shard; `wallet` None: no such player."""

    epoch: int
    seq: int
    wallet: Wallet | None
    rounds: Mapping[bytes, Mapping[str, Bet]]
    events: Sequence[EventRecord]


class Lookup(msgspec.Struct, frozen=True):
    """What SQL knows of one event and its round, as of (epoch, seq) of its shard."""

    epoch: int
    seq: int
    wallet: Wallet | None
    record: EventRecord | None
    bets: Mapping[str, Bet]


class Found(msgspec.Struct, frozen=True):
    """Which of the digests asked for are committed, with the heads of the same snapshot."""

    heads: Sequence[ShardHead]
    events: Mapping[bytes, EventRecord]


class Cause(StrEnum):
    """Why a shard gets a new epoch."""

    HEAD = "head"  # Redis has no head, or one of another epoch
    SERVER = "server"  # another Redis server than the one recorded
    NOSCRIPT = "noscript"  # a registered script is gone
    FORK = "fork"  # Redis and SQL tell different stories of one seq
    GAP = "gap"  # entries are missing between SQL and the stream
    REUSED = "reused"  # an identity came back that SQL has already
    UNSTORABLE = "unstorable"  # an entry that cannot be read


class LedgerConflict(Exception):
    """A shard's entries cannot be committed as they are: nothing of the transaction was."""

    def __init__(self, cause: Cause, shard: int, seq: int, detail: str) -> None:
        super().__init__(f"shard {shard}, entry {seq}: {detail}")
        self.cause = cause
        self.shard = shard
        self.seq = seq


class EpochMoved(Exception):
    """Another writer has opened a newer epoch: this one has nothing to say any more."""


class LedgerReader(Protocol):
    """The read side. Each call is one snapshot. Raises OSError-like store errors when the database is away."""

    async def heads(self) -> Sequence[ShardHead]:
        """The heads of all shards, by shard number."""

    async def load(self, shard: int, user_id: str, since_ms: int) -> Snapshot:
        """A wallet with its open rounds, and every event and round touched since `since_ms`."""

    async def lookup(self, shard: int, command: Command, digest: bytes, round_digest: bytes | None) -> Lookup:
        """One event and, folded, all bets of its round."""

    async def find_events(self, digests: Sequence[bytes]) -> Found:
        """Which of these events are committed."""

    async def wallet(self, user_id: str) -> Wallet | None:
        """The committed state of a player."""

    async def entries(self, user_id: str, before_seq: int | None, limit: int) -> Sequence[Entry]:
        """A player's entries, newest first, those older than `before_seq` if given."""

    async def trial_balance(self) -> Mapping[str, Mapping[str, int]]:
        """Currency → account kind (`player`, `debt`, `house:<provider>`, `cash`) → sum in minor units, from entries."""

    async def registered_scripts(self) -> Mapping[str, str]:
        """SHA → text of every script that some process has registered."""


class LedgerStore(LedgerReader, Protocol):
    """The whole ledger. Only the lease-holder calls `commit` and `open_epoch`."""

    async def commit(self, batches: Sequence[Sequence[Entry]]) -> None:
        """Commit entries of several shards, each batch gapless in seq order, in one transaction.

        Rows that are committed already are recognised and skipped. Raises LedgerConflict or EpochMoved, and then
        nothing was committed.
        """

    async def open_epoch(self, shard: int, expected: int, epoch: int, run_id: str, replid: str) -> bool:
        """Compare-and-swap the epoch of a shard; False if it is not `expected` any more."""

    async def register_scripts(self, scripts: Mapping[str, str]) -> None:
        """Make these scripts (SHA → text) part of what every Redis of this ledger must hold."""


class Executor(Protocol):
    """Runs one command on Redis. Raises `LaneError` when the outcome is unknown or nothing was sent."""

    async def execute(self, *args: bytes | str | int) -> Any:
        """The reply of the server, bytes undecoded."""


class Clock(Protocol):
    """Time, injected."""

    def now_ms(self) -> int:
        """Epoch milliseconds."""

    def monotonic_s(self) -> float:
        """Seconds of a clock that never goes back."""
