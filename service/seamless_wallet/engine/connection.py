"""The way to Redis by redis-py: it reads the URL, does TLS and authentication, and never tries anything again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Sequence
from typing import Any, Final

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

CONNECT_TIMEOUT_S: Final = 2.0

CALL_LIMIT_S: Final = 5.0
"""How long a `decoding_client` waits for one reply."""


class UrlAddress:
    """The RedisAddress that a URL names."""

    def __init__(self, url: str) -> None:
        self._pool = _pool(url)  # only makes connections, and keeps none

    async def connect(self) -> RedisPyConnection:
        """A new connection, authenticated, within CONNECT_TIMEOUT_S. Raises RedisError or OSError.

        redis-py bounds the connecting itself, and not what it asks the server then.
        """
        connection: AbstractConnection = self._pool.make_connection()  # type: ignore[no-untyped-call]
        made = RedisPyConnection(connection)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await connection.connect()  # type: ignore[no-untyped-call]
        except TimeoutError:
            await made.close()
            raise TimeoutError(f"no answer from Redis within {CONNECT_TIMEOUT_S:g} s of connecting") from None
        except BaseException:
            await made.close()
            raise
        return made


class RedisPyConnection:
    """The Connection that redis-py holds."""

    def __init__(self, connection: AbstractConnection) -> None:
        self._connection = connection

    async def send(self, commands: Sequence[bytes]) -> None:
        """Write packed commands. Raises RedisError or OSError."""
        if not self._connection.is_connected:  # redis-py would connect anew, to whatever is there, and run them
            raise ConnectionResetError("the connection is closed")
        await self._connection.send_packed_command(commands, check_health=False)

    def read_reply(self) -> Awaitable[Any]:
        """The next reply, bytes undecoded. Not a coroutine of its own, which would cost CPU for every reply."""
        return self._connection.read_response(disable_decoding=True)

    async def close(self) -> None:
        """Close at once."""
        with contextlib.suppress(RedisError, OSError):
            await self._connection.disconnect(nowait=True)


def decoding_client(url: str) -> Redis:
    """A client for tools: one command at a time, replies decoded, nothing tried again."""
    client: Redis = Redis.from_url(
        url,
        decode_responses=True,
        retry=Retry(NoBackoff(), 0),
        socket_timeout=CALL_LIMIT_S,
        socket_connect_timeout=CALL_LIMIT_S,
    )
    return client


def _pool(url: str) -> BlockingConnectionPool:
    """Reads the URL. No retries, and no time-outs on reading: the deadline of the pipeline closes a connection."""
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
