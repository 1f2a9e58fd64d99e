"""What SQL knows, as values: the heads of shards, events, snapshots of a wallet, look-ups of an event."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec

from seamless_wallet.ledger.bets import Bet
from seamless_wallet.ledger.fold import Wallet


class ShardHead(msgspec.Struct, frozen=True):
    """Where a shard stands in SQL, and on which Redis server its epoch runs."""

    epoch: int
    seq: int
    run_id: str
    replid: str
    nonce: str = ""
    """Of the shard's present writer; "" if it has none: it never had one, or the one before has released it."""


class LeaseTable(msgspec.Struct, frozen=True):
    """Who writes which shard, as of one moment of the ledger."""

    holders: Sequence[str]
    """By shard the nonce of the writer that holds it; "" if it is free."""
    writers: Collection[str]
    """The nonces of all writers that live, also of those that hold nothing."""


class EventRecord(msgspec.Struct, frozen=True):
    """A committed event: what it said, and where its entry is.

    Where nobody can tell what it said, `find_events` gives an empty fingerprint, which is no event's, and seq 0.
    """

    digest: bytes
    fingerprint: bytes
    seq: int


class WalletSnapshot(msgspec.Struct, frozen=True):
    """All that Redis must know of a wallet, as of (epoch, seq) of its shard; `wallet` None: no such player.

    `rounds` has the bets that are open and those that were touched, by round digest and bet_index. Not `complete`: more
    has happened than is loaded, and what is not here must be asked for.
    """

    epoch: int
    seq: int
    wallet: Wallet | None
    rounds: Mapping[bytes, Mapping[str, Bet]]
    events: Sequence[EventRecord]
    complete: bool = True


class LedgerLookup(msgspec.Struct, frozen=True):
    """What SQL knows of one event and the bets that it names, by bet_index, as of (epoch, seq) of its shard."""

    epoch: int
    seq: int
    wallet: Wallet | None
    record: EventRecord | None
    bets: Mapping[str, Bet]


class FoundEvents(msgspec.Struct, frozen=True):
    """Which of the digests asked for are committed, with the heads of the same snapshot."""

    heads: Sequence[ShardHead]
    events: Mapping[bytes, EventRecord]


class EntriesQuery(msgspec.Struct, frozen=True):
    """Which of a player's entries, newest first: received from `from_ms` on and before `to_ms`, before a seq."""

    from_ms: int = 0
    to_ms: int | None = None
    before_seq: int | None = None
    limit: int = 50


class PlayedRound(msgspec.Struct, frozen=True):
    """A player's round: where its first bet was placed or tombstoned, and its bets by bet_index."""

    provider: str
    game_no: str
    placed_ms: int
    seq: int
    bets: Mapping[str, Bet]


class LeftOpenQuery(msgspec.Struct, frozen=True):
    """Which rounds with open bets: placed before a time, of a provider, after the place of an earlier one."""

    before_ms: int
    provider: str = ""
    after: str = ""
    limit: int = 50


class LeftOpenRound(msgspec.Struct, frozen=True):
    """A round with its open bets alone. `place`: where the list goes on after it; what it says is the store's."""

    user_id: str
    currency: str
    round: PlayedRound
    place: str


class OpenBets(msgspec.Struct, frozen=True):
    """How many bets are open, and when the oldest one was received; 0: there is none."""

    count: int
    oldest_ms: int


class ArchivedMonth(msgspec.Struct, frozen=True):
    """A month whose entries are archived, such as 2026-01, and the file that has them."""

    month: str
    file: str


class PlayersQuery(msgspec.Struct, frozen=True):
    """Which players, by user_id: with a prefix, of a status, `owing` something, after a user_id."""

    prefix: str = ""
    status: str = ""
    owing: bool = False
    after: str = ""
    limit: int = 50
