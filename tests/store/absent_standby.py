"""A PostgreSQL whose commits wait for a standby that is away."""

from __future__ import annotations

import asyncio
from typing import Final

import asyncpg

from tests.integration.waiting import until
from tests.postgres_server import Postgres

WAITING: Final = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
PROBE: Final = "SELECT pg_logical_emit_message(true, 'probe', '')"


async def require_standby(server: Postgres) -> None:
    """Have all commits wait for one that is away. Returns once they do: a process of the server has to learn it."""
    await _set(server, "away")
    probe, observer = [await asyncpg.connect(server.url()) for _ in range(2)]

    async def waits() -> bool:
        probing, seen = asyncio.ensure_future(probe.execute(PROBE)), False
        while not (probing.done() or seen):
            seen = await observer.fetchval(WAITING) > 0
        if seen:
            await observer.execute("SELECT pg_terminate_backend($1)", probe.get_server_pid())
        await asyncio.wait([probing])
        return seen

    try:
        await until(waits, "a commit to wait")
    finally:
        probe.terminate()
        await observer.close()


async def do_without_standby(server: Postgres) -> None:
    """What waits is released soon."""
    await _set(server, "")


async def _set(server: Postgres, names: str) -> None:
    await asyncio.to_thread(server.sql, f"ALTER SYSTEM SET synchronous_standby_names = '{names}'")
    await asyncio.to_thread(server.sql, "SELECT pg_reload_conf()")
