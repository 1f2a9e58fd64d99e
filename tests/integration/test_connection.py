"""What comes over a connection to Redis, and how its end is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis.exceptions import BusyLoadingError

from seamless_wallet.engine.connection import RedisPyConnection, UrlAddress
from seamless_wallet.engine.packing import packed

LIMIT_S = 5
MANY_BYTES = 20_000_000

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]


@asynccontextmanager
async def connected(directory: Path, serve: Serve) -> AsyncIterator[RedisPyConnection]:
    """To a server that is `serve` once a connection has said what redis-py says at first."""
    closing, closed = asyncio.Event(), asyncio.Event()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (received := await reader.read(1000)) and b"PING" not in received:
            writer.write(b"+OK\r\n" * received.count(b"SETINFO"))
        if received:
            serve(reader, writer)
        await closing.wait()
        writer.transport.abort()
        closed.set()

    server = await asyncio.start_unix_server(take, directory / "s")
    connection = await UrlAddress(f"unix://{directory / 's'}").connect()
    try:
        yield connection
    finally:
        await connection.close()
        closing.set()
        await asyncio.wait_for(closed.wait(), LIMIT_S)
        server.close()
        await server.wait_closed()


async def test_the_end_is_told_although_much_waits_to_be_sent(tmp_path):
    """A server that takes nothing more and has closed its side: it may never take the rest"""

    def serve(reader, writer):
        reader._transport.pause_reading()
        writer.write_eof()

    async with connected(tmp_path, serve) as connection:
        connection.write([packed("PING"), bytes(MANY_BYTES)])
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(connection.read_replies(), LIMIT_S)


async def test_what_comes_before_the_end_is_told_first(tmp_path):
    """In order, and then the end again and again"""

    def serve(_, writer):
        writer.write(b"+one\r\n:2\r\n")
        writer.write_eof()

    async with connected(tmp_path, serve) as connection:
        connection.write([packed("PING")])
        replies = await connection.read_replies()
        while len(replies) < 2:
            replies += await connection.read_replies()
        assert replies == [b"one", 2]
        for _ in range(2):
            with pytest.raises(ConnectionResetError):
                await asyncio.wait_for(connection.read_replies(), LIMIT_S)


async def test_nothing_is_a_reply_after_one_that_ended_the_connection(tmp_path):
    """It would be taken for that of another command"""
    async with connected(tmp_path, lambda *_: None) as connection:
        connection.data_received(b"+one\r\n-LOADING it loads\r\n+three\r\n")
        connection.data_received(b"+four\r\n")
        assert await connection.read_replies() == [b"one"]
        with pytest.raises(BusyLoadingError):
            await connection.read_replies()
