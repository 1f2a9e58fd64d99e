"""How far SQL is behind Redis. The admin process measures it: also while the writer hangs, or is not there."""

from __future__ import annotations

import asyncio

from seamless_wallet.engine import keys
from seamless_wallet.engine.pipeline import Pipeline
from seamless_wallet.ledger.ports import LedgerReader
from seamless_wallet.observability import metrics
from seamless_wallet.ports import Clock


class LagMonitor:
    """Compares the last seq of each shard in Redis with the one in SQL."""

    def __init__(self, pipeline: Pipeline, ledger: LedgerReader, clock: Clock) -> None:
        self._pipeline = pipeline
        self._ledger = ledger
        self._clock = clock
        self._shards = 0
        self._waiting: dict[int, tuple[int, float]] = {}  # shard → a seq that waits for SQL, and since when

    async def measure(self) -> None:
        """Measure once. While Redis or SQL is away the entries are those of the last measurement, and get older.

        Raises RedisUnavailable, ResponseError or StoreError.
        """
        try:
            await self._compare()
        finally:
            now_s = self._clock.monotonic_s()
            metrics.WRITER_LAG_SECONDS.set(max((now_s - since_s for _, since_s in self._waiting.values()), default=0.0))

    async def _compare(self) -> None:
        """Redis is asked first: what it had then, and SQL has not later, does wait."""
        if not self._shards:
            self._shards = len(await self._ledger.heads())
        written = await asyncio.gather(
            *(self._pipeline.execute("HMGET", keys.head(shard), "epoch", "seq") for shard in range(self._shards))
        )
        heads = await self._ledger.heads()
        now_s, entries_max = self._clock.monotonic_s(), 0
        for shard, ((epoch, seq), head) in enumerate(zip(written, heads, strict=True)):
            entries = int(seq) - head.seq if epoch is not None and int(epoch) == head.epoch else 0
            entries_max = max(entries_max, entries)
            self._look(shard, entries, head.seq, now_s)
            metrics.SHARD_EPOCH.labels(str(shard)).set(head.epoch)
        metrics.WRITER_LAG_ENTRIES.set(entries_max)

    def _look(self, shard: int, entries: int, committed: int, now_s: float) -> None:
        """Follow one entry of the shard until it is committed, then the next one."""
        if entries <= 0:
            self._waiting.pop(shard, None)
        elif shard not in self._waiting or self._waiting[shard][0] <= committed:
            self._waiting[shard] = (committed + entries, now_s)
