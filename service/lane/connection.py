"""How this service connects to Redis, and how it listens there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Final

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

CONNECT_TIMEOUT_S: Final = 2.0


def connection_pool(url: str) -> BlockingConnectionPool:
    """A pool that never retries by itself and has no time-outs on reading: the lane's deadline closes it."""
    return BlockingConnectionPool.from_url(
        url,
        max_connections=1,
        socket_timeout=None,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
        retry_on_error=[],
        health_check_interval=0,
        protocol=2,
    )


async def listen(url: str, *channels: str) -> AsyncIterator[tuple[str, str]]:
    """Channel and text of each message, until the connection breaks. Raises RedisError or OSError then."""
    async with aclosing(Redis(connection_pool=connection_pool(url))) as client:
        try:
            async with client.pubsub(ignore_subscribe_messages=True) as subscription:
                await subscription.subscribe(*channels)
                async for message in subscription.listen():
                    yield message["channel"].decode(), message["data"].decode(errors="replace")
        finally:
            await client.connection_pool.disconnect()
