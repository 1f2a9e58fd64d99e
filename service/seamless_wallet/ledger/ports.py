"""What the wallet and the writer need of a ledger, and how it fails. One suite of tests holds every store to it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from seamless_wallet.commands import Command
from seamless_wallet.errors import WalletError
from seamless_wallet.exit_status import EXIT_CONFIG, EXIT_FAILURE, EXIT_TEMPFAIL
from seamless_wallet.ledger.entry import Entry
from seamless_wallet.ledger.fold import Wallet
from seamless_wallet.ledger.records import (
    ArchivedMonth,
    EntriesQuery,
    FoundEvents,
    LeaseTable,
    LedgerLookup,
    LeftOpenQuery,
    LeftOpenRound,
    OpenBets,
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


class StoreAway(StoreError):
    """The database does not answer now: it is busy, or its disk is full or fails. It may answer later."""

    exit_status = EXIT_TEMPFAIL


class Archived(StoreError):
    """What is asked for was in the ledger, and is in an archive now. One line that says in which."""

    exit_status = EXIT_FAILURE


class LeaseHeld(StoreError):
    """Another process is this ledger's writer."""

    exit_status = EXIT_TEMPFAIL


class WriterOutdated(StoreError):
    """The database server is not the one that named this writer, or was started anew: it has to be named again."""


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

    async def wallets(self, user_ids: Collection[str]) -> Mapping[str, Wallet]:
        """The committed states of those of these players that there are, by user_id."""

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
        """The newest entry of a player that was received by then: balance and debt as of that time. Raises Archived."""

    async def event(self, provider: str, user_id: str, transaction_id: str) -> Entry | None:
        """The entry of an event. Raises Archived."""

    async def rounds(self, user_id: str, before_seq: int | None, limit: int) -> Sequence[PlayedRound]:
        """A player's rounds by their first bet, newest first, those before a seq if given."""

    async def open_rounds(self, user_id: str, limit: int) -> Sequence[PlayedRound]:
        """A player's rounds with open bets, newest first, with no other bets. Of so many bets at most."""

    async def left_open(self, query: LeftOpenQuery) -> Sequence[LeftOpenRound]:
        """Rounds of all players with bets that are open, those that were placed first in front.

        Raises ValueError for a place that is none of this store's.
        """

    async def open_bets(self) -> OpenBets:
        """How many bets are open now."""

    async def players(self, query: PlayersQuery) -> Sequence[Wallet]:
        """Players by user_id."""

    async def archives(self, user_id: str) -> Sequence[ArchivedMonth]:
        """The archived months that may have entries of a player, oldest first."""


class LedgerStore(LedgerReader, Protocol):
    """The whole ledger. Only a shard's present writer calls `commit` and `open_epoch` for it.

    A writer is known by its nonce, a random text that is used once. It is named here before it stands in Redis. So who
    meets a nonce in Redis can ask whether it is of this ledger.

    Several writers share the shards by leases. A lease says who may take a shard, and when; who may write it says only
    the nonce in its head. A writer whose lease has expired writes on until another one has taken the shard.
    """

    async def take_over(self, nonce: str, shards: Collection[int], now_ms: int) -> None:
        """Name a nonce, for ever, and make it that of these shards' writer. Needs the right to write them.

        From now on this object commits, opens epochs and renews leases under it. After a failure of this call draw
        another one. Raises StoreError, also for a nonce that was named before; LeaseHeld if there can be but one
        writer, and another process is it.
        """

    async def renew_leases(self, length_ms: int, take: Collection[int], release: Collection[int]) -> LeaseTable:
        """The writer that `take_over` has named lives, and holds its shards for `length_ms` from now on.

        What it holds of `release` becomes free: its head names no writer. What is free of `take` becomes its own: its
        head names this writer. A shard is free if it was released, or never taken, or if its lease has expired by the
        clock of the ledger's server. A lease that ends further ahead than `length_ms` has expired, too: that clock was
        set back. A shard that nobody has taken meanwhile stays its holder's, however late it comes. One that is being
        committed at this moment may stay as it is. All this is one step; returns what holds after it. Raises LeaseHeld
        as `take_over`, Displaced if the only writer that there can be is another one by now, or StoreError.
        """

    async def retire(self) -> None:
        """This writer ends: it releases all that it holds, and counts among the living no more. Raises StoreError."""

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
