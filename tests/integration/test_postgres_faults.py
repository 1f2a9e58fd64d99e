"""The writer's connection to PostgreSQL breaks at the worst moment, clocks are stepped: nothing is lost or doubled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from seamless_wallet.engine import keys
from seamless_wallet.stores.postgres import PostgresLedger
from tests.chosen_ledger import drop_database, new_database
from tests.integration.bettors import bettors, verify_all
from tests.integration.several_writers import POSTGRES, SharedWorld, shared_world
from tests.integration.waiting import gather
from tests.integration.world import World, world
from tests.postgres_server import Postgres
from tests.store.postgres_proxy import PostgresProxy

HOUR_MS = 3_600_000


@pytest.fixture
def url(postgres_server: Postgres) -> Iterator[str]:
    """Of a database of the test's own."""
    name = new_database()
    yield postgres_server.url(name)
    drop_database(name)


@asynccontextmanager
async def writer_by_way_of_a_proxy(url: str) -> AsyncIterator[tuple[World, PostgresProxy]]:
    """A world on this database, whose writer alone goes there by way of a proxy."""
    directory = Path(url.partition("?host=")[2].replace("%2F", "/"))
    async with PostgresProxy(directory) as proxy, world(ledger_url=url, shards=3, workers=2) as w:
        ledger = w.store._ledger
        assert isinstance(ledger, PostgresLedger)
        connections = ledger._connections
        connections._url = proxy.url(url)
        assert connections._writer
        connections._writer.terminate()
        yield w, proxy


@pytest.mark.parametrize(
    "phase", [*(pytest.param(phase, marks=pytest.mark.long) for phase in ("before", "during")), "after"]
)
async def test_connections_that_break_before_during_or_after_a_commit(url, phase):
    """Three times under load. A commit whose outcome nobody knows is sent again, and was made once."""
    async with writer_by_way_of_a_proxy(url) as (w, proxy):
        players = await bettors(w, 6)
        for _ in range(3):
            broken: list[str] = []

            def break_once(name: str, broken: list[str] = broken) -> None:
                if name == "commit" and not broken:
                    broken.append(name)
                    proxy.break_next(phase)

            w.store.before = break_once
            await gather(*(player.play(3, workers=2) for player in players))
            assert broken
        await verify_all(w, players)
        assert await w.epochs() == [1] * 3


async def alter(w: SharedWorld, sql: str) -> None:
    """As an administrator."""
    connection = await asyncpg.connect(w.url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


@pytest.mark.parametrize("sign", [pytest.param(1, id="ahead"), pytest.param(-1, id="back", marks=pytest.mark.long)])
async def test_clocks_that_are_stepped(sign):
    """By an hour, under load: that of the processes, that of Redis, that of PostgreSQL, one after the other."""
    async with shared_world(POSTGRES, shards=6, writers=2, deadline_ms=2_000) as w:
        players = await bettors(w, 6)

        async def step_redis() -> None:
            for shard in range(6):
                await w.redis.hincrby(keys.head(shard), "period_at", -sign * HOUR_MS)

        async def step_processes() -> None:
            w.clock.shift_ms += sign * HOUR_MS

        async def step_postgres() -> None:
            step = f"SET expires = expires - interval '{sign} hour'"
            await alter(w, f"UPDATE ledger.lease {step}; UPDATE ledger.presence {step}")

        for step in (step_processes, step_redis, step_postgres):
            playing = asyncio.gather(*(player.play(8, workers=2) for player in players))
            await step()
            await playing
        await w.shared()
        await verify_all(w, players)
        assert await w.epochs() == [1] * 6
        assert not any(writer.task.done() for writer in w.writers)
