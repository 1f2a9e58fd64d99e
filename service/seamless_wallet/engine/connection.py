"""The way to Redis by redis-py: it reads the URL, does TLS and authentication, and never tries anything again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any, Final

from hiredis import Reader
from redis._parsers.base import BaseParser
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse, RedisError

CONNECT_TIMEOUT_S: Final = 2.0

READ_BYTES: Final = 2**16
"""Read at once."""

_INCOMPLETE: Final = object()
"""What the parser gives while a reply is not complete."""

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
    """The Connection that redis-py has made. What is sent and what comes passes it by.

    It would take one reply at a time, through coroutines that cost more than to parse it (docs/performance.md).
    """

    def __init__(self, connection: AbstractConnection) -> None:
        self._connection = connection
        self._parser = Reader(
            protocolError=InvalidResponse,
            replyError=BaseParser.parse_error,
            notEnoughData=_INCOMPLETE,
        )

    def write(self, commands: Sequence[bytes]) -> None:
        """Hand over packed commands. What a server does not take piles up: the pipeline's limits bound it."""
        writer = self._connection._writer  # noqa: SLF001 - redis-py's own way connects anew, to whatever is there
        if writer is not None and not writer.is_closing():
            writer.write(b"".join(commands))

    async def read_replies(self) -> list[Any]:
        """What has come, at least one reply. Raises RedisError or OSError."""
        stream = self._connection._reader  # noqa: SLF001 - what redis-py reads itself
        if stream is None:
            raise ConnectionResetError("the connection is closed")
        parser, replies = self._parser, list[Any]()
        while not replies:
            received = await stream.read(READ_BYTES)
            if not received:
                raise ConnectionResetError("the server has closed the connection")
            parser.feed(received)
            while (reply := parser.gets()) is not _INCOMPLETE:
                if isinstance(reply, RedisConnectionError):  # it is loading, or has too many clients
                    raise reply
                replies.append(reply)
        return replies

    async def close(self) -> None:
        """Close at once. What the server has not taken is dropped: its outcome has been told to be unknown."""
        writer = self._connection._writer  # noqa: SLF001 - redis-py would have the rest sent
        if writer is not None:
            writer.transport.abort()
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
