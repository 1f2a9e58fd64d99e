"""Builds the wallet of a worker or admin process: pipeline, shard epochs, confirmations, loader, service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from seamless_wallet.engine.connection import UrlAddress
from seamless_wallet.engine.pipeline import Pipeline, RedisUnavailable
from seamless_wallet.engine.ports import RedisAddress
from seamless_wallet.engine.server import Server
from seamless_wallet.ledger.conflicts import EpochCause
from seamless_wallet.ports import Clock, Randomness
from seamless_wallet.processes.ledger_connection import register_scripts
from seamless_wallet.processes.start_checks import StartChecks
from seamless_wallet.processes.system_ports import SystemClock, SystemRandomness
from seamless_wallet.settings import Settings
from seamless_wallet.stores.ledger import Ledger
from seamless_wallet.wallet.confirmations import Confirmations
from seamless_wallet.wallet.loader import Loader
from seamless_wallet.wallet.service import WalletService
from seamless_wallet.wallet.shard_epochs import ShardEpochs
from seamless_wallet.wallet.writer_presence import WriterPresence


class AssembledWallet:
    """The wallet of this process, and whether it is ready."""

    def __init__(
        self,
        wallet: WalletService,
        pipeline: Pipeline,
        ledger: Ledger,
        clock: Clock,
        randomness: Randomness,
        checked: asyncio.Future[None],
    ) -> None:
        self.wallet = wallet
        self.clock = clock
        self.randomness = randomness
        self.pipeline = pipeline
        self.ledger = ledger
        self._checked = checked

    async def wait_until_ready(self) -> None:
        """Return when the start checks have passed on this Redis. Raises Unstartable if one has failed."""
        await asyncio.shield(self._checked)
        await self.pipeline.usable.wait()

    @property
    def is_ready(self) -> bool:
        """Whether calls can be decided now."""
        checked = self._checked
        works = checked.done() and not checked.cancelled() and checked.exception() is None
        return works and self.pipeline.usable.is_set()

    @property
    def redis_unreachable(self) -> asyncio.Event:
        """Set once connecting to Redis has failed."""
        return self.pipeline.unreachable


@asynccontextmanager
async def assembled_wallet(
    settings: Settings,
    ledger: Ledger,
    clock: Clock | None = None,
    *,
    redis: RedisAddress | None = None,
    randomness: Randomness | None = None,
) -> AsyncIterator[AssembledWallet]:
    """Build the wallet, and run its tasks until the context ends.

    Until it is ready, and whenever Redis cannot be reached, it answers R1. Without `clock` and `randomness` it gets
    those of the machine, without `redis` the address of the settings.
    """
    clock, redis = clock or SystemClock(), redis or UrlAddress(settings.redis_address)
    randomness = randomness or SystemRandomness()
    await register_scripts(ledger, clock)
    shards = ShardEpochs(ledger, ledger.uuid, await ledger.heads())
    pipeline = Pipeline(redis, deadline_ms=settings.deadline_ms, in_flight_max=settings.in_flight_max)
    checks = StartChecks(redis, ledger.uuid, randomness)

    async def admit(server: Server, connecting: Pipeline) -> bool:
        return (
            await checks.permissions() and await shards.admit(server, connecting) and await checks.scripts(connecting)
        )

    pipeline.admit_by(admit)

    async def ask_recovery(shard: int, cause: EpochCause) -> None:
        with suppress(RedisUnavailable):  # the next look-up asks again
            await shards.ask_recovery(pipeline, shard, cause)

    writer = WriterPresence(pipeline, shards, ledger.uuid)
    confirmations = Confirmations(
        ledger=ledger,
        ledger_uuid=ledger.uuid,
        shards=shards,
        redis=redis,
        randomness=randomness,
        ask_recovery=ask_recovery,
        writer_heard=writer.heard,
    )
    hot_window_ms = settings.hot_window_s * 1000
    wallet = WalletService(
        pipeline=pipeline,
        ledger=ledger,
        shards=shards,
        confirmations=confirmations,
        writer=writer,
        loader=Loader(ledger, pipeline, shards, clock, hot_window_ms),
        clock=clock,
        deadline_ms=settings.deadline_ms,
        hot_window_ms=hot_window_ms,
        pending_max=settings.pending_max,
    )
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(pipeline.run()),
            group.create_task(confirmations.run()),
            group.create_task(writer.watch_for_ever(confirmations.messages.subscription.renew)),
        ]
        try:
            yield AssembledWallet(wallet, pipeline, ledger, clock, randomness, checks.passed)
        finally:
            checks.passed.cancel()
            for task in tasks:
                task.cancel()
            await wallet.close()
            await pipeline.close()
