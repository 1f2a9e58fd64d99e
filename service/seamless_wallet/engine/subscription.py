"""Listening to channels for ever, over as many connections as it takes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import structlog
from redis.exceptions import RedisError, ResponseError

from seamless_wallet.engine.packing import packed
from seamless_wallet.engine.ports import Connection, Message, RedisAddress
from seamless_wallet.errors import WalletError
from seamless_wallet.observability import metrics

RESUBSCRIBE_S: Final = 0.2
"""After a connection broke, before the next one."""

PING_EVERY_S: Final = 1.0
"""A connection over which nothing came for so long is asked for a sign of life."""

PONG_LIMIT_S: Final = 1.0
"""How long the sign of life may take."""

PING: Final = packed("PING")

log = structlog.get_logger(__name__)


class SilentConnection(WalletError, OSError):
    """Nothing comes over a connection that is open: a firewall drops its packets, or the server hangs."""


class Subscription:
    """Channels, and who receives what is published there. What is published between two connections is lost."""

    def __init__(self, address: RedisAddress, *channels: str, receive: Callable[[Message], None]) -> None:
        self._address = address
        self._channels = channels
        self._receive = receive
        self._renewal = asyncio.Event()
        self._reason = OSError()
        self._heard = False
        self._reported = False

    def renew(self, reason: OSError) -> None:
        """Leave this connection, for this reason, and subscribe where the address leads now."""
        self._reason = reason
        self._renewal.set()

    async def run(self) -> None:
        """Listen for ever."""
        while True:
            try:
                await self._listen()
            except* (RedisError, OSError) as errors:
                self._report(errors.exceptions[0])
            await asyncio.sleep(RESUBSCRIBE_S)

    async def _listen(self) -> None:
        """Listen as long as one connection lasts. Raises RedisError or OSError, alone or in a group."""
        connection = await self._address.connect()
        self._renewal.clear()
        try:
            connection.write([packed("SUBSCRIBE", *self._channels)])
            async with asyncio.TaskGroup() as group:
                group.create_task(self._read(connection))
                group.create_task(self._watch(connection))
                group.create_task(self._wait_for_renewal())
        finally:
            await connection.close()

    async def _read(self, connection: Connection) -> None:
        while True:
            for reply in await connection.read_replies():
                match reply:
                    case [b"message", channel, data]:
                        self._heard, self._reported = True, False
                        self._receive(Message(channel.decode(), data.decode(errors="replace")))
                    case [b"pong", *_]:
                        self._heard, self._reported = True, False
                    case ResponseError():
                        raise reply
                    case _:
                        self._heard = True  # the subscription itself: no sign yet that it lasts

    async def _watch(self, connection: Connection) -> None:
        """Raises SilentConnection if nothing comes, not even the reply to a PING."""
        while True:
            self._heard = False
            await asyncio.sleep(PING_EVERY_S)
            if not self._heard:
                connection.write([PING])
                await asyncio.sleep(PONG_LIMIT_S)
                if not self._heard:
                    limit_s = PING_EVERY_S + PONG_LIMIT_S
                    raise SilentConnection(f"nothing came within {limit_s:g} s, not even the reply to a PING")

    async def _wait_for_renewal(self) -> None:
        await self._renewal.wait()
        raise self._reason

    def _report(self, error: BaseException) -> None:
        """Count it, and log it once until something comes again."""
        metrics.REDIS_CONNECTION_ERRORS.labels(type(error).__name__).inc()
        if not self._reported:
            log.info("subscription_lost", error=str(error), remedy="none: it subscribes again, and SQL is asked")
        self._reported = True
