"""The writer's one transaction: heads, wallets, entries, marks. It is stored whole, or nothing of it is."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from seamless_wallet.ledger.conflicts import Displaced, EntriesRefused, EpochCause, EpochMoved, LedgerConflict
from seamless_wallet.ledger.entry import Entry
from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.stores.known import KnownState
from seamless_wallet.stores.planning import Chained, Plan
from seamless_wallet.stores.sqlite.database import transaction
from seamless_wallet.stores.sqlite.planned_rows import plan_on, write_plan
from seamless_wallet.stores.sqlite.reads import stored_entries
from seamless_wallet.stores.sqlite.refusals import REFUSALS, find_refusals
from seamless_wallet.stores.sqlite.sql import WRITE_SQL


class _Head(NamedTuple):
    """Where a shard stands in SQL."""

    epoch: int
    seq: int
    chain: bytes
    token: str
    nonce: str


def commit_batches(
    connection: sqlite3.Connection, shards: int, nonce: str, batches: Sequence[Sequence[Entry]], known: KnownState
) -> None:
    """Commit gapless batches, at most one a shard, as the writer of this nonce. `known` is what the last commits left.

    Raises EntriesRefused, LedgerConflict, EpochMoved, Displaced or sqlite3.Error.
    """
    batches = [batch for batch in batches if batch]
    if len({batch[0].shard for batch in batches}) != len(batches):
        raise ValueError("two batches of one shard")
    for batch in batches:
        _check_gapless(batch)
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


def _check_gapless(batch: Sequence[Entry]) -> None:
    first = batch[0]
    for expected, entry in enumerate(batch, first.seq):
        if entry.shard != first.shard:
            raise ValueError("a batch of several shards")
        if entry.seq != expected:
            raise LedgerConflict(EpochCause.GAP, first.shard, expected, f"is missing before {entry.seq}")


def _store(
    connection: sqlite3.Connection, shards: int, nonce: str, batches: Sequence[Sequence[Entry]], known: KnownState
) -> Plan | None:
    numbers = [batch[0].shard for batch in batches]
    ends = connection.execute(WRITE_SQL["chain_ends"], (min(numbers), max(numbers)) if numbers else (0, -1))
    heads = {shard: _Head(*head) for shard, *head in ends}
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
    connection: sqlite3.Connection, nonce: str, head: _Head | None, batch: Sequence[Entry]
) -> list[Chained]:
    """What of a batch is not stored yet, chained to the shard's head. Raises unless it follows."""
    first = batch[0]
    if head is None:
        raise StoreError(f"the ledger has no shard {first.shard}")
    if head.nonce != nonce:
        raise Displaced(f"the ledger names another writer of shard {first.shard}")
    if any(entry.epoch != head.epoch for entry in batch):
        raise EpochMoved(f"shard {first.shard} is in epoch {head.epoch}; entries are of {first.epoch}")
    if head.seq < first.seq - 1:
        raise LedgerConflict(EpochCause.GAP, first.shard, head.seq + 1, f"is missing before {first.seq}")
    known = head.seq - first.seq + 1
    if known:
        _check_redelivered(connection, batch[:known])
        batch = batch[known:]
    chained, chain, before = [], head.chain, head.token
    for entry in batch:
        if entry.before != before:
            raise LedgerConflict(EpochCause.FORK, entry.shard, entry.seq, "does not follow the entry before it")
        chain, before = entry.chained_to(chain), entry.token
        chained.append((entry, chain))
    return chained


def _check_redelivered(connection: sqlite3.Connection, batch: Sequence[Entry]) -> None:
    """Raises LedgerConflict(FORK) unless the stream's bytes are those that are stored.

    Which of them are void SQL says, and not who sends them: nobody may be told that a void one is committed.
    """
    stored = {entry.seq: entry for entry in stored_entries(connection, batch[0].shard, batch[0].seq)}
    for entry in batch:
        found = stored.get(entry.seq)
        if found is None or _content(found) != _content(entry):
            raise LedgerConflict(EpochCause.FORK, entry.shard, entry.seq, "is stored with another content")
        entry.void = found.void


def _content(entry: Entry) -> tuple[object, ...]:
    return (entry.epoch, entry.user_id, entry.provider, entry.payload, entry.decided)
