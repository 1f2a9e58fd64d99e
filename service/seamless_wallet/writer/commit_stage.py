"""Into SQL: all shards in one transaction; if one cannot be, each by itself."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import structlog

from seamless_wallet.ledger.conflicts import EpochCause, LedgerConflict
from seamless_wallet.ledger.ports import LedgerStore
from seamless_wallet.observability import metrics
from seamless_wallet.writer.read_stage import Batch
from seamless_wallet.writer.shard_states import ShardStates

_STORABLE_BEFORE: Final = frozenset({EpochCause.CONTRADICTED, EpochCause.REUSED, EpochCause.UNSTORABLE})
"""Causes that concern one entry: those before it can be committed."""

log = structlog.get_logger(__name__)


async def commit(ledger: LedgerStore, shard_states: ShardStates, batches: Collection[Batch]) -> None:
    """Commit; afterwards each batch holds just what was committed, and a shard that could not be needs a new epoch.

    Raises Displaced; EpochMoved or StoreError: then the outcome is unknown, and SQL has to be asked.
    """
    metrics.WRITER_BATCH_ENTRIES.set(sum(len(batch.entries) for batch in batches))
    if not batches:
        return
    try:
        with metrics.LEDGER_COMMIT_DURATION_SECONDS.time():
            await ledger.commit([batch.entries for batch in batches])
    except LedgerConflict:
        for batch in batches:
            await _commit_alone(ledger, shard_states, batch)
    else:
        for batch in batches:
            _record(shard_states, batch)


async def _commit_alone(ledger: LedgerStore, shard_states: ShardStates, batch: Batch) -> None:
    try:
        await ledger.commit([batch.entries])
    except LedgerConflict as conflict:
        storable = conflict.cause in _STORABLE_BEFORE
        batch.entries = [entry for entry in batch.entries if storable and entry.seq < conflict.seq]
        if batch.entries:
            await ledger.commit([batch.entries])
        log.error(
            "ledger_conflict",
            cause=conflict.cause,
            shard=conflict.shard,
            seq=conflict.seq,
            detail=str(conflict),
            remedy="none: a new epoch follows, nothing acknowledged is lost. If it repeats, "
            "see `wallet docs operations`",
        )
        shard_states.epochs_due[conflict.shard] = conflict.cause
    _record(shard_states, batch)


def _record(shard_states: ShardStates, batch: Batch) -> None:
    if batch.entries:
        shard_states.record_commit(batch.entries)
        metrics.LEDGER_ENTRIES_COMMITTED.inc(len(batch.entries))
