"""The writer's one transaction: heads, wallets, entries, marks. It is stored whole, or nothing of it is."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from seamless_wallet.ledger.conflicts import EntriesRefused
from seamless_wallet.ledger.entry import Entry
from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.stores.known import KnownState
from seamless_wallet.stores.planning import Chained, Plan
from seamless_wallet.stores.shard_heads import Head, chain_to, check_batches, check_redelivered, count_stored
from seamless_wallet.stores.sqlite.database import transaction
from seamless_wallet.stores.sqlite.planned_rows import plan_on, write_plan
from seamless_wallet.stores.sqlite.reads import stored_entries
from seamless_wallet.stores.sqlite.refusals import REFUSALS, find_refusals
from seamless_wallet.stores.sqlite.sql import WRITE_SQL


def commit_batches(
    connection: sqlite3.Connection, shards: int, nonce: str, batches: Sequence[Sequence[Entry]], known: KnownState
) -> None:
    """Commit gapless batches, at most one a shard, as the writer of this nonce. `known` is what the last commits left.

    Raises EntriesRefused, LedgerConflict, EpochMoved, Displaced or sqlite3.Error.
    """
    batches = check_batches(batches)
    try:
        try:
            _commit(connection, shards, nonce, batches, known)
        except REFUSALS:
            _commit(connection, shards, nonce, batches, known)  # by what SQL has: it may have gone on without us
    except REFUSALS as error:
        refusals = find_refusals(connection, shards, batches)
        if refusals:
            raise EntriesRefused(refusals) from error
        raise StoreError(
            f"SQL refused the transaction, but accepts each entry alone: {error}; report this with the log"
        ) from error


def _commit(
    connection: sqlite3.Connection, shards: int, nonce: str, batches: Sequence[Sequence[Entry]], known: KnownState
) -> None:
    try:
        with transaction(connection, "IMMEDIATE"):
            plan = _store(connection, shards, nonce, batches, known)
    except BaseException:
        known.forget()
        raise
    if plan:
        known.remember(plan.wallets, plan.bets)


def _store(
    connection: sqlite3.Connection, shards: int, nonce: str, batches: Sequence[Sequence[Entry]], known: KnownState
) -> Plan | None:
    numbers = [batch[0].shard for batch in batches]
    ends = connection.execute(WRITE_SQL["chain_ends"], (min(numbers), max(numbers)) if numbers else (0, -1))
    heads = {shard: Head(*head) for shard, *head in ends}
    fresh: list[Chained] = []
    moved: list[tuple[object, ...]] = []
    for batch in batches:
        head = heads.get(batch[0].shard)
        chained = _follow_head(connection, nonce, head, batch)
        if chained and head:
            last, chain = chained[-1]
            moved.append((last.seq, chain, last.token, last.shard, head.epoch, head.seq, head.token, nonce))
            fresh += chained
    if not fresh:
        return None
    if connection.executemany(WRITE_SQL["update_head"], moved).rowcount != len(moved):
        raise StoreError("the head of a shard moved within the transaction")
    plan = plan_on(connection, shards, fresh, known)
    write_plan(connection, plan)
    return plan


def _follow_head(
    connection: sqlite3.Connection, nonce: str, head: Head | None, batch: Sequence[Entry]
) -> list[Chained]:
    """What of a batch is not stored yet, chained to the shard's head. Raises unless it follows."""
    known = count_stored(head, nonce, batch)
    if known:
        stored = stored_entries(connection, batch[0].shard, batch[0].seq)
        check_redelivered(batch[:known], {entry.seq: entry for entry in stored})
    return chain_to(head, batch[known:]) if head else []
