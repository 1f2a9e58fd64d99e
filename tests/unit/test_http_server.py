"""What the HTTP servers do about callers who are no clients: told nothing, held for a while, limited in number."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest
from aiohttp import web
from prometheus_client import REGISTRY

from seamless_wallet.http_server import aiohttp_internals as http_server
from seamless_wallet.http_server.aiohttp_internals import application, serve
from seamless_wallet.supervisor.data_directory import BACKLOG, listen
from tests.integration.harness import until

SECRET = "a-key-that-nobody-repeats"


async def answer(_: web.Request) -> web.Response:
    """Of a few bytes."""
    return web.Response(text="served")


async def much(_: web.Request) -> web.Response:
    """More than any buffer holds."""
    return web.Response(body=b"x" * 20_000_000)


@asynccontextmanager
async def serving(connections_max: int = 100):
    """Where it is served."""
    app = application("webhook", body_bytes_max=1_000)
    app.router.add_post("/", answer)
    app.router.add_get("/much", much)
    async with AsyncExitStack() as stack:
        listener = listen("127.0.0.1", 0, "WALLET_WEBHOOK")
        await serve(stack, app, listener, connections_max=connections_max, backlog=BACKLOG)
        yield listener.getsockname()


def counted(name: str) -> float:
    """A metric of this server."""
    return REGISTRY.get_sample_value(name, {"server": "webhook"}) or 0.0


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (f"POST / HTTP/1.1\nHost: w\nApi-Key: {SECRET}\n\n", 400),
        (f"POST / HTTP/1.1\r\nHost: w\r\nApi-Key : {SECRET}\r\n\r\n", 400),
        (f"{SECRET}\r\n\r\n", 400),
        (f"POST / HTTP/1.1\r\nHost: w\r\nApi-Key: {SECRET}\r\nExpect: wonders\r\nContent-Length: 0\r\n\r\n", 417),
        (f"GET / HTTP/1.1\r\nHost: w\r\nApi-Key: {SECRET}\r\n\r\n", 405),
        (f"POST /{SECRET} HTTP/1.1\r\nHost: w\r\nContent-Length: 0\r\n\r\n", 404),
        (f"POST / HTTP/1.1\r\nHost: w\r\nApi-Key: {SECRET}\r\nContent-Length: 0\r\n\r\n", 200),
    ],
)
async def test_nothing_is_told_of_the_caller_or_of_us(head, status):
    """No word of what was sent, which a proxy would log, and no version, whoever answers."""
    async with serving() as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(head.encode())
        told = await reader.read(65_536)
        writer.close()
    lines = told.decode().splitlines()
    assert lines[0].startswith(f"HTTP/1.1 {status} ") or lines[0].startswith(f"HTTP/1.0 {status} ")
    assert "Server: wallet" in lines
    assert SECRET not in told.decode()


async def test_one_connection_too_many_is_closed_and_the_others_are_served():
    """Until one of them goes."""
    refused = counted("wallet_http_connections_refused_total")
    async with serving(connections_max=2) as address:
        (reader, writer), other = [await asyncio.open_connection(*address) for _ in range(2)]
        await until(lambda: counted("wallet_http_connections") == 2, "two")
        third, gone = await asyncio.open_connection(*address)
        with suppress(ConnectionResetError):
            assert await third.read() == b""
        assert counted("wallet_http_connections_refused_total") == refused + 1
        writer.write(b"POST / HTTP/1.1\r\nHost: w\r\nContent-Length: 0\r\n\r\n")
        assert (await reader.read(65_536)).endswith(b"served")
        writer.close()
        await until(lambda: counted("wallet_http_connections") == 1, "one")
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"POST / HTTP/1.1\r\nHost: w\r\nContent-Length: 0\r\n\r\n")
        assert (await reader.read(65_536)).endswith(b"served")
        for each in (writer, gone, other[1]):
            each.close()
    assert counted("wallet_http_connections") == 0


async def test_a_client_that_takes_no_answer_is_let_go(monkeypatch):
    """It would hold its connection, and what waits for it, for ever."""
    monkeypatch.setattr(http_server, "UNREAD_MS", 500)
    async with serving() as address:
        _, writer = await asyncio.open_connection(*address, limit=1)  # its reader takes no more than this
        writer.write(b"GET /much HTTP/1.1\r\nHost: w\r\n\r\n")
        await until(lambda: counted("wallet_http_connections") == 1, "one")
        await until(lambda: counted("wallet_http_connections") == 0, "none")
        writer.close()


async def test_a_body_that_nobody_reads_holds_its_connection_for_a_moment_only(monkeypatch):
    """The answer is there at once; a client that does not send the rest is waited for as long as we say, and let go."""
    monkeypatch.setattr(http_server, "LINGER_S", 0.1)  # by itself aiohttp would wait for 10 s
    async with serving() as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"POST / HTTP/1.1\r\nHost: w\r\nContent-Length: 900\r\n\r\n{")
        assert (await reader.readuntil(b"served")).startswith(b"HTTP/1.1 200 ")
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()
