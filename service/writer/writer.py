"""The writer's cycle, and what interrupts it: recoveries, new scripts, requests of workers."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import Counter
from typing import Final, NamedTuple

import structlog
from redis.exceptions import RedisError, ResponseError

from service import keys, metrics
from service.entry.protocols import Cause, Clock, EpochMoved, LedgerStore
from service.lane import Lane, LaneError, Refused, Server, listen, who_answers
from service.recovery import ForeignRedis, check_owner, load_scripts_into, open_epoch, unlink_older_generations
from service.seldom import SeldomLog
from service.writer.committing import commit
from service.writer.confirming import Retention, confirm
from service.writer.reading import Batch, StreamReader
from service.writer.standing import Standing

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

EXPECTED_CAUSES: Final = frozenset({Cause.SERVER, Cause.HEAD, Cause.NOSCRIPT})
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
        redis_url: str,
        lane: Lane,
        reading_lane: Lane,
        clock: Clock,
        limits: WriterLimits,
    ) -> None:
        self.ready = asyncio.Event()
        self._ledger = ledger
        self._ledger_uuid = ledger_uuid
        self._redis_url = redis_url
        self._lane = lane
        self._reading_lane = reading_lane
        lane.admit_by(self.admit)
        reading_lane.admit_by(self.admit)
        self._clock = clock
        self._retention = Retention(limits.stream_tail, limits.hot_window_ms)
        self._standing = Standing()
        self._reader = StreamReader(self._standing, lane, reading_lane, limits.batch_max)
        self._seldom = SeldomLog(every_s=10)
        self._heads_doubted = self._owner_doubted = self._scripts_doubted = True
        self._server_doubted = False
        self._opened: Counter[Cause] = Counter()
        for cause in Cause:
            metrics.RECOVERIES.labels(cause)  # begin at 0: of a series that appears late an alert sees no increase
        self._loaded: set[str] = set()
        self._scripts_due_s = 0.0
        self._tick_due_s = 0.0
        self._cleaning: asyncio.Task[None] | None = None

    async def admit(self, server: Server, lane: Lane) -> bool:  # noqa: ARG002 - the lane's contract
        """For the lanes: any server will do, but one that SQL did not record costs new epochs."""
        self._owner_doubted = True
        self._standing.believe(await self._ledger.heads())
        self._standing.compare(server)
        return True

    async def run(self) -> None:
        """Write for ever."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._lane.run())
                group.create_task(self._reading_lane.run())
                group.create_task(self._listen_for_ever())
                group.create_task(self._probe_for_ever())
                group.create_task(self._cycle_for_ever())
        finally:
            if self._cleaning:
                self._cleaning.cancel()

    async def _cycle_for_ever(self) -> None:
        while True:
            await self._lane.usable.wait()
            await self._reading_lane.usable.wait()
            try:
                await self._cycle()
            except ForeignRedis:
                raise
            except (LaneError, EpochMoved) as error:
                log.warning("writer_interrupted", error=str(error), remedy="none: it goes on from SQL's seq")
            except Exception:  # noqa: BLE001 - counted and logged; SQL says where to go on
                metrics.FAULTS.labels("writer").inc()
                self._seldom.exception("writer_fault", remedy="nothing is lost; is the disk full, the database locked?")
            else:
                continue
            self._heads_doubted = True
            await asyncio.sleep(PAUSE_S)

    async def _cycle(self) -> None:
        """One round: recover what is suspect, read, commit, confirm."""
        await self._settle_doubts()
        await self._load_new_scripts()
        while self._standing.suspects:
            await self._recover(*self._standing.suspects.popitem())
        batches = await self._reader.read()
        await commit(self._ledger, self._standing, batches.values())
        await self._confirm(batches)
        if not self._standing.suspects:
            self.ready.set()

    async def _confirm(self, batches: dict[int, Batch]) -> None:
        committed = {shard: batch.entries for shard, batch in batches.items()}
        tick = self._clock.monotonic_s() >= self._tick_due_s
        if tick:
            self._tick_due_s = self._clock.monotonic_s() + TICK_EVERY_S
            committed = {shard: committed.get(shard, []) for shard in range(len(self._standing.heads))}
        has_script = await confirm(
            self._lane,
            self._standing,
            committed,
            channel=keys.committed_channel(self._ledger_uuid),
            now_ms=self._clock.now_ms(),
            retention=self._retention,
        )
        self._scripts_doubted |= not has_script
        if tick and not self._standing.suspects:
            with contextlib.suppress(ResponseError):  # a full server refuses it: then this is no whole cycle
                await self._lane.execute("SET", keys.heartbeat(self._ledger_uuid), "1", "PX", HEARTBEAT_MS)

    async def _settle_doubts(self) -> None:
        """See which server this is, whose, what SQL says, and whether the scripts are there; whatever is in doubt."""
        if self._server_doubted:
            self._standing.compare(await self._lane.identify())
            await self._reading_lane.identify()
            self._server_doubted = False
        if self._lane.server != self._reading_lane.server:
            self._drop_lanes()
            raise Refused("the connections lead to different servers: connecting again")
        if self._heads_doubted:
            self._standing.believe(await self._ledger.heads())
            self._heads_doubted = False
        if self._owner_doubted:
            await check_owner(self._lane, len(self._standing.heads), self._ledger_uuid)
            self._owner_doubted = False
        if self._scripts_doubted:
            if self._loaded and not all(await self._lane.execute("SCRIPT", "EXISTS", *self._loaded)):
                self._standing.suspect_all(Cause.NOSCRIPT)
            self._scripts_doubted = False

    async def _recover(self, shard: int, cause: Cause) -> None:
        """A new epoch for one shard, on the server that the lane is connected to."""
        server = self._lane.server
        if server is None:
            raise AssertionError("a usable lane has shown its server")
        try:
            head = await open_epoch(
                shard=shard,
                cause=cause,
                ledger=self._ledger,
                ledger_uuid=self._ledger_uuid,
                lane=self._lane,
                server=server,
                clock=self._clock,
            )
        except BaseException:
            self._standing.suspect(shard, cause)
            raise
        self._standing.opened(shard, head)
        self._opened[cause] += 1
        if not self._standing.suspects:
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
            await load_scripts_into(self._lane, {s: text for s, text in registered.items() if s not in self._loaded})
            self._loaded.update(registered)
            self._scripts_due_s = self._clock.monotonic_s() + SCRIPTS_EVERY_S

    def _clean_up(self) -> None:
        """Free older generations in the background; an interrupted clean-up is taken up by the next recovery."""
        if self._cleaning is None or self._cleaning.done():
            self._cleaning = asyncio.create_task(self._unlink())

    async def _unlink(self) -> None:
        try:
            await unlink_older_generations(self._lane, list(self._standing.heads))
        except (LaneError, ResponseError) as error:
            log.info("clean_up_interrupted", error=str(error))

    def _drop_lanes(self) -> None:
        self._lane.drop()
        self._reading_lane.drop()

    async def _probe_for_ever(self) -> None:
        """See where the address leads: after a fail-over old connections may live on with a server nobody finds."""
        while True:
            await asyncio.sleep(PROBE_EVERY_S)
            try:
                server = await who_answers(self._redis_url)
            except (RedisError, OSError):
                continue  # nobody, or a replica: nothing better than what there is
            if self._lane.usable.is_set() and server != self._lane.server:
                self._drop_lanes()

    async def _listen_for_ever(self) -> None:
        """Workers see some faults before the writer does; it looks for itself before it believes them."""
        async for _, text in listen(self._redis_url, keys.recover_channel(self._ledger_uuid)):
            self._on_request(text)

    def _on_request(self, text: str) -> None:
        """A worker asks: `<shard> <epoch> <cause>`. Only a proven fork is taken on its word."""
        match = _REQUEST.fullmatch(text)
        if match is None:
            return
        shard, epoch, cause = int(match[1]), int(match[2]), match[3]
        heads = self._standing.heads
        if shard >= len(heads) or epoch != heads[shard].epoch:
            return
        if cause == Cause.FORK:
            self._standing.suspects[shard] = Cause.FORK
        elif cause == Cause.NOSCRIPT:
            self._scripts_doubted = True  # judged between cycles, never while a recovery is loading them
        elif cause == Cause.SERVER:
            self._server_doubted = True  # a new replication id breaks no connection
