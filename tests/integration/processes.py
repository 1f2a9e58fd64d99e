"""The processes of a wallet, all in this one: a private Valkey, a ledger, one writer and any number of workers."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path
from typing import Any, Final

from redis.asyncio import Redis

from seamless_wallet.engine.scripts import load_scripts
from seamless_wallet.processes.assembly import AssembledWallet, assembled_wallet
from seamless_wallet.processes.ledger_connection import init_ledger, open_ledger
from seamless_wallet.processes.writer import build_writer
from seamless_wallet.settings import Settings, load_settings
from seamless_wallet.stores.ledger import Ledger
from seamless_wallet.stores.postgres.setup import apart
from seamless_wallet.stores.sqlite import SqliteLedger
from tests.chosen_ledger import ON_POSTGRES, drop_database, new_database, postgres_server
from tests.integration.faults import FaultyStore, Proxy, ShiftedClock
from tests.integration.waiting import WAIT_S
from tests.valkey_server import Valkey, start_valkey

END_LEASES: Final = """
SET synchronous_commit = local;
UPDATE ledger.lease SET expires = '-infinity';
DELETE FROM ledger.presence
"""
"""Where there is but one writer. It waits for no standby."""


COPY = """
local found = {}
for _, name in ipairs(redis.call('KEYS', '*')) do
  found[#found + 1] = {name, redis.call('PTTL', name), redis.call('DUMP', name)}
end
return found
"""
"""A script, so that the copy is of one moment: of several it is a state that there never was, which no head tells."""


class Processes:
    """The parts of a wallet, each of which a scenario can start, kill and replace."""

    def __init__(self, directory: Path, **settings: Any) -> None:
        self.directory = directory
        environ = {"WALLET_DATA_DIR": str(directory), "WALLET_REDIS_URL": f"unix://{directory / 'redis.sock'}"}
        self.database = new_database() if ON_POSTGRES else ""
        if self.database:
            environ["WALLET_LEDGER_URL"] = postgres_server().url(self.database)
        environ |= {f"WALLET_{name.upper()}": str(value) for name, value in settings.items()}
        self.settings: Settings = load_settings(environ)
        self.clock = ShiftedClock()
        self.stack = AsyncExitStack()
        self.server: Valkey | None = None
        self.ledger: Ledger = None  # type: ignore[assignment]
        self.redis: Redis = None  # type: ignore[assignment]
        self.store: FaultyStore = None  # type: ignore[assignment]
        self.writing: asyncio.Task[None] | None = None
        self.writer: Any = None
        self.workers: list[AssembledWallet] = []
        self._worker_stacks: list[AsyncExitStack] = []
        self._numbers = count(1)

    # ------------------------------------------------------------------ parts

    async def open(self) -> None:
        init_ledger(self.settings)
        self.ledger = await self.stack.enter_async_context(open_ledger(self.settings))
        self.start_redis()
        self.redis = Redis.from_url(self.settings.redis_address)
        self.stack.push_async_callback(self.redis.aclose)

    def start_redis(self) -> None:
        self.server = start_valkey(self.directory, self.directory / "redis.sock")

    def restart_redis(self) -> None:
        """SIGKILL, then an empty one."""
        assert self.server
        self.server.kill()
        self.start_redis()

    async def start_writer(self, redis_url: str | None = None, ready: bool = True) -> None:
        assert self.writing is None
        ledger = open_ledger(self.settings)
        if isinstance(ledger, SqliteLedger):
            ledger.acquire_lease()
        scripts = {script.sha: script.text for script in load_scripts().values()}
        await ledger.register_scripts(scripts, self.clock.now_ms())
        self.store = FaultyStore(ledger)
        self.writer = build_writer(self._settings(redis_url), self.store, self.clock)

        async def write() -> None:
            try:
                await self.writer.run()
            finally:
                await ledger.close()

        self.writing = asyncio.create_task(write())
        if ready:
            waiting = asyncio.create_task(self.writer.ready.wait())
            await asyncio.wait([waiting, self.writing], return_when=asyncio.FIRST_COMPLETED, timeout=WAIT_S)
            waiting.cancel()
            if self.writing.done():
                writing, self.writing = self.writing, None
                writing.result()

    async def stop_writer(self) -> None:
        """As if it was killed some time ago: cancelled at whatever it awaits, and its leases have ended."""
        await self._cancel_writer()
        if self.settings.ledger_server:
            await asyncio.to_thread(apart, self.settings.ledger_server, lambda it: it.execute(END_LEASES))

    async def _cancel_writer(self) -> None:
        if self.writing:
            self.writing.cancel()
            await asyncio.gather(self.writing, return_exceptions=True)
            self.writing = None

    async def writer_ends(self) -> None:
        """Raises what ended it."""
        writing, self.writing = self.writing, None
        assert writing
        await writing

    async def worker(self, redis_url: str | None = None, **updates: Any) -> AssembledWallet:
        stack = AsyncExitStack()
        self._worker_stacks.append(stack)
        ledger = await stack.enter_async_context(open_ledger(self.settings))
        settings = self._settings(redis_url).model_copy(update=updates)
        core = await stack.enter_async_context(assembled_wallet(settings, ledger, self.clock))
        await core.wait_until_ready()
        self.workers.append(core)
        return core

    async def move_ledger(self) -> None:
        """Everything is stopped, and started on the ledger that the settings name now."""
        await self.close_workers()
        await self.stop_writer()
        await self.ledger.close()
        self.ledger = await self.stack.enter_async_context(open_ledger(self.settings))
        await self.start_writer()
        await self.worker()

    async def close_workers(self) -> None:
        while self._worker_stacks:
            await self._worker_stacks.pop().aclose()
        self.workers.clear()

    async def proxy(self) -> Proxy:
        proxy = Proxy(self.directory / f"p{next(self._numbers)}.sock", self.directory / "redis.sock")
        await proxy.start()
        self.stack.push_async_callback(proxy.close)
        return proxy

    def _settings(self, redis_url: str | None) -> Settings:
        if redis_url is None:
            return self.settings
        environ = {"WALLET_DATA_DIR": str(self.directory), "WALLET_REDIS_URL": redis_url}
        return self.settings.model_copy(update={"redis_url": load_settings(environ).redis_url})

    async def close(self) -> None:
        await self.close_workers()
        await self._cancel_writer()
        await self.stack.aclose()
        if self.server:
            self.server.close()
        if self.database:
            drop_database(self.database)

    # ------------------------------------------------------------------ disasters

    async def copy_keys(self, redis: Redis | None = None) -> dict[bytes, tuple[int, bytes]]:
        """All that Redis holds at one moment, with what is left to live, ms (0: for ever)."""
        rows: list[tuple[bytes, int, bytes]] = await (redis or self.redis).eval(COPY, 0)
        return {name: (max(0, ttl_ms), value) for name, ttl_ms, value in rows}

    async def put_back(self, copied: dict[bytes, tuple[int, bytes]], redis: Redis | None = None) -> None:
        """Roll Redis back to a copy, in one step."""
        async with (redis or self.redis).pipeline(transaction=True) as pipe:
            pipe.flushall()
            for name, (ttl_ms, value) in copied.items():
                pipe.restore(name, ttl_ms, value)
            await pipe.execute()

    async def fail_over(self, copied: dict[bytes, tuple[int, bytes]]) -> None:
        """Another server, which holds this copy, takes the place of the one that dies."""
        directory = self.directory / f"s{next(self._numbers)}"
        directory.mkdir()
        other = start_valkey(directory)
        async with Redis.from_url(other.url) as client:
            await self.put_back(copied, client)
            for script in load_scripts().values():
                await client.script_load(script.text)
        assert self.server
        self.server.kill()
        (directory / "redis.sock").rename(self.directory / "redis.sock")
        self.server = other
