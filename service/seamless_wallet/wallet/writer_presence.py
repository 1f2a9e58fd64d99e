"""Whether each shard has a writer. Without one nothing can be committed, so nothing is executed that has to be."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import structlog
from redis.exceptions import ResponseError

from seamless_wallet.engine import keys
from seamless_wallet.engine.pipeline import Pipeline, RedisUnavailable
from seamless_wallet.engine.subscription import SilentConnection
from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.wallet.shard_epochs import ShardEpochs

CHECK_EVERY_S: Final = 0.25
"""How often the age of the last sign of life is looked at."""

log = structlog.get_logger(__name__)


class WriterPresence:
    """What this process knows of the writers. Asking costs a bet nothing: `absent` has the shards that have none.

    A shard's writer tells its watermark at least four times a second, on a channel that this process listens to anyway.
    If it was not heard for as long as a take-over takes, the subscription may be at fault. So Redis is asked for the
    shard's heartbeat. Only if Redis says that there is none, or that of a writer that SQL does not name there, is the
    writer absent. Without an answer nothing changes: then nothing can be executed either.
    """

    def __init__(self, pipeline: Pipeline, shards: ShardEpochs) -> None:
        self.absent: set[int] = set()
        self._pipeline = pipeline
        self._shards = shards
        self._loop = asyncio.get_running_loop()
        self._heard_s = [self._loop.time()] * len(shards)

    def heard(self, shard: int) -> None:
        """A sign of life came from the shard's writer."""
        self._heard_s[shard] = self._loop.time()
        if shard in self.absent:
            self.absent.discard(shard)
            if not self.absent:
                log.info("writer_returned", remedy="none: all bets are taken again")

    async def watch_for_ever(self, renew_subscription: Callable[[OSError], None]) -> None:
        """Look after the writers. A subscription that heard nothing of one that lives is told to renew itself."""
        while True:
            await asyncio.sleep(CHECK_EVERY_S)
            overdue = self._overdue()
            if overdue:
                try:
                    await self._ask(overdue, renew_subscription)
                except (RedisUnavailable, ResponseError, StoreError, TimeoutError):
                    continue  # the pipeline and the ledger report their own faults

    def _overdue(self) -> list[int]:
        now_s, limit_s = self._loop.time(), keys.HEARTBEAT_MS / 1000
        return [shard for shard, heard_s in enumerate(self._heard_s) if now_s - heard_s > limit_s]

    async def _ask(self, overdue: Sequence[int], renew_subscription: Callable[[OSError], None]) -> None:
        beats: list[bytes | None] = await asyncio.gather(
            *(self._pipeline.execute("GET", keys.heartbeat(shard)) for shard in overdue)
        )
        nonces = {shard: keys.beating(beat) for shard, beat in zip(overdue, beats, strict=True) if beat}
        alive = await self._shards.present_writers(nonces)
        silent = [shard for shard in self._overdue() if shard in overdue]  # of some we have heard meanwhile
        missed = [shard for shard in silent if shard in alive]
        for shard in missed:
            self.heard(shard)
        if missed:
            renew_subscription(SilentConnection("a writer lives, and nothing of it is heard"))
        gone = [shard for shard in silent if shard not in alive]
        if not gone:
            return
        is_first = not self.absent
        self.absent.update(gone)
        if is_first:
            log.warning(
                "writer_absent",
                shards=gone,
                remedy="start a writer, or read its log: until it is back all that has to be committed there is R1",
            )
        await self._shards.refresh()
        if not self._shards.runs_on(self._pipeline.server):
            self._pipeline.drop()  # connect to where the address leads now
            renew_subscription(ConnectionResetError("the writers use another server"))
