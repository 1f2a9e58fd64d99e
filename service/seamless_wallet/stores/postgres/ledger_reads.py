"""The asynchronous face of what a ledger is asked: each call is one snapshot.

Look-ups that come together share one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from seamless_wallet.commands import Command
from seamless_wallet.ledger.entry import Entry
from seamless_wallet.ledger.fold import Wallet
from seamless_wallet.ledger.records import (
    ArchivedMonth,
    EntriesQuery,
    FoundEvents,
    LedgerLookup,
    LeftOpenQuery,
    LeftOpenRound,
    OpenBets,
    PlayedRound,
    PlayersQuery,
    ShardHead,
    WalletSnapshot,
)
from seamless_wallet.stores.gathered_lookups import AskedLookup, GatheredLookups
from seamless_wallet.stores.postgres import history, left_open, reads
from seamless_wallet.stores.postgres.connections import Connections
from seamless_wallet.stores.postgres.event_lookups import lookups


class LedgerReads:
    """A LedgerReader and a LedgerHistory. Every method raises StoreError when the database is away."""

    def __init__(self, connections: Connections, shards: int) -> None:
        self._connections = connections
        self.shards = shards
        self._lookups = GatheredLookups(lambda asked: connections.read(lookups, shards, asked))

    async def heads(self) -> Sequence[ShardHead]:
        """The heads of all shards, by shard number."""
        return await self._connections.read(reads.heads)

    async def load(self, shard: int, user_id: str, since_ms: int) -> WalletSnapshot:
        """A wallet with its open bets, and every event and bet touched since `since_ms`, or a little before."""
        return await self._connections.read_snapshot(reads.load, self.shards, shard, user_id, since_ms)

    async def lookup(self, shard: int, command: Command, digest: bytes) -> LedgerLookup:
        """One event, and what is known of the bets that it names."""
        return await self._lookups.look_up(AskedLookup(shard, command, digest))

    async def find_events(self, events: Sequence[tuple[str, bytes]]) -> FoundEvents:
        """Which of these events, each a user_id and a digest, are committed."""
        return await self._connections.read(reads.find_events, self.shards, events)

    async def wallet(self, user_id: str) -> Wallet | None:
        """The committed state of a player."""
        return await self._connections.read(reads.wallet, self.shards, user_id)

    async def wallets(self, user_ids: Collection[str]) -> Mapping[str, Wallet]:
        """The committed states of those of these players that there are, by user_id."""
        return await self._connections.read(reads.wallets, self.shards, user_ids)

    async def entries(self, user_id: str, before_seq: int | None, limit: int) -> Sequence[Entry]:
        """A player's entries, newest first, those older than `before_seq` if given."""
        return await self._connections.read_snapshot(reads.entries, self.shards, user_id, before_seq, limit)

    async def voids(self, shard: int, from_seq: int) -> Collection[int]:
        """The seqs of a shard's void entries from `from_seq` on."""
        return await self._connections.read(reads.voids, self.shards, shard, from_seq)

    async def trial_balance(self) -> Mapping[str, Mapping[str, int]]:
        """Currency → account → sum in minor units. Reads the whole ledger."""
        return await self._connections.read_snapshot(reads.trial_balance)

    async def registered_scripts(self) -> Mapping[str, str]:
        """SHA → text of every registered script."""
        return await self._connections.read(reads.registered_scripts)

    async def has_named(self, nonce: str) -> bool:
        """Whether this was ever the nonce of a writer of this ledger."""
        return await self._connections.read(reads.has_named, nonce)

    # ------------------------------------------------------------------ for people

    async def history(self, user_id: str, query: EntriesQuery) -> Sequence[Entry]:
        """A player's entries of a time, newest first."""
        return await self._connections.read_snapshot(history.entries_of, self.shards, user_id, query)

    async def entry_at(self, user_id: str, at_ms: int) -> Entry | None:
        """The newest entry of a player that was received by then."""
        return await self._connections.read_snapshot(history.entry_at, self.shards, user_id, at_ms)

    async def event(self, provider: str, user_id: str, transaction_id: str) -> Entry | None:
        """The entry of an event."""
        return await self._connections.read_snapshot(history.event, self.shards, provider, user_id, transaction_id)

    async def rounds(self, user_id: str, before_seq: int | None, limit: int) -> Sequence[PlayedRound]:
        """A player's rounds by their first bet, newest first."""
        return await self._connections.read_snapshot(history.rounds, self.shards, user_id, before_seq, limit)

    async def open_rounds(self, user_id: str, limit: int) -> Sequence[PlayedRound]:
        """A player's rounds with open bets, newest first. Of so many bets at most."""
        return await self._connections.read_snapshot(history.open_rounds, self.shards, user_id, limit)

    async def left_open(self, query: LeftOpenQuery) -> Sequence[LeftOpenRound]:
        """Rounds of all players with bets that are open, those that were placed first in front."""
        return await self._connections.read_snapshot(left_open.left_open, self.shards, query)

    async def open_bets(self) -> OpenBets:
        """How many bets are open now."""
        return await self._connections.read_snapshot(left_open.open_bets, self.shards)

    async def open_sessions(self, since_ms: int) -> Mapping[str, int]:
        """Provider → sessions that are not closed, and were renewed since then. Looks at every wallet."""
        return await self._connections.read_snapshot(left_open.open_sessions, since_ms)

    async def clock_ms(self) -> int | None:
        """What the clock of the server says, epoch milliseconds."""
        return await self._connections.read(left_open.clock_ms)

    async def players(self, query: PlayersQuery) -> Sequence[Wallet]:
        """Players by user_id."""
        return await self._connections.read(history.players, self.shards, query)

    async def archives(self, user_id: str) -> Sequence[ArchivedMonth]:
        """The archived months that may have entries of a player, oldest first."""
        return await self._connections.read_snapshot(history.archives, self.shards, user_id)
