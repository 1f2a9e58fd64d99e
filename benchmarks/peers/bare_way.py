"""The way of a bet and nothing on it: webhook, Redis, a writer that keeps a text, and back by way of Redis.

Nothing is proven, nothing kept that one could ask for: a bet takes its stake from a number, and its text goes to the
end of a file, which is synced, or as a row into PostgreSQL, which is committed. A wallet whose Redis decides and whose
writer commits has that to do, too.

python -m benchmarks.peers.bare_way PORT SOCKET
python -m benchmarks.peers.bare_way write SOCKET FILE_OR_URL
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from hashlib import sha1
from itertools import count
from pathlib import Path
from typing import Final

import asyncpg
import uvloop

from benchmarks.peers.redis_wallet import wallet_key
from benchmarks.peers.webhook import handler, port_argument, serve
from seamless_wallet.commands import Answer, Code, Command
from seamless_wallet.engine.connection import UrlAddress
from seamless_wallet.engine.packing import packed
from seamless_wallet.engine.pipeline import Pipeline
from seamless_wallet.engine.ports import Message
from seamless_wallet.engine.subscription import Subscription

STREAM: Final = "bets"
CHANNEL: Final = "synced"
DEADLINE_MS: Final = 5_000
IN_FLIGHT_MAX: Final = 1_000

SCRIPT: Final = """\
-- KEYS: wallet, stream. ARGV: stake in minor units, token, text. The balance afterwards.
redis.call('XADD', KEYS[2], 'MAXLEN', '~', 1000, '*', 't', ARGV[2], 'e', ARGV[3])
return redis.call('HINCRBY', KEYS[1], 'balance', -tonumber(ARGV[1]))
"""


class Way:
    """What of it is in the process of the webhook."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._sha = sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()
        self._numbers = count(1)
        self._waiting: dict[str, asyncio.Future[None]] = {}

    async def take(self, command: Command) -> Answer:
        """R0 once the bet is in the file, as often as it comes."""
        token = f"{next(self._numbers):x}"
        synced = self._waiting[token] = asyncio.get_running_loop().create_future()
        stake = sum(item.amount for item in command.items)
        text = f"{command.user_id} {command.transaction_id} {command.game_no} {stake}\n"
        keys = (wallet_key(command.user_id), STREAM)
        balance = await self._pipeline.execute("EVALSHA", self._sha, len(keys), *keys, stake, token, text)
        await synced
        return Answer(Code.R0, "taken", balance, currency=command.currency)

    async def begin(self) -> None:
        """Once Redis is there."""
        await self._pipeline.usable.wait()
        await self._pipeline.execute("SCRIPT", "LOAD", SCRIPT)

    def told(self, message: Message) -> None:
        """These bets are in the file."""
        for token in message.text.split():
            self._waiting.pop(token).set_result(None)


async def take_bets(port: int, socket: str) -> None:
    """The webhook. Serves for ever."""
    address = UrlAddress(f"unix://{socket}")
    pipeline = Pipeline(address, deadline_ms=DEADLINE_MS, in_flight_max=IN_FLIGHT_MAX)
    way = Way(pipeline)
    async with asyncio.TaskGroup() as group:
        group.create_task(pipeline.run())
        group.create_task(Subscription(address, CHANNEL, receive=way.told).run())
        await way.begin()
        group.create_task(serve(port, handler(way.take)))


Keep = Callable[[Sequence[bytes]], Awaitable[object]]
"""Returns when these texts are kept for good."""


@asynccontextmanager
async def kept_in_file(path: Path) -> AsyncIterator[Keep]:
    """Texts at the end of a file."""
    with path.open("ab", buffering=0) as file:

        async def keep(texts: Sequence[bytes]) -> None:
            file.write(b"".join(texts))
            os.fdatasync(file.fileno())

        yield keep


@asynccontextmanager
async def kept_in_postgres(url: str) -> AsyncIterator[Keep]:
    """A row for each text, without index or rule: the least that PostgreSQL can commit."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("CREATE TABLE IF NOT EXISTS bet (text bytea)")
        yield (await connection.prepare("INSERT INTO bet SELECT unnest($1::bytea[])")).fetch
    finally:
        await connection.close()


async def write_bets(socket: str, keeping: AbstractAsyncContextManager[Keep]) -> None:
    """The writer. Writes for ever what comes."""
    address = UrlAddress(f"unix://{socket}")
    last = b"0"
    async with AsyncExitStack() as stack:
        reading, telling = await address.connect(), await address.connect()
        stack.push_async_callback(reading.close)
        stack.push_async_callback(telling.close)
        keep = await stack.enter_async_context(keeping)
        while True:
            reading.write([packed("XREAD", "BLOCK", 0, "STREAMS", STREAM, last)])
            (((_, entries),),) = await reading.read_replies()
            await keep([fields[3] for _, fields in entries])
            tokens = b" ".join(fields[1] for _, fields in entries)
            telling.write([packed("PUBLISH", CHANNEL, tokens)])
            last = entries[-1][0]


if __name__ == "__main__":
    if sys.argv[1] == "write":
        place = sys.argv[3]
        uvloop.run(write_bets(sys.argv[2], kept_in_postgres(place) if "://" in place else kept_in_file(Path(place))))
    else:
        uvloop.run(take_bets(port_argument(), sys.argv[2]))
