"""Whether the writer is there. Without it nothing can be committed, so nothing is executed that would have to be."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
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
    """What this process knows of the writer. Asking costs a bet nothing: `absent` is a plain attribute.

    The writer tells its watermarks at least four times a second, on a channel that this process listens to anyway.
    If it was not heard for as long as a take-over takes, the subscription may be at fault. So Redis is asked for the
    writer's heartbeat. Only if Redis says that there is none, or that of a writer that SQL does not name, is the writer
    absent. Without an answer nothing changes: then nothing can be executed either.
    """

    def __init__(self, pipeline: Pipeline, shards: ShardEpochs, ledger_uuid: str) -> None:
        self.absent = False
        self._pipeline = pipeline
        self._shards = shards
        self._heartbeat = keys.heartbeat(ledger_uuid)
        self._loop = asyncio.get_running_loop()
        self._heard_s = self._loop.time()

    def heard(self) -> None:
        """A sign of life came from the writer."""
        self._heard_s = self._loop.time()
        if self.absent:
            self.absent = False
            log.info("writer_returned", remedy="none: bets are taken again")

    async def watch_for_ever(self, renew_subscription: Callable[[OSError], None]) -> None:
        """Look after the writer. A subscription that heard nothing of a writer that lives is told to renew itself."""
        while True:
            await asyncio.sleep(CHECK_EVERY_S)
            if self._is_overdue():
                try:
                    await self._ask(renew_subscription)
                except (RedisUnavailable, ResponseError, StoreError, TimeoutError):
                    continue  # the pipeline and the ledger report their own faults

    def _is_overdue(self) -> bool:
        return self._loop.time() - self._heard_s > keys.HEARTBEAT_MS / 1000

    async def _ask(self, renew_subscription: Callable[[OSError], None]) -> None:
        beat: bytes = await self._pipeline.execute("GET", self._heartbeat) or b""
        alive = bool(beat) and await self._shards.is_writer(keys.beating(beat))
        if not self._is_overdue():
            return  # it was heard meanwhile
        if alive:
            self.heard()
            renew_subscription(SilentConnection("the writer lives, and nothing of it is heard"))
            return
        if not self.absent:
            self.absent = True
            log.warning(
                "writer_absent",
                remedy="start the writer, or read its log: until it is back all that has to be committed is R1",
            )
        await self._shards.refresh()
        if not self._shards.runs_on(self._pipeline.server):
            self._pipeline.drop()  # connect to where the address leads now
            renew_subscription(ConnectionResetError("the writer uses another server"))
