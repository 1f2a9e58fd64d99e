"""How far SQL is behind Redis, measured beside the writer's cycle: also while a commit hangs."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from redis.exceptions import ResponseError

from seamless_wallet.engine import keys
from seamless_wallet.engine.pipeline import Pipeline, RedisUnavailable
from seamless_wallet.observability import metrics
from seamless_wallet.ports import Clock
from seamless_wallet.writer.shard_states import ShardStates

MEASURE_EVERY_S: Final = 1.0


class LagMonitor:
    """Compares the last seq of each shard that this writer holds in Redis with the one in SQL."""

    def __init__(self, pipeline: Pipeline, shard_states: ShardStates, clock: Clock) -> None:
        self._pipeline = pipeline
        self._shard_states = shard_states
        self._clock = clock
        self._waiting: dict[int, tuple[int, float]] = {}  # shard → a seq that waits for SQL, and since when

    async def measure_for_ever(self) -> None:
        """Measure once a second. While Redis is away the entries are those of the last measurement."""
        while True:
            await asyncio.sleep(MEASURE_EVERY_S)
            with contextlib.suppress(RedisUnavailable, ResponseError):
                await self._measure()
            now_s = self._clock.monotonic_s()
            metrics.WRITER_LAG_SECONDS.set(max((now_s - since_s for _, since_s in self._waiting.values()), default=0.0))

    async def _measure(self) -> None:
        shards = sorted(self._shard_states.held)
        for shard in self._waiting.keys() - set(shards):
            del self._waiting[shard]
        written = await asyncio.gather(
            *(self._pipeline.execute("HMGET", keys.head(shard), "epoch", "seq") for shard in shards)
        )
        now_s, entries_max = self._clock.monotonic_s(), 0
        for shard, (epoch, seq) in zip(shards, written, strict=True):
            head = self._shard_states.heads[shard]
            entries = int(seq) - head.seq if epoch is not None and int(epoch) == head.epoch else 0
            entries_max = max(entries_max, entries)
            self._look(shard, entries, head.seq, now_s)
        metrics.WRITER_LAG_ENTRIES.set(entries_max)

    def _look(self, shard: int, entries: int, committed: int, now_s: float) -> None:
        """Follow one entry of the shard until it is committed, then the next one."""
        if entries <= 0:
            self._waiting.pop(shard, None)
        elif shard not in self._waiting or self._waiting[shard][0] <= committed:
            self._waiting[shard] = (committed + entries, now_s)
