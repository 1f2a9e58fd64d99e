"""The way to Redis by redis-py: it reads the URL, does TLS and authentication, and never tries anything again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any, Final, cast

from hiredis import Reader
from redis._parsers.base import BaseParser
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse, RedisError

CONNECT_TIMEOUT_S: Final = 2.0

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
        made.take_over()
        return made


class RedisPyConnection(asyncio.Protocol):
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
        self._transport: asyncio.Transport | None = None
        self._replies: list[Any] = []
        self._end: Exception | None = None
        self._arrival: asyncio.Future[None] | None = None

    def take_over(self) -> None:
        """From now on what comes is ours. redis-py has read all replies to what it has asked."""
        reader, writer = self._connection._reader, self._connection._writer  # noqa: SLF001 - it shows them to nobody
        if reader is None or writer is None or writer.is_closing() or reader.at_eof() or reader.exception():
            self.connection_lost(reader.exception() if reader is not None else None)
            return
        self._transport = cast("asyncio.Transport", writer.transport)
        self._transport.set_protocol(self)

    def data_received(self, data: bytes) -> None:
        """Parse it, and wake whoever waits for a reply. After the end nothing is: a reply before it may be missing."""
        if self._end is not None:
            return
        parser, replies = self._parser, self._replies
        try:
            parser.feed(data)
            while (reply := parser.gets()) is not _INCOMPLETE:
                if isinstance(reply, RedisConnectionError):  # it is loading, or has too many clients
                    self._end = reply
                    break
                replies.append(reply)
        except InvalidResponse as error:
            self._end = error
        if replies or self._end:
            self._wake()

    def eof_received(self) -> None:
        """The end at once, and not when the server has taken what waits to be sent: it may never do so."""
        self.connection_lost(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """The end, for whatever reason."""
        self._end = self._end or exc or ConnectionResetError("the server has closed the connection")
        self._wake()

    def _wake(self) -> None:
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)

    def write(self, commands: Sequence[bytes]) -> None:
        """Hand over packed commands. What a server does not take piles up: the pipeline's limits bound it."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"".join(commands))

    async def read_replies(self) -> list[Any]:
        """What has come, at least one reply. Raises RedisError or OSError."""
        while not self._replies:
            if self._end is not None:
                raise self._end
            self._arrival = asyncio.get_running_loop().create_future()
            await self._arrival
        replies, self._replies = self._replies, []
        return replies

    async def close(self) -> None:
        """Close at once. What the server has not taken is dropped: its outcome has been told to be unknown."""
        if self._transport is not None:
            self._transport.abort()  # redis-py would have the rest sent
        self._end = ConnectionResetError("the connection is closed")  # one that was raised holds its frames, and us
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
