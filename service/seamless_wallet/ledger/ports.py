"""What the wallet and the writer need of a ledger, and how it fails. One suite of tests holds every store to it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from seamless_wallet.commands import Command
from seamless_wallet.errors import WalletError
from seamless_wallet.exit_status import EXIT_CONFIG
from seamless_wallet.ledger.entry import Entry
from seamless_wallet.ledger.fold import Wallet
from seamless_wallet.ledger.records import (
    EntriesQuery,
    FoundEvents,
    LeaseState,
    LedgerLookup,
    PlayedRound,
    PlayersQuery,
    ShardHead,
    WalletSnapshot,
)


class StoreError(WalletError, OSError):
    """The database is away, damaged, or not the one that the settings describe. One line that says what to do.

    After a `commit` that raised it the outcome is unknown: send the same entries again.
    """

    exit_status = EXIT_CONFIG


class LeaseHeld(StoreError):
    """Another process is this ledger's writer."""


class LedgerReader(Protocol):
    """The read side. Each call is one snapshot. Raises StoreError when the database is away."""

    async def heads(self) -> Sequence[ShardHead]:
        """The heads of all shards, by shard number."""

    async def load(self, shard: int, user_id: str, since_ms: int) -> WalletSnapshot:
        """A wallet with its open bets, and every event and bet touched since `since_ms`, if that is bounded."""

    async def lookup(self, shard: int, command: Command, digest: bytes) -> LedgerLookup:
        """One event, and what is known of the bets that it names."""

    async def find_events(self, events: Sequence[tuple[str, bytes]]) -> FoundEvents:
        """Which of these events, each a user_id and a digest, are committed."""

    async def wallet(self, user_id: str) -> Wallet | None:
        """The committed state of a player."""

    async def entries(self, user_id: str, before_seq: int | None, limit: int) -> Sequence[Entry]:
        """A player's entries, newest first, those older than `before_seq` if given."""

    async def voids(self, shard: int, from_seq: int) -> Collection[int]:
        """The seqs of a shard's void entries from `from_seq` on."""

    async def trial_balance(self) -> Mapping[str, Mapping[str, int]]:
        """Currency → account kind (`player`, `debt`, `house:<provider>`, `cash`) → sum in minor units, from entries."""

    async def registered_scripts(self) -> Mapping[str, str]:
        """SHA → text of every script that some process has registered."""

    async def has_named(self, nonce: str) -> bool:
        """Whether this was ever the nonce of a writer of this ledger."""


class LedgerHistory(Protocol):
    """Questions about the past, for people. None walks the ledger. Raises StoreError when the database is away."""

    async def history(self, user_id: str, query: EntriesQuery) -> Sequence[Entry]:
        """A player's entries of a time, newest first."""

    async def entry_at(self, user_id: str, at_ms: int) -> Entry | None:
        """The newest entry of a player that was received by then: balance and debt as of that time."""

    async def event(self, provider: str, user_id: str, transaction_id: str) -> Entry | None:
        """The entry of an event."""

    async def rounds(self, user_id: str, before_seq: int | None, limit: int) -> Sequence[PlayedRound]:
        """A player's rounds by their first bet, newest first, those before a seq if given."""

    async def open_rounds(self, user_id: str, limit: int) -> Sequence[PlayedRound]:
        """A player's rounds with open bets, newest first, with no other bets. Of so many bets at most."""

    async def players(self, query: PlayersQuery) -> Sequence[Wallet]:
        """Players by user_id."""


class LedgerStore(LedgerReader, Protocol):
    """The whole ledger. Only a shard's present writer calls `commit` and `open_epoch` for it.

    A writer is known by its nonce, a random text that is used once. It is named here before it stands in Redis. So who
    meets a nonce in Redis can ask whether it is of this ledger.
    """

    async def take_over(self, nonce: str, shards: Collection[int], now_ms: int) -> None:
        """Name a nonce, for ever, and make it that of these shards' writer. Needs the right to write them.

        From now on this object commits and opens epochs under it, and no other writer of these shards can. Where shards
        are leased, these leases have to be its own: else it raises LeaseHeld. Draw a new one whenever that may have
        changed: after a failure of this call, a loss of the right, or a promotion of another database server. Raises
        StoreError, also for a nonce that was named before.
        """

    async def commit(self, batches: Sequence[Sequence[Entry]]) -> None:
        """Commit entries of several shards, each batch gapless in seq order, in one transaction.

        Each entry names the one before it by its token, and the first one that which was committed last. Rows that are
        committed already are recognised and skipped. An entry that is marked as void is kept, and moves nothing. Raises
        EntriesRefused, LedgerConflict, EpochMoved or Displaced, and then nothing was committed.
        """

    async def open_epoch(
        self, shard: int, expected: int, epoch: int, run_id: str, replid: str, token: str
    ) -> int | None:
        """Compare-and-swap the epoch of a shard; None if it is not `expected` any more. Raises Displaced.

        Returns the seq after which the epoch begins. The first entry of it will follow `token`.
        """

    async def register_scripts(self, scripts: Mapping[str, str], now_ms: int) -> None:
        """Make these scripts (SHA → text) part of what every Redis of this ledger must hold.

        `now_ms` is kept beside each, for people who ask since when.
        """


class ShardLeases(Protocol):
    """Which writer may take which shards, where several share a ledger. One store object is one writer.

    A lease ends by the ledger's own clock, `length_ms` after it was taken or renewed, and no clock of a writer counts.
    It only says who may take a shard over: what keeps a writer from committing that has lost its lease is the nonce,
    which changes with the holder in one statement. A writer goes like this:

        take_over(nonce, (), now_ms)          its nonce is named; it writes no shard yet
        renew_leases(length_ms)               it is counted among the writers, and told what is free
        take_leases({3, 4}, length_ms)        what of that it got is written under its nonce from now on
        renew_leases(length_ms)               after each whole cycle, which has been in Redis and in SQL
        take_over(other, held, now_ms)        draws a new nonce for what it holds: the leases stay
        release_leases({4})                   another one may take it at once
        leave()                               the same for all, and it is counted no more

    Each raises StoreError when the database is away: then nothing is known to be held. A store that only one process
    can write gives all shards to the first that asks.
    """

    async def renew_leases(self, length_ms: int) -> LeaseState:
        """Hold for so long what this writer holds, also what has expired and nobody took. Tells who has what."""

    async def take_leases(self, shards: Collection[int], length_ms: int) -> Collection[int]:
        """Take those of these shards that are free, and write them under this writer's nonce. Returns what it got.

        Free is also a lease that ends further ahead than `length_ms`: the clock was wrong when it was given.
        """

    async def release_leases(self, shards: Collection[int]) -> None:
        """Let others have these shards at once. What is no more this writer's stays as it is."""

    async def leave(self) -> None:
        """Release all, and be no more counted among the writers."""
