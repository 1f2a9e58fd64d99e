"""Why a transaction was refused: which entry is the first that cannot follow those before it, and why."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

from seamless_wallet.commands import Kind
from seamless_wallet.ledger.conflicts import EpochCause, LedgerConflict
from seamless_wallet.ledger.entry import CHAIN_START, Entry
from seamless_wallet.ledger.fold import BetContradiction, first_seen_bets
from seamless_wallet.stores.rows import INVALID_ENTRY_ERRORS
from seamless_wallet.stores.sqlite.planned_rows import plan_on, write_plan
from seamless_wallet.stores.sqlite.reads import read_bet, read_event, read_wallet
from seamless_wallet.stores.sqlite.sql import WRITE_SQL

REFUSALS: Final = (sqlite3.IntegrityError, *INVALID_ENTRY_ERRORS)
"""What an entry that cannot be stored is refused with."""


def raise_for_first_refused(connection: sqlite3.Connection, shards: int, batches: Sequence[Sequence[Entry]]) -> None:
    """Raises LedgerConflict for the first entry that cannot follow those before it. Keeps nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for batch in batches:
            _, stored_seq, _ = connection.execute(WRITE_SQL["chain_end"], (batch[0].shard,)).fetchone()
            for entry in batch:
                if entry.seq > stored_seq:
                    _store_one(connection, shards, entry)
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _store_one(connection: sqlite3.Connection, shards: int, entry: Entry) -> None:
    """Store one entry, or say why not. That an identity is known goes before all else, as it explains the rest."""
    try:
        reused = "" if entry.void else _known_identity(connection, entry)
        if reused:
            raise LedgerConflict(EpochCause.REUSED, entry.shard, entry.seq, reused)
        write_plan(connection, plan_on(connection, shards, [(entry, CHAIN_START)]))
    except BetContradiction as error:
        raise LedgerConflict(EpochCause.CONTRADICTED, entry.shard, entry.seq, str(error)) from error
    except REFUSALS as error:
        raise LedgerConflict(EpochCause.UNSTORABLE, entry.shard, entry.seq, f"cannot be stored: {error}") from error


def _known_identity(connection: sqlite3.Connection, entry: Entry) -> str:
    """Which identity of the entry is in SQL already, in words; "" if none is."""
    stored = read_wallet(connection, entry.user_id)
    if stored is None:
        return ""
    event = read_event(connection, stored.player, entry.event_digest)
    if event:
        return f"its event is that of entry {event.seq}"
    digest = entry.round_digest
    for index in first_seen_bets(entry):
        if digest and read_bet(connection, (stored.player, digest, index)):
            return "a bet of it was seen before"
    return "its player exists" if entry.command.kind is Kind.CREATE else ""
