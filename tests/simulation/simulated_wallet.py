"""Workers, a writer, the ledger and Redis in one process, where time, chance and faults are those of a seed."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from unittest.mock import Mock

from aiohttp.streams import StreamReader
from aiohttp.test_utils import make_mocked_request

from seamless_wallet.commands import BACK_OFFICE, Code, Command, Policy
from seamless_wallet.processes.assembly import AssembledWallet, assembled_wallet
from seamless_wallet.processes.ledger_connection import register_scripts
from seamless_wallet.processes.writer import build_writer
from seamless_wallet.providers import build_provider
from seamless_wallet.settings import load_settings
from seamless_wallet.stores.sqlite import SqliteLedger, init
from seamless_wallet.webhook.endpoint import Webhook
from tests.simulation.in_process_redis import InProcessRedis, redis_time
from tests.simulation.virtual_time import InlineExecutor, LoopClock, SeededRandomness

DEADLINE_S = 2
RETRY_S = 0.1
HOT_WINDOW_S = 30
SCALE = 2
SETTINGS = {
    "WALLET_REDIS_URL": "redis://nowhere",
    "WALLET_SHARDS": "3",
    "WALLET_DEADLINE_MS": str(DEADLINE_S * 1000),
    "WALLET_HOT_WINDOW_S": str(HOT_WINDOW_S),
}


class SimulatedWallet:
    """Use `simulated_wallet(seed, directory)`, on a VirtualLoop."""

    def __init__(self, seed: str, directory: Path) -> None:
        self.settings = load_settings({**SETTINGS, "WALLET_DATA_DIR": str(directory)})
        self.rng = random.Random(seed)
        self.randomness = SeededRandomness(seed)
        self.clock = LoopClock()
        self.redis = InProcessRedis(self.randomness)
        self.workers: list[AssembledWallet] = []
        self.bodies: list[bytes] = []  # every sealed reply
        self._webhooks: list[Webhook] = []
        self._provider = build_provider(
            name="games",
            api_id="games",
            api_key="simulated-key-of-32-bytes-long!!",
            cipher="aes-256-gcm",  # of which a body has a nonce
            currencies={"KRW": SCALE},
            policy=Policy(session_required=False),
            random_bytes=self.randomness.random_bytes,
        )
        self._writing: asyncio.Task[None] | None = None

    def open_ledger(self) -> SqliteLedger:
        return SqliteLedger.open(self.settings.ledger_path, make_executor=InlineExecutor)

    async def start_writer(self) -> None:
        async def write() -> None:
            async with self.open_ledger() as ledger:
                ledger.acquire_lease()
                await register_scripts(ledger, self.clock)
                await build_writer(
                    self.settings, ledger, self.clock, redis=self.redis, randomness=self.randomness
                ).run()

        self._writing = asyncio.create_task(write())

    async def kill_writer(self) -> None:
        """Cancelled at whatever it awaits."""
        if self._writing:
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)

    async def add_worker(self, stack: AsyncExitStack) -> None:
        ledger = await stack.enter_async_context(self.open_ledger())
        worker = assembled_wallet(self.settings, ledger, self.clock, redis=self.redis, randomness=self.randomness)
        self.workers.append(await stack.enter_async_context(worker))
        await self.workers[-1].wait_until_ready()
        self._webhooks.append(Webhook(self._provider, self.workers[-1].wallet, self.clock, ()))

    async def send(self, command: Command) -> Code:
        """By some worker: a game's event through its webhook, anything else as the back office does."""
        number = self.rng.randrange(len(self.workers))
        if command.provider == BACK_OFFICE:
            return (await self.workers[number].wallet.apply(command, Policy())).code
        return await self._call(self._webhooks[number], command)

    async def _call(self, webhook: Webhook, command: Command) -> Code:
        """The request that aiohttp would make of what arrives, and what the provider reads in the reply."""
        provider, key = self._provider, self._provider.keys[0]
        content = StreamReader(Mock(), 2**16)
        content.feed_data(provider.seal(provider.profile.encode_event(command, SCALE), key))
        content.feed_eof()
        request = make_mocked_request("POST", "/webhook/games", provider.headers(key), payload=content)
        response = await webhook.handle(request)
        self.bodies.append(response.body)
        return provider.profile.decode_reply(provider.open(response.body, key)).code

    async def send_until_final(self, command: Command) -> None:
        """Send it, and again while the answer is R1, as a provider would."""
        code = await self.send(command)
        while code is Code.R1:
            await asyncio.sleep(RETRY_S)
            code = await self.send(command)
        assert code is Code.R0, command

    def chains(self) -> list[tuple[int, int, bytes]]:
        """Epoch, seq and chain of every shard: equal chains are ledgers of equal bytes."""
        with sqlite3.connect(self.settings.ledger_path) as connection:
            return connection.execute("SELECT epoch, seq, chain FROM shard ORDER BY shard").fetchall()


@asynccontextmanager
async def simulated_wallet(seed: str, directory: Path, workers: int = 2) -> AsyncIterator[SimulatedWallet]:
    """A wallet that is ready."""
    wallet = SimulatedWallet(seed, directory)
    settings = wallet.settings
    init(settings.ledger_path, settings.shards, settings.currencies, new_uuid=wallet.randomness.token(16))
    async with AsyncExitStack() as stack:
        stack.enter_context(redis_time(wallet.clock))
        await wallet.start_writer()
        stack.push_async_callback(wallet.kill_writer)
        for _ in range(workers):
            await wallet.add_worker(stack)
        yield wallet
