"""How this service connects to Redis, and how it listens there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Final, NamedTuple

import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ReadOnlyError, RedisError

CONNECT_TIMEOUT_S: Final = 2.0
RESUBSCRIBE_S: Final = 0.2

log = structlog.get_logger(__name__)


class Server(NamedTuple):
    """Identity of a Redis server. A fail-over changes the replication id, a restart both."""

    run_id: str
    replid: str


def parse_server(*info: bytes) -> Server:
    """From the sections `server` and `replication` of INFO. Raises ReadOnlyError for a replica."""
    text = b"\r\n".join(info).decode()
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    if fields["role"] != "master":
        raise ReadOnlyError("the server is a replica")
    return Server(fields["run_id"], fields["master_replid"])


def connection_pool(url: str) -> BlockingConnectionPool:
    """A pool that never retries by itself and has no time-outs on reading: the pipeline's deadline closes it."""
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


async def who_answers(url: str) -> Server:
    """Where the address leads a new connection, now. Raises RedisError or OSError."""
    connection = connection_pool(url).make_connection()  # type: ignore[no-untyped-call]
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            replies = []
            for section in ("server", "replication"):
                await connection.send_command("INFO", section)
                replies.append(await connection.read_response(disable_decoding=True))
        return parse_server(*replies)
    finally:
        await connection.disconnect(nowait=True)


async def listen(url: str, *channels: str) -> AsyncIterator[tuple[str, str]]:
    """Channel and text of each message, for ever. What is sent while the connection is broken is lost."""
    silent = False
    while True:
        try:
            async with aclosing(_listen_once(url, channels)) as messages:
                async for message in messages:
                    silent = False
                    yield message
        except (RedisError, OSError) as error:
            if not silent:
                log.info("subscription_lost", error=str(error), remedy="none: it is taken up again, and SQL is asked")
            silent = True  # until there is a message again: one line says it
        await asyncio.sleep(RESUBSCRIBE_S)


async def _listen_once(url: str, channels: Sequence[str]) -> AsyncGenerator[tuple[str, str], None]:
    async with aclosing(Redis(connection_pool=connection_pool(url))) as client:
        try:
            async with client.pubsub(ignore_subscribe_messages=True) as subscription:
                await subscription.subscribe(*channels)
                async for message in subscription.listen():
                    yield message["channel"].decode(), message["data"].decode(errors="replace")
        finally:
            await client.connection_pool.disconnect()
