"""The wallet of one process, worker or admin, assembled: pipeline, shard epochs, confirmations, loader, service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

from seamless_wallet.engine import keys
from seamless_wallet.engine.connection import UrlAddress
from seamless_wallet.engine.pipeline import Pipeline, RedisUnavailable
from seamless_wallet.engine.ports import RedisAddress
from seamless_wallet.engine.scripts import load_scripts
from seamless_wallet.engine.server import Server
from seamless_wallet.ledger.conflicts import EpochCause
from seamless_wallet.ports import Clock, Randomness
from seamless_wallet.processes.runtime import SystemClock, SystemRandomness, Unstartable
from seamless_wallet.settings import Settings
from seamless_wallet.stores.errors import StoreError
from seamless_wallet.stores.sqlite import SqliteLedger
from seamless_wallet.wallet.confirmations import Confirmations
from seamless_wallet.wallet.loader import Loader
from seamless_wallet.wallet.self_test import SelfTestFailed, self_test, wait_for_scripts
from seamless_wallet.wallet.service import WalletService
from seamless_wallet.wallet.shard_epochs import ShardEpochs
from seamless_wallet.writer import HEARTBEAT_MS


class Core:
    """The wallet of this process, and how it is."""

    def __init__(
        self,
        wallet: WalletService,
        pipeline: Pipeline,
        ledger: SqliteLedger,
        clock: Clock,
        proven: asyncio.Future[None],
    ) -> None:
        self.wallet = wallet
        self.clock = clock
        self._pipeline = pipeline
        self._ledger = ledger
        self._proven = proven

    async def ready(self) -> None:
        """Until every script has worked on this Redis. Raises Unstartable if one does not."""
        await asyncio.shield(self._proven)
        await self._pipeline.usable.wait()

    async def readiness(self) -> Mapping[str, str]:
        """Component → `ok` or why not."""
        return {
            "redis": "ok" if self._pipeline.usable.is_set() else "no admitted connection",
            "ledger": await self._ledger_state(),
            "writer": await self._writer_state(),
            "workers": await self._workers_state(),
        }

    async def _ledger_state(self) -> str:
        try:
            await self._ledger.heads()
        except StoreError as error:
            return str(error)
        return "ok"

    async def _writer_state(self) -> str:
        """Its heartbeat is set after a whole cycle: read, committed, confirmed."""
        try:
            alive = await self._pipeline.execute("EXISTS", keys.heartbeat(self._ledger.uuid))
        except RedisUnavailable:
            return "unknown"
        return "ok" if alive else f"no whole cycle within {HEARTBEAT_MS / 1000:g} s"

    async def _workers_state(self) -> str:
        """Whoever waits for commits listens to the watermarks: this process, and every worker that is connected."""
        try:
            _, listeners = await self._pipeline.execute("PUBSUB", "NUMSUB", keys.committed_channel(self._ledger.uuid))
        except RedisUnavailable:
            return "unknown"
        return "ok" if listeners > 1 else "none is connected to Redis"


@asynccontextmanager
async def wallet_core(
    settings: Settings,
    ledger: SqliteLedger,
    clock: Clock | None = None,
    *,
    redis: RedisAddress | None = None,
    randomness: Randomness | None = None,
) -> AsyncIterator[Core]:
    """Build the wallet and keep its tasks running. Until it is ready, and whenever Redis is away, it answers R1."""
    clock, redis = clock or SystemClock(), redis or UrlAddress(settings.redis_address)
    randomness = randomness or SystemRandomness()
    await ledger.register_scripts({script.sha: script.text for script in load_scripts().values()}, clock.now_ms())
    shards = ShardEpochs(ledger, ledger.uuid, await ledger.heads())
    pipeline = Pipeline(redis, deadline_ms=settings.deadline_ms, in_flight_max=settings.in_flight_max)
    proven = asyncio.get_running_loop().create_future()

    async def admit(server: Server, connecting: Pipeline) -> bool:
        return await shards.admit(server, connecting) and await _prove(connecting, randomness, proven)

    pipeline.admit_by(admit)

    async def ask_recovery(shard: int, cause: EpochCause) -> None:
        with suppress(RedisUnavailable):  # the next sweep asks again
            await shards.ask_recovery(pipeline, shard, cause)

    confirmations = Confirmations(
        ledger=ledger, ledger_uuid=ledger.uuid, redis=redis, randomness=randomness, ask_recovery=ask_recovery
    )
    hot_window_ms = settings.hot_window_s * 1000
    wallet = WalletService(
        pipeline=pipeline,
        ledger=ledger,
        shards=shards,
        confirmations=confirmations,
        loader=Loader(ledger, pipeline, shards, clock, hot_window_ms),
        clock=clock,
        deadline_ms=settings.deadline_ms,
        hot_window_ms=hot_window_ms,
        pending_max=settings.pending_max,
    )
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(pipeline.run()), group.create_task(confirmations.run())]
        try:
            yield Core(wallet, pipeline, ledger, clock, proven)
        finally:
            proven.cancel()
            for task in tasks:
                task.cancel()
            await pipeline.close()


async def _prove(pipeline: Pipeline, randomness: Randomness, proven: asyncio.Future[None]) -> bool:
    """Once in the life of a process: do the scripts work on this server, for this user?"""
    if not proven.done():
        await wait_for_scripts(pipeline)
        try:
            await self_test(pipeline, randomness)
        except SelfTestFailed as error:
            proven.set_exception(Unstartable(f"{error}; check the server's version and the user's permissions"))
        else:
            proven.set_result(None)
    return not proven.cancelled() and proven.exception() is None
