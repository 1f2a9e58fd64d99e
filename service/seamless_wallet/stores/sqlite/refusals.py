"""Why a transaction was refused: the first entry of each wallet that does not follow, and why."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

from seamless_wallet.commands import Kind
from seamless_wallet.ledger.conflicts import Refusal, RefusalCause
from seamless_wallet.ledger.entry import CHAIN_START, INVALID_ENTRY_ERRORS, Entry
from seamless_wallet.ledger.fold import BetContradiction, first_seen_bets
from seamless_wallet.stores.sqlite.planned_rows import plan_on, write_plan
from seamless_wallet.stores.sqlite.reads import event_seq, read_bet, read_wallet
from seamless_wallet.stores.sqlite.sql import WRITE_SQL

REFUSALS: Final = (sqlite3.IntegrityError, *INVALID_ENTRY_ERRORS)
"""What an entry that cannot be stored is refused with."""


def find_refusals(connection: sqlite3.Connection, shards: int, batches: Sequence[Sequence[Entry]]) -> list[Refusal]:
    """Try entry by entry. What is of a wallet behind a refused entry of it is not tried. Keeps nothing."""
    found: dict[str, Refusal] = {}
    connection.execute("BEGIN IMMEDIATE")
    try:
        for batch in batches:
            _, _, stored_seq, *_ = connection.execute(
                WRITE_SQL["chain_ends"], (batch[0].shard, batch[0].shard)
            ).fetchone()
            for entry in batch:
                if entry.seq > stored_seq and entry.user_id not in found:
                    refusal = _try(connection, shards, entry)
                    if refusal is not None:
                        found[entry.user_id] = refusal
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    return list(found.values())


def _try(connection: sqlite3.Connection, shards: int, entry: Entry) -> Refusal | None:
    """Store one entry, or say why not. That an identity is known goes before all else, as it explains the rest."""

    def refused(cause: RefusalCause, detail: str) -> Refusal:
        return Refusal(entry.shard, entry.seq, entry.user_id, entry.provider, cause, detail)

    connection.execute("SAVEPOINT entry")
    try:
        reused = "" if entry.void else _known_identity(connection, entry)
        if reused:
            return refused(RefusalCause.REUSED, reused)
        write_plan(connection, plan_on(connection, shards, [(entry, CHAIN_START)]))
    except BetContradiction as error:
        connection.execute("ROLLBACK TO entry")
        return refused(RefusalCause.CONTRADICTED, str(error))
    except REFUSALS as error:
        connection.execute("ROLLBACK TO entry")
        return refused(RefusalCause.UNSTORABLE, f"cannot be stored: {error}")
    finally:
        connection.execute("RELEASE entry")
    return None


def _known_identity(connection: sqlite3.Connection, entry: Entry) -> str:
    """Which identity of the entry is in SQL already, in words; "" if none is. Raises one of INVALID_ENTRY_ERRORS."""
    stored = read_wallet(connection, entry.user_id)
    if stored is None:
        return ""
    seq = event_seq(connection, stored.player, entry.event_digest)
    if seq is not None:
        return f"its event is that of entry {seq}"
    digest = entry.round_digest
    for index in first_seen_bets(entry):
        if digest and read_bet(connection, (stored.player, digest, index)):
            return "a bet of it was seen before"
    return "its player exists" if entry.command.kind is Kind.CREATE else ""
