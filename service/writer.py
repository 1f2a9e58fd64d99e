"""The writer: one lease-holder that moves the entries of all shards from Redis into SQL, exactly once, in order.

A cycle reads each shard's stream after the seq that SQL holds, commits everything in one transaction, raises the
watermarks, and only then tells the workers which of their attempts are committed. It keeps nothing that a restart
would miss: a new writer reads on from SQL's seq.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import structlog
from redis.asyncio import Redis
from redis.exceptions import NoScriptError, RedisError, ResponseError

from service import keys, metrics
from service.entry.ledger import Entry
from service.entry.protocols import Cause, Clock, EpochMoved, LedgerConflict, LedgerStore, ShardHead
from service.lane import Lane, LaneError, Server, connection_pool
from service.recovery import ForeignRedis, check_owner, load_scripts_into, open_epoch, unlink_older_generations
from service.scripts import ConfirmArgs, Outcome, load_scripts

BLOCK_MS: Final = 100
"""How long a read waits for entries."""

TICK_EVERY_S: Final = 0.25
"""How often the watermarks of all shards are set again, busy or not; periods advance there, too."""

SCRIPTS_EVERY_S: Final = 0.5
"""How often newly registered scripts are looked for."""

PAUSE_S: Final = 0.2
"""After a fault, before the next attempt."""

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
        self._ledger = ledger
        self._ledger_uuid = ledger_uuid
        self._redis_url = redis_url
        self._lane = lane
        self._reading_lane = reading_lane
        lane.admit_by(self.admit)
        reading_lane.admit_by(self.admit)
        self._clock = clock
        self._limits = limits
        self.ready = asyncio.Event()
        self._heads: list[ShardHead] = []
        self._server: Server | None = None
        self._written: dict[int, int] = {}
        self._anchors: dict[int, Entry] = {}
        self._suspects: dict[int, Cause] = {}
        self._heads_doubted = self._owner_doubted = self._scripts_doubted = True
        self._opened: Counter[Cause] = Counter()
        self._loaded: set[str] = set()
        self._scripts_due_s = 0.0
        self._tick_due_s = 0.0
        self._cleaning: asyncio.Task[None] | None = None

    async def admit(self, server: Server, lane: Lane) -> bool:  # noqa: ARG002 - the lane's contract
        """For the lanes: any server will do, but one that SQL did not record costs new epochs."""
        self._server = server
        self._owner_doubted = True
        self._heads = list(await self._ledger.heads())
        for shard, head in enumerate(self._heads):
            if (head.run_id, head.replid) != server:
                self._suspects[shard] = Cause.SERVER
        return True

    async def run(self) -> None:
        """Write for ever."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._lane.run())
                group.create_task(self._reading_lane.run())
                group.create_task(self._listen_for_ever())
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
            except Exception:
                metrics.FAULTS.labels("writer").inc()
                log.exception("writer_fault", remedy="nothing is lost; is the disk full, the database locked?")
            else:
                continue
            self._heads_doubted = True
            await asyncio.sleep(PAUSE_S)

    async def _cycle(self) -> None:
        """One round: recover what is suspect, read, commit, confirm."""
        await self._settle_doubts()
        await self._load_new_scripts()
        while self._suspects:
            await self._recover(*self._suspects.popitem())
        entries = await self._read()
        if entries:
            with metrics.COMMIT_SECONDS.time():
                await self._commit(list(entries.values()))
        if self._clock.monotonic_s() >= self._tick_due_s:
            self._tick_due_s = self._clock.monotonic_s() + TICK_EVERY_S
            entries = {shard: entries.get(shard, []) for shard in range(len(self._heads))}
        await self._confirm(entries)
        if not self._suspects:
            self.ready.set()

    async def _settle_doubts(self) -> None:
        """After a fault believe nothing but SQL; on a new connection see whose Redis it is; look for lost scripts."""
        if self._heads_doubted:
            self._heads = list(await self._ledger.heads())
            self._written.clear()
            self._heads_doubted = False
        if self._owner_doubted:
            await check_owner(self._lane, len(self._heads), self._ledger_uuid)
            self._owner_doubted = False
        if self._scripts_doubted:
            if self._loaded and not all(await self._lane.execute("SCRIPT", "EXISTS", *self._loaded)):
                self._suspects.update(dict.fromkeys(range(len(self._heads)), Cause.NOSCRIPT))
            self._scripts_doubted = False

    async def _read(self) -> dict[int, list[Entry]]:
        """What the streams hold after SQL's seq, by shard. Entries known to be written and not there are a gap."""
        heads = list(self._heads)
        names = {keys.stream(shard, head.epoch).encode(): shard for shard, head in enumerate(heads)}
        positions = (f"{head.epoch}-{head.seq}" for head in heads)
        per_stream = max(64, self._limits.batch_max // len(names))
        reply = await self._reading_lane.execute(
            "XREAD", "COUNT", per_stream, "BLOCK", BLOCK_MS, "STREAMS", *names, *positions
        )
        found = {names[name]: [_entry(names[name], *row) for row in rows] for name, rows in reply or ()}
        for shard, seq in self._written.items():
            if shard not in found and seq > heads[shard].seq:
                self._suspects.setdefault(shard, Cause.GAP)
        for shard in [shard for shard, rows in found.items() if any(row.epoch != heads[shard].epoch for row in rows)]:
            self._suspects.setdefault(shard, Cause.FORK)
            del found[shard]
        await self._read_anchors(heads, found)
        return found

    async def _read_anchors(self, heads: Sequence[ShardHead], found: dict[int, list[Entry]]) -> None:
        """The last committed entries, as Redis has them: each is compared with SQL's in the commit of its successors.

        A Redis that was rolled back and has gone on beyond SQL's seq would join its history to another one, where
        versions and balances may fit by chance. The gate's mark stands for the end of what SQL had then.
        """
        self._anchors.clear()
        at = [(keys.stream(shard, heads[shard].epoch), f"{heads[shard].epoch}-{heads[shard].seq}") for shard in found]
        rows = await asyncio.gather(*(self._lane.execute("XRANGE", stream, seq, seq) for stream, seq in at))
        for shard, row in zip(tuple(found), rows, strict=True):
            if not row:
                self._suspects.setdefault(shard, Cause.GAP)
                del found[shard]
            elif row[0][1][0] != b"gate":
                self._anchors[shard] = _entry(shard, *row[0])

    def _anchored(self, batch: list[Entry]) -> list[Entry]:
        anchor = self._anchors.get(batch[0].shard)
        return [anchor, *batch] if anchor else batch

    async def _commit(self, batches: Sequence[list[Entry]]) -> None:
        """Commit all shards at once; if one of them cannot be, each by itself, and recover that one."""
        metrics.WRITER_LAG.set(sum(map(len, batches)))
        try:
            await self._ledger.commit([self._anchored(batch) for batch in batches])
        except LedgerConflict:
            for batch in batches:
                await self._commit_shard(batch)
        else:
            for batch in batches:
                self._committed(batch)

    async def _commit_shard(self, batch: list[Entry]) -> None:
        try:
            await self._ledger.commit([self._anchored(batch)])
        except LedgerConflict as conflict:
            storable = conflict.cause in (Cause.REUSED, Cause.UNSTORABLE)
            before = [entry for entry in batch if storable and entry.seq < conflict.seq]
            if before:
                await self._ledger.commit([self._anchored(before)])
                self._committed(before)
            log.error(
                "ledger_conflict",
                cause=conflict.cause,
                shard=conflict.shard,
                seq=conflict.seq,
                detail=str(conflict),
                remedy="the shard starts a new epoch; nothing acknowledged is lost. Repeated: see docs/operations.md",
            )
            self._suspects[conflict.shard] = conflict.cause
            batch[:] = before
        else:
            self._committed(batch)

    def _committed(self, batch: Sequence[Entry]) -> None:
        last = batch[-1]
        head = self._heads[last.shard]
        self._heads[last.shard] = ShardHead(head.epoch, last.seq, head.run_id, head.replid)
        metrics.COMMITTED.inc(len(batch))

    async def _confirm(self, batches: Mapping[int, Sequence[Entry]]) -> None:
        """Raise the watermarks, then tell the workers. Answers leave only after this."""
        now_ms = self._clock.now_ms()
        script = load_scripts()["confirm"]
        limits = self._limits
        replies = []
        for shard in batches:
            head = self._heads[shard]
            args = ConfirmArgs(head.epoch, head.seq, limits.stream_tail, now_ms, limits.hot_window_ms)
            replies.append(
                self._lane.execute(*script.command((keys.head(shard), keys.stream(shard, head.epoch)), args))
            )
        tokens: dict[str, list[str]] = defaultdict(list)
        for entry in (entry for batch in batches.values() for entry in batch):
            tokens[entry.token.partition(".")[0]].append(entry.token)
        messages = [
            self._lane.execute("PUBLISH", keys.confirm_channel(worker), " ".join(theirs))
            for worker, theirs in tokens.items()
        ]
        if tokens:
            heads = " ".join(f"{s}:{self._heads[s].epoch}:{self._heads[s].seq}" for s in batches)
            messages.append(self._lane.execute("PUBLISH", keys.COMMITTED_CHANNEL, heads))
        confirmed = await asyncio.gather(*replies, return_exceptions=True)
        await asyncio.gather(*messages)
        for shard, reply in zip(batches, confirmed, strict=True):
            self._judge_confirmation(shard, reply)

    def _judge_confirmation(self, shard: int, reply: Any) -> None:
        """Redis must agree on the epoch, and must not know less than SQL."""
        if isinstance(reply, NoScriptError):
            self._scripts_doubted = True
        elif isinstance(reply, BaseException):
            raise reply
        elif reply[0].decode() == Outcome.FENCED:
            self._suspects.setdefault(shard, Cause.HEAD)
        else:
            self._written[shard] = int(reply[1])
            if self._written[shard] < self._heads[shard].seq:
                self._suspects.setdefault(shard, Cause.FORK)

    async def _recover(self, shard: int, cause: Cause) -> None:
        """A new epoch for one shard, on the server that the lane is connected to."""
        if self._server is None:
            raise AssertionError("a usable lane has shown its server")
        try:
            head = await open_epoch(
                shard=shard,
                cause=cause,
                ledger=self._ledger,
                ledger_uuid=self._ledger_uuid,
                lane=self._lane,
                server=self._server,
                clock=self._clock,
            )
        except BaseException:
            self._suspects.setdefault(shard, cause)
            raise
        self._heads[shard] = head
        self._written.pop(shard, None)
        if self._suspects.get(shard) is Cause.FORK:  # asked for meanwhile, of the epoch that is over
            del self._suspects[shard]
        self._opened[cause] += 1
        if not self._suspects:
            log.warning("epochs_opened", shards=dict(self._opened), remedy="none if Redis was restarted or failed over")
            self._opened.clear()
            self._loaded.clear()
            self._scripts_due_s = 0.0
            await self._load_new_scripts()
            self._clean_up()

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
            await unlink_older_generations(self._lane, list(self._heads))
        except (LaneError, ResponseError) as error:
            log.info("clean_up_interrupted", error=str(error))

    async def _listen_for_ever(self) -> None:
        """Workers see some faults before the writer does; it looks for itself before it believes them."""
        while True:
            client = Redis(connection_pool=connection_pool(self._redis_url))
            try:
                async with client.pubsub(ignore_subscribe_messages=True) as subscription:
                    await subscription.subscribe(keys.RECOVER_CHANNEL)
                    async for message in subscription.listen():
                        self._on_request(message["data"].decode())
            except (RedisError, OSError, LaneError) as error:
                log.info("writer_resubscribes", error=str(error))
            finally:
                await client.aclose()
                await client.connection_pool.disconnect()
            await asyncio.sleep(PAUSE_S)

    def _on_request(self, text: str) -> None:
        """A worker asks: `<shard> <epoch> <cause>`. Only a proven fork is taken on its word."""
        match = _REQUEST.fullmatch(text)
        if match is None:
            return
        shard, epoch, cause = int(match[1]), int(match[2]), match[3]
        if shard >= len(self._heads) or epoch != self._heads[shard].epoch:
            return
        if cause == Cause.FORK:
            self._suspects[shard] = Cause.FORK
        elif cause == Cause.NOSCRIPT:
            self._scripts_doubted = True  # judged between cycles, never while a recovery is loading them


def _entry(shard: int, entry_id: bytes, fields: Sequence[bytes]) -> Entry:
    """What is no entry of ours becomes one that the ledger refuses by name."""
    epoch, seq = entry_id.split(b"-")
    values = dict(zip(fields[::2], fields[1::2], strict=True))
    token = values.get(b"t", b"").decode(errors="replace")
    return Entry(shard, int(epoch), int(seq), values.get(b"e", b""), values.get(b"d", b""), token)
