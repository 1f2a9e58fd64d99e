"""Into SQL: all shards in one transaction; if one cannot be, each by itself."""

from __future__ import annotations

from collections.abc import Collection
from itertools import takewhile

import structlog

from seamless_wallet.ledger.conflicts import Displaced, EntriesRefused, EpochCause, LedgerConflict
from seamless_wallet.ledger.entry import INVALID_ENTRY_ERRORS, Entry
from seamless_wallet.ledger.payload import UnknownPayloadVersion
from seamless_wallet.ledger.ports import LedgerStore
from seamless_wallet.observability import metrics
from seamless_wallet.ports import Clock
from seamless_wallet.writer.checks_due import ChecksDue
from seamless_wallet.writer.evictions import Evictions
from seamless_wallet.writer.money_flows import MoneyFlows
from seamless_wallet.writer.read_stage import Batch
from seamless_wallet.writer.shard_states import ShardStates

log = structlog.get_logger(__name__)


class CommitStage:
    """Commits batches. What SQL refuses costs its wallet; what contradicts SQL's history costs its shard an epoch."""

    def __init__(
        self,
        ledger: LedgerStore,
        shard_states: ShardStates,
        checks_due: ChecksDue,
        evictions: Evictions,
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._shard_states = shard_states
        self._checks_due = checks_due
        self._evictions = evictions
        self._clock = clock
        self._money_flows = MoneyFlows()

    async def commit(self, batches: Collection[Batch]) -> None:
        """Commit; afterwards each batch holds just what was committed.

        A writer that has lost one of the shards commits nothing of any, and looks at SQL. Raises RedisUnavailable;
        EpochMoved or StoreError: then the outcome is unknown, and SQL has to be asked.
        """
        metrics.WRITER_BATCH_ENTRIES.set(sum(len(batch.entries) for batch in batches))
        if not batches:
            return
        self._evictions.mark(batches)
        await self._evictions.suspend()
        try:
            with metrics.LEDGER_COMMIT_DURATION_SECONDS.time():
                await self._commit(batches)
        except Displaced:
            self._displaced(batches)
        except (LedgerConflict, UnknownPayloadVersion):
            for batch in batches:
                await self._commit_alone(batch)
        else:
            for batch in batches:
                self._record(batch)
            metrics.LEDGER_COMMIT_ENTRIES.labels().observe(sum(len(batch.entries) for batch in batches))

    async def _commit(self, batches: Collection[Batch]) -> None:
        """Commit all, with what SQL refuses as void entries. Each refusal makes at least one more of them void."""
        while True:
            try:
                await self._ledger.commit([batch.entries for batch in batches])
            except EntriesRefused as refused:
                void = _void_places(batches)
                self._evictions.refuse(refused.refusals, batches)
                await self._evictions.suspend()
                newly_void = _void_places(batches) - void
                if not all((refusal.shard, refusal.seq) in newly_void for refusal in refused.refusals):
                    raise AssertionError("a refused entry was not of these batches, or is void already") from refused
            else:
                return

    def _displaced(self, batches: Collection[Batch]) -> None:
        """Nothing was committed. Whose shards these are SQL says before anything else is done."""
        self._checks_due.heads = True
        for batch in batches:
            batch.entries = []

    async def _commit_alone(self, batch: Batch) -> None:
        try:
            await self._commit([batch])
        except Displaced:
            self._displaced([batch])
        except LedgerConflict as conflict:
            batch.entries = []
            if self._is_set_back(conflict):
                return
            log.error(
                "ledger_conflict",
                cause=conflict.cause,
                shard=conflict.shard,
                seq=conflict.seq,
                detail=str(conflict),
                remedy="none: a new epoch follows, nothing acknowledged is lost. If it repeats, "
                "see `wallet docs operations`",
            )
            self._shard_states.epochs_due[conflict.shard] = conflict.cause
        except UnknownPayloadVersion as unknown:
            await self._stop(batch, unknown)
            return
        self._record(batch)

    async def _stop(self, batch: Batch, unknown: UnknownPayloadVersion) -> None:
        """Commit what is before the first entry that only a newer version can read, and nothing more of its shard."""
        shard = batch.entries[0].shard
        readable = list(takewhile(_is_readable, batch.entries))
        batch.entries = readable if len(readable) < len(batch.entries) else []  # what it met may be in SQL
        self._shard_states.stopped.add(shard)
        metrics.SHARDS_STOPPED.set(len(self._shard_states.stopped))
        log.error(
            "shard_stopped",
            shard=shard,
            error=str(unknown),
            remedy="install the newer version for the writer, too, and start it; nothing is lost",
        )
        if batch.entries:
            await self._commit_alone(batch)

    def _is_set_back(self, conflict: LedgerConflict) -> bool:
        """Whether SQL lacks what this writer has committed. Then it reads on from SQL's seq: the stream may have it."""
        committed = self._shard_states.heads[conflict.shard].seq
        if conflict.cause is not EpochCause.GAP or conflict.seq > committed:
            return False
        self._checks_due.heads = True
        log.error(
            "ledger_set_back",
            shard=conflict.shard,
            seq=conflict.seq - 1,
            committed=committed,
            remedy="find out who has restored the ledger, or failed it over, under a writer; what the stream still has "
            "is committed again",
        )
        return True

    def _record(self, batch: Batch) -> None:
        if batch.entries:
            self._shard_states.record_commit(batch.entries)
            metrics.LEDGER_ENTRIES_COMMITTED.inc(len(batch.entries))
            metrics.LEDGER_COMMIT_TIMESTAMP.set(self._clock.now_ms() / 1000)
            self._money_flows.count(batch.entries)


def _is_readable(entry: Entry) -> bool:
    """Whether its payload has a form that this version knows, or none at all."""
    try:
        _ = entry.command, entry.decision
    except UnknownPayloadVersion:
        return False
    except INVALID_ENTRY_ERRORS:
        pass  # SQL refuses it
    return True


def _void_places(batches: Collection[Batch]) -> set[tuple[int, int]]:
    """Shard and seq of each entry that is void. One that is refused all the same would be refused for ever."""
    return {(entry.shard, entry.seq) for batch in batches for entry in batch.entries if entry.void}
