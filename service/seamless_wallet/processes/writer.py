"""The writer process: holds the ledger's lease and commits."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from seamless_wallet.engine.connection import UrlAddress
from seamless_wallet.engine.permissions import MissingPermission
from seamless_wallet.engine.pipeline import Pipeline
from seamless_wallet.engine.ports import RedisAddress
from seamless_wallet.ledger.conflicts import Displaced
from seamless_wallet.ledger.ports import LeaseHeld
from seamless_wallet.observability.process_counters import ProcessCounters
from seamless_wallet.ports import Clock, Randomness
from seamless_wallet.processes.event_loop import Superseded, Unstartable, first_error, run_process
from seamless_wallet.processes.ledger_connection import open_ledger, register_scripts
from seamless_wallet.processes.lifetime import Generation
from seamless_wallet.processes.system_ports import SystemClock, SystemRandomness
from seamless_wallet.recovery import ForeignRedis, ForeignWriter
from seamless_wallet.settings import Settings
from seamless_wallet.stores.ledger import Ledger
from seamless_wallet.stores.sqlite import SqliteLedger
from seamless_wallet.writer.cycle import Writer, WriterLimits
from seamless_wallet.writer.pipelines import Pipelines
from seamless_wallet.writer.read_stage import BLOCK_MS

LEASE_WAIT_S: Final = 15.0
"""How long to wait for the lease. A writer whose parent has just ended may still be finishing."""

LEASE_POLL_S: Final = 0.02
IN_FLIGHT_MAX: Final = 100_000
"""Commands that the writer may have under way in Redis."""

READS_MAX: Final = 4
"""Commands that may be under way on the connection of its reads: a read, some that were given up, and a PING."""

log = structlog.get_logger(__name__)


def run_writer(settings: Settings, *, parent_fd: int | None = None) -> int:
    """Commit to the ledger until told to stop.

    Returns the exit status: 78 if this Redis is that of another ledger, 75 if another writer works on it.
    """

    async def main(settings: Settings, generation: Generation, _: ProcessCounters) -> None:
        async with open_ledger(settings) as ledger:
            clock = SystemClock()
            await register_scripts(ledger, clock)
            for warning in ledger.warnings:
                log.warning("ledger_at_risk", reason=warning, remedy="see `wallet docs postgres`")
            writer = build_writer(settings, ledger, clock)
            try:
                async with asyncio.TaskGroup() as group:
                    writing = group.create_task(_write(ledger, writer))
                    await generation.run_until_ended(writer.ready.wait())
                    writing.cancel()
            except* (ForeignWriter, Displaced) as ended:
                line = str(first_error(ended))
                log.error("writer_superseded", error=line, remedy="stop the other writer; then this one returns")
                raise Superseded(line) from None
            except* (ForeignRedis, MissingPermission) as ended:
                raise Unstartable(str(first_error(ended))) from None

    return run_process("writer", settings, main, parent_fd, needs_only_turn=True)


def build_writer(
    settings: Settings,
    ledger: Ledger,
    clock: Clock,
    *,
    redis: RedisAddress | None = None,
    randomness: Randomness | None = None,
) -> Writer:
    """A writer of this ledger. Acquire the lease before it runs.

    Without `redis` it gets the address of the settings, without `randomness` that of the machine.
    """
    redis, deadline_ms = redis or UrlAddress(settings.redis_address), settings.deadline_ms
    return Writer(
        ledger=ledger,
        ledger_uuid=ledger.uuid,
        redis=redis,
        pipelines=Pipelines(
            commands=Pipeline(redis, deadline_ms=deadline_ms, in_flight_max=IN_FLIGHT_MAX),
            reads=Pipeline(redis, deadline_ms=deadline_ms + BLOCK_MS, in_flight_max=READS_MAX),
        ),
        clock=clock,
        randomness=randomness or SystemRandomness(),
        limits=WriterLimits(
            settings.batch_max, settings.stream_tail, settings.hot_window_s * 1000, settings.idle_evict_ms
        ),
    )


async def _write(ledger: Ledger, writer: Writer) -> None:
    """Stand by until the ledger is ours, and write. All else is done before: nobody writes meanwhile."""
    if isinstance(ledger, SqliteLedger):
        await _acquire_lease(ledger)
    await writer.run()


async def _acquire_lease(ledger: SqliteLedger) -> None:
    deadline_s = asyncio.get_running_loop().time() + LEASE_WAIT_S
    while True:
        try:
            ledger.acquire_lease()
        except LeaseHeld:
            if asyncio.get_running_loop().time() > deadline_s:
                raise
            await asyncio.sleep(LEASE_POLL_S)
        else:
            return
