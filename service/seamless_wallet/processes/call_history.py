"""Puts the history of calls together: the recorder of a process that answers calls, and who collects what it leaves."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from seamless_wallet.calls.disk_room import FREE_SHARE_MIN, FreeShare, free_share
from seamless_wallet.calls.recorder import Recorder
from seamless_wallet.calls.spool import Spool
from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.observability import metrics
from seamless_wallet.observability.rate_limited_log import RateLimitedLog
from seamless_wallet.ports import Clock, Randomness
from seamless_wallet.settings import Settings
from seamless_wallet.stores.kept_calls import KeptCalls
from seamless_wallet.stores.postgres_calls import PostgresCalls
from seamless_wallet.stores.sqlite_calls import SqliteCalls

COLLECT_CALLS_EVERY_S: Final = 1.0
"""How long a batch waits to be collected."""

PRUNE_STEPS_MAX: Final = 20
"""Steps of deleting after one collection: as many calls may have to go as come."""

UNFINISHED_MS: Final = 60_000
"""What a killed worker has left half written for so long is removed: it may be of a player who is erased."""

LOG_EVERY_S: Final = 60.0

_FAULTS: Final = metrics.UNEXPECTED_ERRORS.labels("calls")
_DAY_MS: Final = 86_400_000


@asynccontextmanager
async def recorded_calls(settings: Settings, clock: Clock, randomness: Randomness) -> AsyncIterator[Recorder | None]:
    """The recorder of this process, at work until the context ends; None if no history is kept."""
    if not settings.calls_days:
        yield None
        return
    spool = Spool(settings.calls_spool_path, f"{os.getpid()}-{randomness.token(4)}")
    recorder = Recorder(spool, clock.now_ms, clock.monotonic_s)
    async with recorder.running():
        yield recorder


def open_calls(settings: Settings) -> KeptCalls:
    """The calls that are kept, where the ledger is: enter it."""
    spool = Spool(settings.calls_spool_path)
    if settings.ledger_server is None:
        return SqliteCalls(settings.calls_path, spool)
    return PostgresCalls(settings.ledger_server, spool)


class CallCollection:
    """Collects the batches of all processes, and deletes what the settings do not keep."""

    def __init__(self, calls: KeptCalls, settings: Settings, clock: Clock, disk: FreeShare = free_share) -> None:
        self._calls = calls
        self._keep_ms = settings.calls_days * _DAY_MS
        self._bytes_max = settings.calls_mib * 2**20
        self._clock = clock
        self._directory = settings.ledger_path.parent if settings.ledger_server is None else None
        self._free_share = disk
        self._spool = Spool(settings.calls_spool_path)
        self._log = RateLimitedLog(LOG_EVERY_S, monotonic_s=clock.monotonic_s)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work until the context ends. Whatever goes wrong is logged, and tried again."""
        task = asyncio.create_task(self._collect_for_ever())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _collect_for_ever(self) -> None:
        while True:
            try:
                if await self._has_room():
                    await self._calls.collect(self._report_broken)
                await self._prune()
            except StoreError as error:
                self._log.warning("calls_not_collected", error=str(error))
            except Exception:  # noqa: BLE001 - counted and logged; the next turn tries again
                _FAULTS.inc()
                self._log.exception("calls_error", remedy="Report it. Calls wait in files; nothing else is affected.")
            await asyncio.sleep(COLLECT_CALLS_EVERY_S)

    async def _has_room(self) -> bool:
        """Whether the disk has room for more than the ledger. In PostgreSQL that is not ours to say."""
        if self._directory is None or await asyncio.to_thread(self._free_share, self._directory) >= FREE_SHARE_MIN:
            return True
        short = f"less than {FREE_SHARE_MIN:.0%} of the disk of {self._directory} is free"
        self._log.warning("calls_not_collected", error=short)
        return False

    async def _prune(self) -> None:
        await asyncio.to_thread(self._spool.remove_unfinished, self._clock.now_ms() - UNFINISHED_MS)
        if not self._keep_ms:
            return
        for _ in range(PRUNE_STEPS_MAX):
            if not await self._calls.prune(self._clock.now_ms() - self._keep_ms, self._bytes_max):
                return

    def _report_broken(self, what: str) -> None:
        metrics.CALLS_DROPPED.labels("broken").inc()
        self._log.warning("calls_broken", error=what)
