"""The writer's cycle, and what interrupts it: recoveries, new scripts, requests of workers."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import Counter
from typing import Final, NamedTuple

import structlog
from redis.exceptions import RedisError, ResponseError

from seamless_wallet.engine import keys
from seamless_wallet.engine.pipeline import NotSent, Pipeline, RedisUnavailable
from seamless_wallet.engine.ports import RedisAddress
from seamless_wallet.engine.server import Server, server_at
from seamless_wallet.engine.subscription import listen
from seamless_wallet.ledger.conflicts import EpochCause, EpochMoved
from seamless_wallet.ledger.ports import LedgerStore
from seamless_wallet.observability import metrics
from seamless_wallet.observability.rate_limited_log import RateLimitedLog
from seamless_wallet.ports import Clock
from seamless_wallet.recovery import ForeignRedis, check_owner, load_scripts_into, open_epoch, unlink_older_generations
from seamless_wallet.writer.commit_stage import commit
from seamless_wallet.writer.confirm_stage import Retention, confirm
from seamless_wallet.writer.read_stage import Batch, StreamReader
from seamless_wallet.writer.shard_states import ShardStates

TICK_EVERY_S: Final = 0.25
"""How often the watermarks of all shards are set again, busy or not; periods advance there, too."""

SCRIPTS_EVERY_S: Final = 0.5
"""How often newly registered scripts are looked for."""

HEARTBEAT_MS: Final = 3_000
"""A writer without a whole cycle for so long is not at work."""

PROBE_EVERY_S: Final = 1.0
"""How often the writer looks where the address of Redis leads."""

PAUSE_S: Final = 0.2
"""After a fault, before the next attempt."""

EXPECTED_CAUSES: Final = frozenset({EpochCause.SERVER, EpochCause.HEAD, EpochCause.NOSCRIPT})
"""Of new epochs: they come with a Redis that was restarted, emptied or failed over."""

_REQUEST: Final = re.compile(r"(\d{1,9}) (\d{1,18}) (\w+)", re.ASCII)

log = structlog.get_logger(__name__)


class WriterLimits(NamedTuple):
    """Bounds of the writer, from the settings."""

    batch_max: int
    stream_tail: int
    hot_window_ms: int


class Writer:
    """Commits the ledger. `run` ends only by cancellation or ForeignRedis."""

    def __init__(
        self,
        *,
        ledger: LedgerStore,
        ledger_uuid: str,
        redis: RedisAddress,
        pipeline: Pipeline,
        reading_pipeline: Pipeline,
        clock: Clock,
        limits: WriterLimits,
    ) -> None:
        self.ready = asyncio.Event()
        self._ledger = ledger
        self._ledger_uuid = ledger_uuid
        self._redis = redis
        self._pipeline = pipeline
        self._reading_pipeline = reading_pipeline
        pipeline.admit_by(self.admit)
        reading_pipeline.admit_by(self.admit)
        self._clock = clock
        self._retention = Retention(limits.stream_tail, limits.hot_window_ms)
        self._shard_states = ShardStates()
        self._reader = StreamReader(self._shard_states, pipeline, reading_pipeline, limits.batch_max)
        self._rate_limited_log = RateLimitedLog(every_s=10)
        self._heads_doubted = self._owner_doubted = self._scripts_doubted = True
        self._server_doubted = False
        self._opened: Counter[EpochCause] = Counter()
        for cause in EpochCause:
            metrics.EPOCHS_OPENED.labels(cause)  # begin at 0: of a series that appears late an alert sees no increase
        self._loaded: set[str] = set()
        self._scripts_due_s = 0.0
        self._tick_due_s = 0.0
        self._cleaning: asyncio.Task[None] | None = None

    async def admit(self, server: Server, pipeline: Pipeline) -> bool:  # noqa: ARG002 - the pipeline's contract
        """For the pipelines: any server will do, but one that SQL did not record costs new epochs."""
        self._owner_doubted = True
        self._shard_states.believe(await self._ledger.heads())
        self._shard_states.compare(server)
        return True

    async def run(self) -> None:
        """Write for ever."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pipeline.run())
                group.create_task(self._reading_pipeline.run())
                group.create_task(self._listen_for_ever())
                group.create_task(self._probe_for_ever())
                group.create_task(self._cycle_for_ever())
        finally:
            if self._cleaning:
                self._cleaning.cancel()

    async def _cycle_for_ever(self) -> None:
        while True:
            await self._pipeline.usable.wait()
            await self._reading_pipeline.usable.wait()
            try:
                await self._cycle()
            except ForeignRedis:
                raise
            except (RedisUnavailable, EpochMoved) as error:
                log.warning("writer_interrupted", error=str(error), remedy="none: it goes on from SQL's seq")
            except Exception:  # noqa: BLE001 - counted and logged; SQL says where to go on
                metrics.UNEXPECTED_ERRORS.labels("writer").inc()
                self._rate_limited_log.exception(
                    "writer_error", remedy="nothing is lost; is the disk full, the database locked?"
                )
            else:
                continue
            self._heads_doubted = True
            await asyncio.sleep(PAUSE_S)

    async def _cycle(self) -> None:
        """One round: recover what is suspect, read, commit, confirm."""
        await self._settle_doubts()
        await self._load_new_scripts()
        while self._shard_states.suspects:
            await self._recover(*self._shard_states.suspects.popitem())
        batches = await self._reader.read()
        await commit(self._ledger, self._shard_states, batches.values())
        await self._confirm(batches)
        if not self._shard_states.suspects:
            self.ready.set()

    async def _confirm(self, batches: dict[int, Batch]) -> None:
        committed = {shard: batch.entries for shard, batch in batches.items()}
        tick = self._clock.monotonic_s() >= self._tick_due_s
        if tick:
            self._tick_due_s = self._clock.monotonic_s() + TICK_EVERY_S
            committed = {shard: committed.get(shard, []) for shard in range(len(self._shard_states.heads))}
        has_script = await confirm(
            self._pipeline,
            self._shard_states,
            committed,
            channel=keys.committed_channel(self._ledger_uuid),
            now_ms=self._clock.now_ms(),
            retention=self._retention,
        )
        self._scripts_doubted |= not has_script
        if tick and not self._shard_states.suspects:
            with contextlib.suppress(ResponseError):  # a full server refuses it: then this is no whole cycle
                await self._pipeline.execute("SET", keys.heartbeat(self._ledger_uuid), "1", "PX", HEARTBEAT_MS)

    async def _settle_doubts(self) -> None:
        """See which server this is, whose, what SQL says, and whether the scripts are there; whatever is in doubt."""
        if self._server_doubted:
            self._shard_states.compare(await self._pipeline.identify())
            await self._reading_pipeline.identify()
            self._server_doubted = False
        if self._pipeline.server != self._reading_pipeline.server:
            self._drop_pipelines()
            raise NotSent("the connections lead to different servers: connecting again")
        if self._heads_doubted:
            self._shard_states.believe(await self._ledger.heads())
            self._heads_doubted = False
        if self._owner_doubted:
            await check_owner(self._pipeline, len(self._shard_states.heads), self._ledger_uuid)
            self._owner_doubted = False
        if self._scripts_doubted:
            if self._loaded and not all(await self._pipeline.execute("SCRIPT", "EXISTS", *self._loaded)):
                self._shard_states.suspect_all(EpochCause.NOSCRIPT)
            self._scripts_doubted = False

    async def _recover(self, shard: int, cause: EpochCause) -> None:
        """A new epoch for one shard, on the server that the pipeline is connected to."""
        server = self._pipeline.server
        if server is None:
            raise AssertionError("a usable pipeline has shown its server")
        try:
            head = await open_epoch(
                shard=shard,
                cause=cause,
                ledger=self._ledger,
                ledger_uuid=self._ledger_uuid,
                pipeline=self._pipeline,
                server=server,
                clock=self._clock,
            )
        except BaseException:
            self._shard_states.suspect(shard, cause)
            raise
        self._shard_states.opened(shard, head)
        self._opened[cause] += 1
        if not self._shard_states.suspects:
            self._report_epochs()
            self._opened.clear()
            self._loaded.clear()
            self._scripts_due_s = 0.0
            await self._load_new_scripts()
            self._clean_up()

    def _report_epochs(self) -> None:
        """A restart or fail-over of Redis explains most causes; the others ought to be looked into."""
        if self._opened.keys() <= EXPECTED_CAUSES:
            log.info("epochs_opened", shards=dict(self._opened), remedy="none if Redis was restarted or failed over")
        else:
            log.warning("epochs_opened", shards=dict(self._opened), remedy="look into it: docs/operations.md")

    async def _load_new_scripts(self) -> None:
        """Load what processes have registered since; after a recovery, everything.

        What was loaded before is never loaded again here: if it is gone, so may be more, and a recovery is due.
        """
        if self._clock.monotonic_s() >= self._scripts_due_s:
            registered = await self._ledger.registered_scripts()
            await load_scripts_into(
                self._pipeline, {s: text for s, text in registered.items() if s not in self._loaded}
            )
            self._loaded.update(registered)
            self._scripts_due_s = self._clock.monotonic_s() + SCRIPTS_EVERY_S

    def _clean_up(self) -> None:
        """Free older generations in the background; an interrupted clean-up is taken up by the next recovery."""
        if self._cleaning is None or self._cleaning.done():
            self._cleaning = asyncio.create_task(self._unlink())

    async def _unlink(self) -> None:
        try:
            await unlink_older_generations(self._pipeline, list(self._shard_states.heads))
        except (RedisUnavailable, ResponseError) as error:
            log.info("old_epoch_cleanup_interrupted", error=str(error))

    def _drop_pipelines(self) -> None:
        self._pipeline.drop()
        self._reading_pipeline.drop()

    async def _probe_for_ever(self) -> None:
        """See where the address leads: after a fail-over old connections may live on with a server nobody finds."""
        while True:
            await asyncio.sleep(PROBE_EVERY_S)
            try:
                server = await server_at(self._redis)
            except (RedisError, OSError):
                continue  # nobody, or a replica: nothing better than what there is
            if self._pipeline.usable.is_set() and server != self._pipeline.server:
                self._drop_pipelines()

    async def _listen_for_ever(self) -> None:
        """Workers see some faults before the writer does; it looks for itself before it believes them."""
        async for _, text in listen(self._redis, keys.recover_channel(self._ledger_uuid)):
            self._on_request(text)

    def _on_request(self, text: str) -> None:
        """A worker asks: `<shard> <epoch> <cause>`. Only a proven fork is taken on its word."""
        match = _REQUEST.fullmatch(text)
        if match is None:
            return
        shard, epoch, cause = int(match[1]), int(match[2]), match[3]
        heads = self._shard_states.heads
        if shard >= len(heads) or epoch != heads[shard].epoch:
            return
        if cause == EpochCause.FORK:
            self._shard_states.suspects[shard] = EpochCause.FORK
        elif cause == EpochCause.NOSCRIPT:
            self._scripts_doubted = True  # judged between cycles, never while a recovery is loading them
        elif cause == EpochCause.SERVER:
            self._server_doubted = True  # a new replication id breaks no connection
