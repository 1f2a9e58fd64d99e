"""The writer's cycle: make the checks that are due, open the epochs that are due, read, commit, confirm.

What comes while a commit is under way is read and decoded meanwhile, and nobody waits for the replies to confirmations.
But a commit begins only when the outcome of the one before is known, and all that Redis said of it is judged.
"""

from __future__ import annotations

import asyncio
from typing import Final, NamedTuple

import structlog
from redis.exceptions import RedisError

from seamless_wallet.engine.permissions import NUMBERS, MissingPermission, check_permissions
from seamless_wallet.engine.pipeline import NotSent, Pipeline, RedisUnavailable
from seamless_wallet.engine.ports import RedisAddress
from seamless_wallet.engine.server import Server
from seamless_wallet.ledger.conflicts import Displaced, EpochMoved
from seamless_wallet.ledger.ports import LeaseHeld, LedgerStore, StoreError, WriterOutdated
from seamless_wallet.observability import metrics
from seamless_wallet.observability.rate_limited_log import RateLimitedLog
from seamless_wallet.ports import Clock, Randomness
from seamless_wallet.recovery import ForeignRedis, ForeignWriter
from seamless_wallet.writer.checks_due import ChecksDue, run_due_checks
from seamless_wallet.writer.commit_stage import CommitStage
from seamless_wallet.writer.confirm_stage import ConfirmStage, Retention
from seamless_wallet.writer.epoch_opener import EpochOpener
from seamless_wallet.writer.evictions import Evictions
from seamless_wallet.writer.head_owners import HeadOwners
from seamless_wallet.writer.idle_wallets import IdleWallets
from seamless_wallet.writer.pipelines import Pipelines
from seamless_wallet.writer.read_stage import StreamReader
from seamless_wallet.writer.recovery_requests import RecoveryRequests
from seamless_wallet.writer.script_loader import ScriptLoader
from seamless_wallet.writer.server_probe import probe_for_ever
from seamless_wallet.writer.shard_leases import ShardLeases
from seamless_wallet.writer.shard_states import ShardStates

FATAL: Final = (ForeignRedis, ForeignWriter, Displaced, LeaseHeld, MissingPermission)
"""What ends a writer. Whoever has started it decides whether another one is tried."""

PAUSE_S: Final = 0.2
"""After a fault, before the next cycle."""

LOCK_POLL_S: Final = 0.02
"""How often to look whether the one other writer that there can be has ended."""

log = structlog.get_logger(__name__)


class WriterLimits(NamedTuple):
    """Bounds of the writer, from the settings."""

    batch_max: int
    stream_tail: int
    hot_window_ms: int
    idle_ms: int


class Writer:
    """Commits what it holds of the ledger. `run` ends after `stop`, by cancellation, or by one of FATAL."""

    def __init__(
        self,
        *,
        ledger: LedgerStore,
        ledger_uuid: str,
        redis: RedisAddress,
        pipelines: Pipelines,
        clock: Clock,
        randomness: Randomness,
        limits: WriterLimits,
    ) -> None:
        self.ready = asyncio.Event()
        self._stopped = asyncio.Event()
        self.pipelines = pipelines
        self._ledger = ledger
        self._ledger_uuid = ledger_uuid
        self._redis = redis
        self._randomness = randomness
        self._permitted = False
        self._shard_states = ShardStates()
        self._checks_due = ChecksDue()
        self._evictions = Evictions(pipelines.commands, self._shard_states, self._checks_due, clock)
        self._scripts = ScriptLoader(ledger, pipelines.commands, clock)
        self._owners = HeadOwners(
            ledger=ledger,
            ledger_uuid=ledger_uuid,
            pipeline=pipelines.commands,
            clock=clock,
            shard_states=self._shard_states,
        )
        self._leases = ShardLeases(
            ledger=ledger,
            ledger_uuid=ledger_uuid,
            pipeline=pipelines.commands,
            clock=clock,
            randomness=randomness,
            shard_states=self._shard_states,
            checks_due=self._checks_due,
        )
        self._epochs = EpochOpener(
            ledger=ledger,
            ledger_uuid=ledger_uuid,
            pipeline=pipelines.commands,
            randomness=randomness,
            shard_states=self._shard_states,
            checks_due=self._checks_due,
            owners=self._owners,
            scripts=self._scripts,
        )
        self._reader = StreamReader(self._shard_states, pipelines, limits.batch_max)
        self._committing = CommitStage(ledger, self._shard_states, self._checks_due, self._evictions, clock)
        self._confirming = ConfirmStage(
            pipeline=pipelines.commands,
            ledger_uuid=ledger_uuid,
            clock=clock,
            retention=Retention(limits.stream_tail, limits.hot_window_ms),
            shard_states=self._shard_states,
            checks_due=self._checks_due,
        )
        self._server: Server | None = None
        self._requests = RecoveryRequests(
            redis,
            ledger_uuid,
            self._shard_states,
            self._checks_due,
            self._evictions,
            look_at_leases=self._confirming.send_all_soon,
        )
        self._idle = IdleWallets(pipelines.commands, self._shard_states, self._checks_due, clock, limits.idle_ms)
        self._rate_limited_log = RateLimitedLog(every_s=10, monotonic_s=clock.monotonic_s)
        for pipeline in pipelines:
            pipeline.admit_by(self._admit)

    async def _admit(self, server: Server, pipeline: Pipeline) -> bool:  # noqa: ARG002 - the pipeline's contract
        """The pipelines ask on connecting: any server will do, but one that SQL did not record needs new epochs.

        Requests have to be heard on the same server. The subscription's connection may live on with another one.
        """
        if self._server not in {None, server}:
            self._requests.subscription.renew(ConnectionResetError("the commands go to another server"))
        self._server = server
        self._checks_due.owners = True
        self._checks_due.heads = True
        self._shard_states.adopt(await self._ledger.heads())
        self._shard_states.compare_server(server)
        return True

    def stop(self) -> None:
        """Have `run` finish its cycle, release all shards, so that others have them at once, and return."""
        self._stopped.set()

    async def run(self) -> None:
        """Write until `stop`."""
        try:
            async with asyncio.TaskGroup() as group:
                beside = [
                    group.create_task(job)
                    for job in (
                        *(pipeline.run() for pipeline in self.pipelines),
                        self._requests.subscription.run(),
                        probe_for_ever(self._redis, self.pipelines),
                        self._idle.sweep_for_ever(),
                    )
                ]
                await self._cycle_until_stopped()
                for task in beside:
                    task.cancel()
        finally:
            self._epochs.close()

    async def _cycle_until_stopped(self) -> None:
        while not self._stopped.is_set():
            try:
                if not await self._leases.name_writer():
                    await asyncio.sleep(LOCK_POLL_S)
                    continue
                if not await self._is_usable():
                    break
                await self._check_permissions()
                await self._cycle()
            except FATAL:
                raise
            except WriterOutdated as error:
                log.warning("writer_outdated", error=str(error), remedy="none: it is named anew, and takes its share")
                self._leases.forget_writer()
            except (RedisUnavailable, EpochMoved) as error:
                log.warning("writer_interrupted", error=str(error), remedy="none: it goes on from SQL's seq")
            except Exception:  # noqa: BLE001 - counted and logged; the next cycle begins from SQL's heads
                metrics.UNEXPECTED_ERRORS.labels("writer").inc()
                self._rate_limited_log.exception(
                    "writer_error",
                    remedy="nothing is lost; check the disk's space and locks on the database",
                )
            else:
                continue
            self._checks_due.heads = True
            self._confirming.is_whole = False
            self._reader.drop()
            await asyncio.sleep(PAUSE_S)
        await self._leave()

    async def _is_usable(self) -> bool:
        """Wait until Redis is there. False: stopped."""
        if self.pipelines.commands.usable.is_set() and self.pipelines.reads.usable.is_set():
            return True
        stopped, usable = (asyncio.create_task(job) for job in (self._stopped.wait(), self.pipelines.usable()))
        try:
            await asyncio.wait({stopped, usable}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (stopped, usable):
                task.cancel()
        return not self._stopped.is_set()

    async def _leave(self) -> None:
        """Without Redis or SQL it just ends, and others have its shards when the leases have expired."""
        try:
            await self._confirming.settle()
            await self._leases.leave()
        except (RedisUnavailable, RedisError, StoreError) as error:
            log.info("shards_not_released", error=str(error), remedy="none: their leases expire")

    async def _check_permissions(self) -> None:
        """Once in the life of this process, before it changes anything. Raises MissingPermission or NotSent."""
        if not self._permitted:
            try:
                await check_permissions(self._redis, self._ledger_uuid, self._randomness.below(NUMBERS))
            except (RedisError, OSError) as error:
                raise NotSent(f"the permissions could not be checked: {error}") from error
            self._permitted = True

    async def _cycle(self) -> None:
        """One round. After a whole one that left no epoch due the writer is ready."""
        if self._confirming.is_whole and await self._confirming.settle():
            self._confirming.is_whole = False
            await self._leases.renew()
            self._confirming.leases_renewed = True
        await run_due_checks(
            self._checks_due,
            pipelines=self.pipelines,
            shard_states=self._shard_states,
            scripts=self._scripts,
            ledger=self._ledger,
            owners=self._owners,
        )
        await self._scripts.load_new()
        await self._epochs.open_due()
        batches = await self._reader.next()
        if not await self._confirming.settle() and batches:
            self._reader.drop()  # what the replies said comes first; the entries stay in the streams
            return
        await self._committing.commit(batches.values())
        await self._evictions.proceed()
        self._confirming.send(batches)
        await asyncio.sleep(0)  # the confirmations leave before anything else is done
        if (not batches or not self.ready.is_set()) and await self._confirming.settle():
            self._become_ready()

    def _become_ready(self) -> None:
        if not (self._shard_states.epochs_due or self._checks_due.owners):
            self.ready.set()
