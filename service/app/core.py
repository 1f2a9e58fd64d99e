"""The wallet as a process has it: lane, shards, confirmations, loader, service. Workers and the back office alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

from service import keys
from service.app.process import SystemClock, Unstartable
from service.entry.protocols import Cause, Clock
from service.lane import Lane, LaneError, Server
from service.scripts import load_scripts
from service.settings import Settings
from service.store.errors import StoreError
from service.store.sqlite import SqliteLedger
from service.wallet.confirm import Confirmations
from service.wallet.load import Loader
from service.wallet.selftest import SelfTestFailed, self_test, wait_for_scripts
from service.wallet.service import WalletService
from service.wallet.shards import Shards
from service.writer import HEARTBEAT_MS


class Core:
    """The wallet of this process, and how it is."""

    def __init__(
        self, wallet: WalletService, lane: Lane, ledger: SqliteLedger, clock: Clock, proven: asyncio.Future[None]
    ) -> None:
        self.wallet = wallet
        self.clock = clock
        self._lane = lane
        self._ledger = ledger
        self._proven = proven

    async def ready(self) -> None:
        """Until every script has worked on this Redis. Raises Unstartable if one does not."""
        await asyncio.shield(self._proven)
        await self._lane.usable.wait()

    async def readiness(self) -> Mapping[str, str]:
        """Component → `ok` or why not."""
        return {
            "redis": "ok" if self._lane.usable.is_set() else "no admitted connection",
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
            alive = await self._lane.execute("EXISTS", keys.heartbeat(self._ledger.uuid))
        except LaneError:
            return "unknown"
        return "ok" if alive else f"no whole cycle within {HEARTBEAT_MS / 1000:g} s"

    async def _workers_state(self) -> str:
        """Whoever waits for commits listens to the watermarks: this process, and every worker that is connected."""
        try:
            _, listeners = await self._lane.execute("PUBSUB", "NUMSUB", keys.committed_channel(self._ledger.uuid))
        except LaneError:
            return "unknown"
        return "ok" if listeners > 1 else "none is connected to Redis"


@asynccontextmanager
async def wallet_core(settings: Settings, ledger: SqliteLedger, clock: Clock | None = None) -> AsyncIterator[Core]:
    """Build the wallet and keep its tasks running. Until it is ready, and whenever Redis is away, it answers R1."""
    clock = clock or SystemClock()
    await ledger.register_scripts({script.sha: script.text for script in load_scripts().values()})
    shards = Shards(ledger, ledger.uuid, await ledger.heads())
    url = settings.redis_address
    lane = Lane(url, deadline_ms=settings.deadline_ms, in_flight_max=settings.in_flight_max)
    proven = asyncio.get_running_loop().create_future()

    async def admit(server: Server, connecting: Lane) -> bool:
        return await shards.admit(server, connecting) and await _prove(connecting, proven)

    lane.admit_by(admit)

    async def ask_recovery(shard: int, cause: Cause) -> None:
        with suppress(LaneError):  # the next sweep asks again
            await shards.ask_recovery(lane, shard, cause)

    confirmations = Confirmations(ledger, ledger.uuid, url, ask_recovery)
    hot_window_ms = settings.hot_window_s * 1000
    wallet = WalletService(
        lane=lane,
        ledger=ledger,
        shards=shards,
        confirmations=confirmations,
        loader=Loader(ledger, lane, shards, clock, hot_window_ms),
        clock=clock,
        deadline_ms=settings.deadline_ms,
        hot_window_ms=hot_window_ms,
        pending_max=settings.pending_max,
    )
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(lane.run()), group.create_task(confirmations.run())]
        try:
            yield Core(wallet, lane, ledger, clock, proven)
        finally:
            proven.cancel()
            for task in tasks:
                task.cancel()
            await lane.close()


async def _prove(lane: Lane, proven: asyncio.Future[None]) -> bool:
    """Once in the life of a process: do the scripts work on this server, for this user?"""
    if not proven.done():
        await wait_for_scripts(lane)
        try:
            await self_test(lane)
        except SelfTestFailed as error:
            proven.set_exception(Unstartable(f"{error}; check the server's version and the user's permissions"))
        else:
            proven.set_result(None)
    return not proven.cancelled() and proven.exception() is None
