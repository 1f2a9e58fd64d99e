"""What a writer tells of its shards after each commit, from the writers that SQL names and from no other.

Anybody may publish in Redis, and so does a writer whose ledger is a copy of ours. So each message carries the nonce of
its writer, and a line for each shard. A line under a nonce that SQL was not seen to name for that shard is kept until
SQL was asked: a new writer tells under a new nonce. What is lost on the way costs nothing but time, as whoever waits
asks SQL in the end.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from seamless_wallet.engine import keys
from seamless_wallet.engine.ports import Message, RedisAddress
from seamless_wallet.engine.subscription import Subscription
from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.observability import metrics
from seamless_wallet.observability.rate_limited_log import RateLimitedLog

DOUBTED_MAX: Final = 1_024
"""Lines kept until SQL has answered. Of more than that the newest are dropped."""

DOUBT_EVERY_S: Final = 0.1
"""How often SQL is asked, whoever tells what."""

DENIED_MAX: Final = 256
"""Nonces remembered as not named."""

_NONCE: Final = re.compile("[0-9a-f]{8,64}")
_LINE: Final = re.compile(r"(?a:(\d{1,4}) (\d{1,18}) (\d{1,18}) (.*))")


class Told(NamedTuple):
    """SQL has committed a shard up to `seq` of `epoch`, and with it just now the attempts of these tokens."""

    shard: int
    nonce: str
    epoch: int
    seq: int
    tokens: str


class WriterMessages:
    """Listens to the writer. `names(shard, nonce)`: whether SQL was seen to name it; `ask` reads that again."""

    def __init__(
        self,
        *,
        redis: RedisAddress,
        ledger_uuid: str,
        shards: int,
        names: Callable[[int, str], bool],
        ask: Callable[[], Awaitable[None]],
        take: Callable[[Told], None],
    ) -> None:
        self._shards = shards
        self.subscription: Final = Subscription(redis, keys.committed_channel(ledger_uuid), receive=self._receive)
        self._names = names
        self._ask = ask
        self._take = take
        self._doubted: deque[Told] = deque()
        self._doubt = asyncio.Event()
        self._denied: dict[tuple[int, str], None] = {}
        self._rate_limited_log = RateLimitedLog(every_s=10, monotonic_s=asyncio.get_running_loop().time)

    async def run(self) -> None:
        """Listen for ever, and ask SQL about writers that are new."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.subscription.run())
            group.create_task(self._ask_for_ever())

    def _receive(self, message: Message) -> None:
        nonce, *lines = message.text.split("\n")
        if not _NONCE.fullmatch(nonce):
            return
        for line in lines:
            match = _LINE.fullmatch(line)
            if match and int(match[1]) < self._shards:
                self._hear(Told(int(match[1]), nonce, int(match[2]), int(match[3]), match[4]))

    def _hear(self, told: Told) -> None:
        if self._names(told.shard, told.nonce):
            self._take(told)
        elif (told.shard, told.nonce) in self._denied or len(self._doubted) >= DOUBTED_MAX:
            metrics.MESSAGES_DISBELIEVED.inc()
        else:
            self._doubted.append(told)
            self._doubt.set()

    async def _ask_for_ever(self) -> None:
        while True:
            await self._doubt.wait()
            self._doubt.clear()
            doubted, self._doubted = self._doubted, deque()
            try:
                await self._ask()
            except (StoreError, TimeoutError):
                pass  # whoever waits asks SQL, too, and reports that
            else:
                for told in doubted:
                    self._judge(told)
            await asyncio.sleep(DOUBT_EVERY_S)

    def _judge(self, told: Told) -> None:
        if self._names(told.shard, told.nonce):
            self._take(told)
            return
        if len(self._denied) >= DENIED_MAX:
            self._denied.clear()
        self._denied[told.shard, told.nonce] = None
        metrics.MESSAGES_DISBELIEVED.inc()
        self._rate_limited_log.error(
            "message_disbelieved",
            shard=told.shard,
            nonce=told.nonce,
            remedy="look for another writer on this Redis (`wallet docs operations`); nothing of it is told to anybody",
        )
