"""A PostgreSQL and its standby, either of which a test can lose, and a world whose ledger is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import asyncpg

from tests.integration.waiting import until
from tests.integration.world import World, world
from tests.postgres_server import STANDBY, Postgres, Standby, url_of

_numbers = count(1)


class Pair:
    """The standby is of this primary. Use the fixture `pair`."""

    def __init__(self, primary: Postgres) -> None:
        self.primary = primary
        self.standby = Standby(primary)
        self.standby.start()
        self.failed_over = False
        self._database = f"pair_{next(_numbers)}"
        primary.run("createdb", "-h", str(primary.socket_directory), "-U", "postgres", self._database)

    @property
    def url(self) -> str:
        return url_of(self.primary, self.standby, database=self._database)

    def url_at(self, server: Postgres) -> str:
        """Of the ledger on one of the two."""
        return server.url(self._database)

    async def synchronous(self, names: str = STANDBY) -> None:
        """Commits wait for these standbys from now on."""
        await self._set(self.primary, "synchronous_standby_names", names)
        if names == STANDBY:
            await self._until("SELECT FROM pg_stat_replication WHERE sync_state = 'sync'", 1)

    async def detach(self) -> None:
        """The standby gets nothing any more."""
        await self._set(self.standby, "primary_conninfo", "")
        await self._until("SELECT FROM pg_stat_replication", 0)

    async def attach(self) -> None:
        """It gets all that it lacks."""
        await self._set(self.standby, "primary_conninfo", self.standby.source)
        await self._until("SELECT FROM pg_stat_replication WHERE state = 'streaming'", 1)

    async def fail_over(self) -> None:
        """The primary is lost with its host, and the standby takes its place."""
        await asyncio.to_thread(self.primary.kill)
        await self.promote()

    async def promote(self) -> None:
        """The standby takes writes, and what its primary does is no concern of it."""
        self.failed_over = True
        await asyncio.to_thread(self.standby.promote)

    async def commit_waits(self) -> None:
        """Until some statement waits for the standby."""
        await self._until("SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep'", 1)

    async def _set(self, server: Postgres, name: str, value: str) -> None:
        await asyncio.to_thread(server.sql, f"ALTER SYSTEM SET {name} = '{value}'")
        await asyncio.to_thread(server.sql, "SELECT pg_reload_conf()")

    async def _until(self, query: str, rows: int) -> None:
        connection = await asyncpg.connect(self.primary.url())

        async def answered() -> bool:
            return len(await connection.fetch(query)) >= rows if rows else not await connection.fetch(query)

        try:
            await until(answered, query)
        finally:
            await connection.close()

    def close(self) -> Postgres:
        """Let go of the one that is out of use; returns the other one, which takes writes."""
        gone, left = (self.primary, self.standby) if self.failed_over else (self.standby, self.primary)
        gone.close()
        if not left.runs:
            left.start()
        left.sql("ALTER SYSTEM RESET ALL")
        left.sql("SELECT pg_reload_conf()")
        return left


@asynccontextmanager
async def world_on(pair: Pair, **settings: Any) -> AsyncIterator[World]:
    """A world whose processes find the primary of a pair themselves."""
    async with world(ledger_url=pair.url, **settings) as made:
        yield made
