"""A world whose shards several writers share, on a SQLite ledger with leases of the test's own, or on PostgreSQL."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from seamless_wallet.engine.connection import UrlAddress
from seamless_wallet.engine.scripts import load_scripts
from seamless_wallet.processes.assembly import AssembledWallet, assembled_wallet
from seamless_wallet.processes.writer import build_writer
from seamless_wallet.stores import postgres
from seamless_wallet.stores.postgres import PostgresLedger
from seamless_wallet.stores.sqlite import SqliteLedger, init
from tests.guardian import guarded_directory
from tests.integration.faults import FaultyStore, Proxy
from tests.integration.waiting import until
from tests.integration.world import IN_MEMORY, World
from tests.leased_ledger import LeaseBook, LeasedLedger
from tests.postgres_server import Postgres

SQLITE, POSTGRES = "sqlite", "postgres"


class SharedWorld(World):
    """Use `shared_world(...)`."""

    def __init__(self, directory: Path, backend: str, **settings: Any) -> None:
        super().__init__(directory, **settings)
        self.writers: list[RunningWriter] = []
        self.book = LeaseBook(self.settings.shards, time.monotonic)
        self._backend = backend
        self.url = ""

    async def open(self) -> None:
        if self._backend == POSTGRES:
            server = self.stack.enter_context(Postgres())
            self.url = server.url()
            await asyncio.to_thread(postgres.init, self.url, self.settings.shards, self.settings.currencies)
        else:
            init(self.settings.ledger_path, self.settings.shards, self.settings.currencies)
        self.ledger = await self.stack.enter_async_context(await self.open_ledger())
        self.start_redis()
        self.redis = Redis.from_url(self.settings.redis_address)
        self.stack.push_async_callback(self.redis.aclose)

    async def open_ledger(self) -> Any:
        if self._backend == POSTGRES:
            return await asyncio.to_thread(PostgresLedger.open, self.url)
        return SqliteLedger.open(self.settings.ledger_path)

    async def worker(self, redis_url: str | None = None, **updates: Any) -> AssembledWallet:
        stack = AsyncExitStack()
        self._worker_stacks.append(stack)
        ledger = await stack.enter_async_context(await self.open_ledger())
        core = await stack.enter_async_context(assembled_wallet(self.settings, ledger, self.clock))
        await core.wait_until_ready()
        self.workers.append(core)
        return core

    async def add_writer(self) -> RunningWriter:
        proxy = await self.proxy()
        ledger = await self.open_ledger()
        scripts = {script.sha: script.text for script in load_scripts().values()}
        await ledger.register_scripts(scripts, self.clock.now_ms())
        self.writers.append(RunningWriter(self, ledger, proxy))
        return self.writers[-1]

    def is_shared(self) -> bool:
        """Every shard has a writer that works on it, and each has its share."""
        states = [writer.writer._shard_states for writer in self.writers if not writer.task.done()]
        if any(each.held != each.taken or each.epochs_due for each in states):
            return False
        counts = [len(each.held) for each in states]
        return sum(counts) == self.settings.shards and max(counts) - min(counts) <= 1

    async def shared(self) -> None:
        await until(self.is_shared, "fair shares")

    async def close(self) -> None:
        await self.close_workers()
        for writer in self.writers:
            await writer.kill()
        await super().close()


class RunningWriter:
    """One of the writers. Its way to Redis is a proxy of its own, and its ledger can be made to hang."""

    def __init__(self, world: SharedWorld, ledger: Any, proxy: Proxy) -> None:
        leased = LeasedLedger(ledger, world.book) if isinstance(ledger, SqliteLedger) else ledger
        self.proxy = proxy
        self.store = FaultyStore(leased)
        self.writer = build_writer(
            world.settings,
            self.store,
            world.clock,
            redis=UrlAddress(proxy.url),
        )
        self._ledger = ledger
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        try:
            await self.writer.run()
        finally:
            await self._ledger.close()

    @property
    def held(self) -> set[int]:
        return set(self.writer._shard_states.held)

    async def kill(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def stop(self) -> None:
        self.writer.stop()
        await self.task

    async def freeze(self, method: str, when: str) -> asyncio.Event:
        """Let it stand still before or after its next call of a method of SQL; it goes on when the event is set."""
        frozen, resumed = asyncio.Event(), asyncio.Event()

        async def stand_still() -> None:
            frozen.set()
            await resumed.wait()

        def wait(name: str) -> Awaitable[None] | None:
            return stand_still() if name == method and not frozen.is_set() else None

        setattr(self.store, when, wait)
        await frozen.wait()
        return resumed


@asynccontextmanager
async def shared_world(
    backend: str, *, writers: int = 3, workers: int = 2, **settings: Any
) -> AsyncIterator[SharedWorld]:
    """A running world whose writers have their shares."""
    directory = guarded_directory("w-", IN_MEMORY)
    made = SharedWorld(directory, backend, **settings)
    try:
        await made.open()
        for _ in range(writers):
            await made.add_writer()
        await made.shared()
        for _ in range(workers):
            await made.worker()
        yield made
    finally:
        await made.close()
        shutil.rmtree(directory, ignore_errors=True)
