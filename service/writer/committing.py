"""Into SQL: all shards in one transaction; if one cannot be, each by itself."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import structlog

from service import metrics
from service.entry.protocols import Cause, LedgerConflict, LedgerStore
from service.writer.reading import Batch
from service.writer.standing import Standing

_STORABLE_BEFORE: Final = frozenset({Cause.REUSED, Cause.UNSTORABLE})
"""Causes that speak against one entry and not against those before it."""

log = structlog.get_logger(__name__)


async def commit(ledger: LedgerStore, standing: Standing, batches: Collection[Batch]) -> None:
    """Commit; afterwards each batch holds just what was committed, and a shard that could not be is a suspect.

    Raises EpochMoved or a store error: then the outcome is unknown, and SQL has to be asked.
    """
    metrics.WRITER_LAG.set(sum(len(batch.entries) for batch in batches))
    if not batches:
        return
    try:
        with metrics.COMMIT_SECONDS.time():
            await ledger.commit([batch.anchored(batch.entries) for batch in batches])
    except LedgerConflict:
        for batch in batches:
            await _commit_alone(ledger, standing, batch)
    else:
        for batch in batches:
            _committed(standing, batch)


async def _commit_alone(ledger: LedgerStore, standing: Standing, batch: Batch) -> None:
    try:
        await ledger.commit([batch.anchored(batch.entries)])
    except LedgerConflict as conflict:
        storable = conflict.cause in _STORABLE_BEFORE
        batch.entries = [entry for entry in batch.entries if storable and entry.seq < conflict.seq]
        if batch.entries:
            await ledger.commit([batch.anchored(batch.entries)])
        log.error(
            "ledger_conflict",
            cause=conflict.cause,
            shard=conflict.shard,
            seq=conflict.seq,
            detail=str(conflict),
            remedy="the shard starts a new epoch; nothing acknowledged is lost. Repeated: see docs/operations.md",
        )
        standing.suspects[conflict.shard] = conflict.cause
    _committed(standing, batch)


def _committed(standing: Standing, batch: Batch) -> None:
    if batch.entries:
        standing.committed(batch.entries)
        metrics.COMMITTED.inc(len(batch.entries))
