"""The wallet as a process has it: lane, shards, confirmations, loader, service. Workers and the back office alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

from service import keys
from service.app.process import SystemClock, Unstartable
from service.entry.protocols import Cause, Clock
from service.lane import Lane, LaneError
from service.scripts import load_scripts
from service.settings import Settings
from service.store.errors import StoreError
from service.store.sqlite import SqliteLedger
from service.wallet.confirm import Confirmations
from service.wallet.load import Loader
from service.wallet.selftest import SelfTestFailed, self_test, wait_for_scripts
from service.wallet.service import WalletService
from service.wallet.shards import Shards


class Core:
    """The wallet of this process, and how it is."""

    def __init__(self, wallet: WalletService, lane: Lane, ledger: SqliteLedger, clock: Clock) -> None:
        self.wallet = wallet
        self.clock = clock
        self._lane = lane
        self._ledger = ledger

    async def readiness(self) -> Mapping[str, str]:
        """Component → `ok` or why not."""
        return {
            "redis": "ok" if self._lane.usable.is_set() else "no admitted connection",
            "ledger": await self._ledger_state(),
            "writer": await self._writer_state(),
        }

    async def _ledger_state(self) -> str:
        try:
            await self._ledger.heads()
        except StoreError as error:
            return str(error)
        return "ok"

    async def _writer_state(self) -> str:
        """The writer is the one that listens for requests of recovery."""
        try:
            _, listeners = await self._lane.execute("PUBSUB", "NUMSUB", keys.recover_channel(self._ledger.uuid))
        except LaneError:
            return "unknown"
        return "ok" if listeners else "not running"


@asynccontextmanager
async def wallet_core(settings: Settings, ledger: SqliteLedger, clock: Clock | None = None) -> AsyncIterator[Core]:
    """Build the wallet and keep its tasks running. Yields once every script has worked on this Redis.

    Raises Unstartable if one does not.
    """
    clock = clock or SystemClock()
    await ledger.register_scripts({script.sha: script.text for script in load_scripts().values()})
    shards = Shards(ledger, ledger.uuid, await ledger.heads())
    url = settings.redis_address
    lane = Lane(url, deadline_ms=settings.deadline_ms, in_flight_max=settings.in_flight_max)
    lane.admit_by(shards.admit)

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
            await _prove(lane)
            yield Core(wallet, lane, ledger, clock)
        finally:
            for task in tasks:
                task.cancel()
            await lane.close()


async def _prove(lane: Lane) -> None:
    while True:
        await lane.usable.wait()
        try:
            await wait_for_scripts(lane)
            await self_test(lane)
        except LaneError:
            continue
        except SelfTestFailed as error:
            raise Unstartable(f"{error}; check the server's version and the user's permissions") from None
        return
