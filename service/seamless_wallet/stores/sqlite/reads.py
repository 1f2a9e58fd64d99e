"""What the ledger is asked, each function within the caller's one snapshot."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Final

from seamless_wallet.commands import Command, bet_digest
from seamless_wallet.ledger.bets import Bet, parse_bet
from seamless_wallet.ledger.entry import Entry
from seamless_wallet.ledger.fold import Wallet
from seamless_wallet.ledger.records import EventRecord, FoundEvents, LedgerLookup, ShardHead, WalletSnapshot
from seamless_wallet.money import AMOUNT_MAX
from seamless_wallet.stores.rows import fold_rounds, wallet_of
from seamless_wallet.stores.sqlite.sql import READ_SQL

DISORDER_MS: Final = 60_000
"""By how much an entry's received_ms may be older than that of one before it: workers' clocks and deadlines differ."""


def heads(connection: sqlite3.Connection) -> Sequence[ShardHead]:
    """The heads of all shards, by shard number."""
    return [ShardHead(*row) for row in connection.execute(READ_SQL["heads"])]


def wallet(connection: sqlite3.Connection, user_id: str) -> Wallet | None:
    """The committed state of a player."""
    row = connection.execute(READ_SQL["wallet"], (user_id,)).fetchone()
    return wallet_of(row) if row else None


def load(connection: sqlite3.Connection, shard: int, user_id: str, since_ms: int) -> WalletSnapshot:
    """A wallet, its open rounds, and at least all that happened since `since_ms` (of received_ms)."""
    epoch, seq = connection.execute(READ_SQL["head"], (shard,)).fetchone()
    found = wallet(connection, user_id)
    if found is None:
        return WalletSnapshot(epoch, seq, None, {}, ())
    cutoff_row = connection.execute(READ_SQL["cutoff"], (user_id, since_ms - DISORDER_MS)).fetchone()
    cutoff = cutoff_row[0] if cutoff_row else 0
    events = [EventRecord(*row) for row in connection.execute(READ_SQL["events_since"], (user_id, cutoff))]
    rounds = fold_rounds(connection.execute(READ_SQL["rounds_since"], (user_id, cutoff)))
    return WalletSnapshot(epoch, seq, found, rounds, events)


def read_bet(connection: sqlite3.Connection, digest: bytes) -> Bet | None:
    """A bet's state after its newest entry; None if it was never seen."""
    row = connection.execute(READ_SQL["bet"], (digest,)).fetchone()
    return parse_bet(row[0]) if row else None


def lookup(connection: sqlite3.Connection, shard: int, command: Command, digest: bytes) -> LedgerLookup:
    """One event, and what is known of the bets that it names."""
    epoch, seq = connection.execute(READ_SQL["head"], (shard,)).fetchone()
    row = connection.execute(READ_SQL["event"], (digest,)).fetchone()
    found = ((item.bet_index, read_bet(connection, bet_digest(command, item.bet_index))) for item in command.items)
    return LedgerLookup(
        epoch,
        seq,
        wallet(connection, command.user_id),
        EventRecord(*row) if row else None,
        {index: bet for index, bet in found if bet is not None},
    )


def find_events(connection: sqlite3.Connection, digests: Sequence[bytes]) -> FoundEvents:
    """Which of these events are committed."""
    events = {}
    for digest in digests:
        row = connection.execute(READ_SQL["event"], (digest,)).fetchone()
        if row:
            events[digest] = EventRecord(*row)
    return FoundEvents(heads(connection), events)


def entries(connection: sqlite3.Connection, user_id: str, before_seq: int | None, limit: int) -> Sequence[Entry]:
    """A player's entries, newest first."""
    before = AMOUNT_MAX if before_seq is None else before_seq
    return [Entry(*row) for row in connection.execute(READ_SQL["entries"], (user_id, before, limit))]


def trial_balance(connection: sqlite3.Connection) -> Mapping[str, Mapping[str, int]]:
    """Currency → account → sum, from entries."""
    balances: dict[str, dict[str, int]] = {}
    for currency, counterparty, balance_delta, debt_delta in connection.execute(READ_SQL["trial_balance"]):
        accounts = balances.setdefault(currency, {"player": 0, "debt": 0})
        accounts["player"] += balance_delta
        accounts["debt"] -= debt_delta
        accounts[counterparty] = debt_delta - balance_delta
    return balances


def has_named(connection: sqlite3.Connection, nonce: str) -> bool:
    """Whether a writer of this nonce was named."""
    return connection.execute(READ_SQL["writer"], (nonce,)).fetchone() is not None


def registered_scripts(connection: sqlite3.Connection) -> Mapping[str, str]:
    """SHA → text."""
    return dict(connection.execute(READ_SQL["scripts"]).fetchall())
