"""New epochs: open those that are due, tell the operator, load the scripts, and free the keys of older epochs."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial
from typing import Final

import structlog
from redis.exceptions import ResponseError

from seamless_wallet.engine.pipeline import Pipeline, RedisUnavailable
from seamless_wallet.ledger.conflicts import Displaced, EpochCause
from seamless_wallet.ledger.ports import LedgerStore
from seamless_wallet.observability import metrics
from seamless_wallet.ports import Randomness
from seamless_wallet.recovery import open_epoch, unlink_older_epochs
from seamless_wallet.writer.checks_due import ChecksDue
from seamless_wallet.writer.head_owners import HeadOwners
from seamless_wallet.writer.script_loader import ScriptLoader
from seamless_wallet.writer.shard_states import ShardStates

EXPECTED_CAUSES: Final = frozenset({EpochCause.SERVER, EpochCause.HEAD, EpochCause.NOSCRIPT})
"""Of new epochs: they come with a Redis that was restarted, emptied or failed over."""

log = structlog.get_logger(__name__)


class EpochOpener:
    """Opens epochs, one shard after the other."""

    def __init__(
        self,
        *,
        ledger: LedgerStore,
        ledger_uuid: str,
        pipeline: Pipeline,
        randomness: Randomness,
        shard_states: ShardStates,
        checks_due: ChecksDue,
        owners: HeadOwners,
        scripts: ScriptLoader,
    ) -> None:
        self._ledger = ledger
        self._ledger_uuid = ledger_uuid
        self._pipeline = pipeline
        self._randomness = randomness
        self._shard_states = shard_states
        self._checks_due = checks_due
        self._owners = owners
        self._scripts = scripts
        self._opened: Counter[EpochCause] = Counter()
        self._clean_up: asyncio.Task[None] | None = None
        for cause in EpochCause:
            metrics.EPOCHS_OPENED.labels(cause)  # begin at 0: of a series that appears late an alert sees no increase
            metrics.REDIS_RECOVERIES.labels(cause)

    async def open_due(self) -> None:
        """Open the epochs that are due; what fails stays due, until SQL was asked whose shard it is.

        Raises ForeignRedis, ForeignWriter, RedisUnavailable, StoreError.
        """
        due = self._shard_states.epochs_due
        try:
            while due:
                await self._open(*due.popitem())
        except Displaced:
            self._checks_due.heads = True
        if self._opened:
            self._report()
            await self._scripts.load_all()
            self._start_clean_up()

    def close(self) -> None:
        """End the clean-up; the next recovery takes it up."""
        if self._clean_up:
            self._clean_up.cancel()

    async def _open(self, shard: int, cause: EpochCause) -> None:
        """A new epoch for one shard, on the server that the pipeline is connected to."""
        server = self._pipeline.server
        if server is None:
            raise AssertionError("a usable pipeline has identified its server")
        try:
            head = await open_epoch(
                shard=shard,
                cause=cause,
                ledger=self._ledger,
                ledger_uuid=self._ledger_uuid,
                pipeline=self._pipeline,
                server=server,
                randomness=self._randomness,
                nonce=self._shard_states.nonce,
                judge=partial(self._owners.is_foreign, shard),
            )
        except BaseException:
            self._shard_states.require_epoch(shard, cause)
            raise
        self._shard_states.record_epoch(shard, head)
        metrics.SHARDS_STOPPED.set(len(self._shard_states.stopped))
        self._opened[cause] += 1

    def _report(self) -> None:
        """Count and log this occasion. A restart of Redis explains most causes. The others are a warning."""
        for cause in self._opened:
            metrics.REDIS_RECOVERIES.labels(cause).inc()
        if self._opened.keys() <= EXPECTED_CAUSES:
            log.info("epochs_opened", shards=dict(self._opened), remedy="none if Redis was restarted or failed over")
        else:
            log.warning(
                "epochs_opened", shards=dict(self._opened), remedy="look the causes up (`wallet docs operations`)"
            )
        self._opened.clear()

    def _start_clean_up(self) -> None:
        if self._clean_up is None or self._clean_up.done():
            self._clean_up = asyncio.create_task(self._unlink())

    async def _unlink(self) -> None:
        try:
            await unlink_older_epochs(self._pipeline, list(self._shard_states.heads))
        except (RedisUnavailable, ResponseError) as error:
            log.info("old_epoch_cleanup_interrupted", error=str(error))
        except Exception:  # nobody awaits this task: what is not logged here is lost
            metrics.UNEXPECTED_ERRORS.labels("clean_up").inc()
            log.exception("old_epoch_cleanup_failed", remedy="report it; old keys stay until the next recovery")
