"""The small HTTP server: what it answers to right requests, to wrong ones, and to those who only hold connections."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus

import aiohttp
import pytest

from seamless_wallet.observability import health_server
from seamless_wallet.observability.health_server import CONNECTIONS_MAX, HealthAnswer, HealthServer

FINE = b"GET /fine HTTP/1.1\r\n\r\n"


async def _fine() -> HealthAnswer:
    return HealthAnswer(HTTPStatus.OK, "text/x-test", b"fine")


@asynccontextmanager
async def served(*listeners, handler=_fine):
    """A server with one path."""
    server = HealthServer({"/fine": handler})
    for listener in listeners:
        await server.listen(listener)
    try:
        yield server
    finally:
        server.close()


@asynccontextmanager
async def on_tcp():
    """The same on a port."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    async with served(listener):
        yield listener.getsockname()[1]


async def exchange(port: int, request: bytes) -> bytes:
    """What comes back, to the end of the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    try:
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()


async def test_a_client_reads_it_on_tcp_and_on_a_unix_socket(tmp_path):
    """As any HTTP/1.1 client does."""
    tcp, unix = socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_UNIX)
    unix.bind(str(tmp_path / "s"))
    unix.listen()
    for listener in (tcp, unix):
        listener.setblocking(False)
    async with served(tcp, unix):
        for connector, host in (
            (aiohttp.TCPConnector(), f"127.0.0.1:{tcp.getsockname()[1]}"),
            (aiohttp.UnixConnector(str(tmp_path / "s")), "x"),
        ):
            async with aiohttp.ClientSession(connector=connector) as session:
                async with session.get(f"http://{host}/fine?and=more") as reply:
                    assert (reply.status, reply.content_type, await reply.read()) == (200, "text/x-test", b"fine")
                async with session.head(f"http://{host}/fine") as reply:
                    assert (reply.status, reply.headers["Content-Length"]) == (200, "4")
                async with session.get(f"http://{host}/other") as reply:
                    assert reply.status == 404
                async with session.post(f"http://{host}/fine", data=b"x" * 100_000) as reply:
                    assert reply.status == 405


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /fine HTTP/1.0\r\n\r\n", 200),
        (b"GET /fine HTTP/2.0\r\n\r\n", 505),
        (b"GET /fine\r\n\r\n", 400),
        (b"\xff\xfe\r\n\r\n", 400),
        (b"\r\n\r\n", 400),
        (b"GET /fine HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", 400),
    ],
)
async def test_what_is_no_request_is_answered_shortly(request_, status):
    """And repeats nothing of it."""
    async with on_tcp() as port:
        answer = await exchange(port, request_)
        assert answer.startswith(b"HTTP/1.1 %d " % status)
        assert b"\xff" not in answer
        assert b"xxx" not in answer


async def test_a_caller_who_sends_nothing_is_let_go(monkeypatch):
    """After the limit, without an answer."""
    monkeypatch.setattr(health_server, "REQUEST_LIMIT_S", 0.05)
    async with on_tcp() as port:
        assert await exchange(port, b"") in {b"", b"HTTP/1.1 400 Bad Request\r\n"}
        assert await exchange(port, b"GET /fine HTTP/1.1\r\n") == b""


async def test_who_holds_all_connections_and_asks_nothing_hides_no_process():
    """The one that has been silent for longest makes room for the next."""
    async with on_tcp() as port:
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CONNECTIONS_MAX)]
        for _ in range(3):
            assert (await exchange(port, FINE)).endswith(b"fine")
        for _, each in held:
            each.close()


async def test_more_callers_than_allowed_are_closed_at_once_and_the_next_one_is_served():
    """When the others have their answers."""
    answering, waiting = asyncio.Event(), []

    async def slow() -> HealthAnswer:
        waiting.append(1)
        await answering.wait()
        return await _fine()

    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    port = listener.getsockname()[1]
    async with served(listener, handler=slow):
        asking = [asyncio.create_task(exchange(port, FINE)) for _ in range(CONNECTIONS_MAX)]
        async with asyncio.timeout(10):
            while len(waiting) < CONNECTIONS_MAX:  # noqa: ASYNC110 - each call adds one
                await asyncio.sleep(0.01)
        with suppress(ConnectionResetError):
            assert await exchange(port, FINE) == b""
        answering.set()
        assert all(answer.endswith(b"fine") for answer in await asyncio.gather(*asking))
        assert (await exchange(port, FINE)).endswith(b"fine")
