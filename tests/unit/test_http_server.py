"""What the HTTP servers do about callers who are no clients: told nothing, held for a while, limited in number."""

from __future__ import annotations

import ast
import asyncio
import errno
import inspect
import re
import tomllib
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import pytest
import structlog
from aiohttp import web

from seamless_wallet.http_server import aiohttp_internals, serving
from seamless_wallet.http_server.listener import bind_listener
from seamless_wallet.http_server.serving import application, prepare_server
from seamless_wallet.observability import metrics
from seamless_wallet.observability.instruments import Counter, Gauge
from tests.integration.waiting import until

ROOT = Path(__file__).parents[2]
SECRET = "a-key-that-nobody-repeats"


async def answer(_: web.Request) -> web.Response:
    """Of a few bytes."""
    return web.Response(text="served")


async def much(_: web.Request) -> web.Response:
    """More than any buffer holds."""
    return web.Response(body=b"x" * 20_000_000)


@asynccontextmanager
async def served(connections_max: int = 100):
    """Where it is served."""
    app = application("webhook", body_bytes_max=1_000)
    app.router.add_post("/", answer)
    app.router.add_get("/much", much)
    async with AsyncExitStack() as stack:
        listener = bind_listener("127.0.0.1", 0, "WALLET_WEBHOOK")
        server = await prepare_server(stack, app, listener, connections_max=connections_max)
        await server.accept()
        yield listener.getsockname()


def counted(metric: Counter | Gauge) -> float:
    """A metric of this server."""
    return metric.labels("webhook").value


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
    async with served() as address:
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
    refused = counted(metrics.HTTP_CONNECTIONS_REFUSED)
    async with served(connections_max=2) as address:
        (reader, writer), other = [await asyncio.open_connection(*address) for _ in range(2)]
        await until(lambda: counted(metrics.HTTP_CONNECTIONS) == 2, "two")
        third, gone = await asyncio.open_connection(*address)
        with suppress(ConnectionResetError):
            assert await third.read() == b""
        assert counted(metrics.HTTP_CONNECTIONS_REFUSED) == refused + 1
        writer.write(b"POST / HTTP/1.1\r\nHost: w\r\nContent-Length: 0\r\n\r\n")
        assert (await reader.read(65_536)).endswith(b"served")
        writer.close()
        await until(lambda: counted(metrics.HTTP_CONNECTIONS) == 1, "one")
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"POST / HTTP/1.1\r\nHost: w\r\nContent-Length: 0\r\n\r\n")
        assert (await reader.read(65_536)).endswith(b"served")
        for each in (writer, gone, other[1]):
            each.close()
    assert counted(metrics.HTTP_CONNECTIONS) == 0


async def test_a_client_that_takes_no_answer_is_let_go(monkeypatch):
    """It would hold its connection, and what waits for it, for ever."""
    monkeypatch.setattr(serving, "UNREAD_MS", 500)
    async with served() as address:
        _, writer = await asyncio.open_connection(*address, limit=1)  # its reader takes no more than this
        writer.write(b"GET /much HTTP/1.1\r\nHost: w\r\n\r\n")
        await until(lambda: counted(metrics.HTTP_CONNECTIONS) == 1, "one")
        await until(lambda: counted(metrics.HTTP_CONNECTIONS) == 0, "none")
        writer.close()


async def test_a_body_that_nobody_reads_holds_its_connection_for_a_moment_only(monkeypatch):
    """The answer is there at once; a client that does not send the rest is waited for as long as we say, and let go."""
    monkeypatch.setattr(serving, "LINGER_S", 0.1)  # by itself aiohttp would wait for 10 s
    async with served() as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"POST / HTTP/1.1\r\nHost: w\r\nContent-Length: 900\r\n\r\n{")
        assert (await reader.readuntil(b"served")).startswith(b"HTTP/1.1 200 ")
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()


# ---------------------------------------------------------------------- private parts of aiohttp

PUBLIC_MODULES = {"aiohttp", "aiohttp.typedefs"}
INTERNALS = ROOT / "service" / "seamless_wallet" / "http_server" / "aiohttp_internals.py"


def moved(what: str) -> str:
    """What a failure says."""
    return f"aiohttp {version('aiohttp')}: {what}; look at what http_server/aiohttp_internals.py overrides"


async def test_the_private_parts_of_aiohttp_that_are_overridden_are_there():
    """By their names, and with the parameters that our overrides take and pass on."""
    runner = web.AppRunner(web.Application())
    assert inspect.iscoroutinefunction(getattr(runner, "_make_server", None)), moved("no AppRunner._make_server")
    await runner.setup()
    server = runner.server
    try:
        assert type(server) is web.Server, moved("AppRunner._make_server makes no web.Server")
        assert isinstance(getattr(server, "_kwargs", None), dict), moved("no Server._kwargs")
        assert callable(getattr(server, "request_handler", None)), moved("no Server.request_handler")
        assert callable(getattr(server, "request_factory", None)), moved("no Server.request_factory")
        assert type(server()) is web.RequestHandler, moved("Server.__call__ makes no RequestHandler")
    finally:
        await runner.cleanup()
    for name in ("connection_made", "connection_lost", "handle_error"):
        ours, theirs = (
            list(inspect.signature(vars(owner)[name]).parameters) if name in vars(owner) else None
            for owner in (aiohttp_internals._CountedConnection, web.RequestHandler)
        )
        assert ours == theirs, moved(f"RequestHandler.{name} has the parameters {theirs}")


async def test_the_overrides_are_in_use():
    """A server of ours makes connections of ours."""
    app = application("webhook", body_bytes_max=1_000)
    runner = aiohttp_internals.LimitedRunner(app, "webhook", connections_max=1, shutdown_timeout_s=1)
    await runner.setup()
    try:
        assert isinstance(runner.server, aiohttp_internals._LimitedServer), moved("_make_server is not called")
        assert isinstance(runner.server(), aiohttp_internals._CountedConnection)
    finally:
        await runner.cleanup()


def test_no_other_module_looks_into_aiohttp():
    """Everything else imports what aiohttp documents."""
    imported = {
        name
        for path in (ROOT / "service").rglob("*.py")
        if path != INTERNALS
        for node in ast.walk(ast.parse(path.read_text()))
        for name in modules_of(node)
        if name.partition(".")[0] == "aiohttp"
    }
    assert imported == PUBLIC_MODULES


def modules_of(node: ast.AST) -> list[str]:
    """The modules that an import statement names."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) and node.module else []


def test_no_minor_version_of_aiohttp_is_allowed_that_was_not_tried():
    """The bound in pyproject.toml ends with the version that these tests ran with."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (bounds,) = [name for name in project["dependencies"] if re.match(r"aiohttp\b", name)]
    major, minor = map(int, version("aiohttp").split(".")[:2])
    assert bounds.endswith(f"<{major}.{minor + 1}")


HEAD = aiohttp_internals.prebuilt_head({"Content-Type": "text/plain", "Api-Id": "we"})
PLAIN_POST = "POST /direct HTTP/1.1\r\nHost: w\r\nContent-Length: 0\r\n"


class Serving(NamedTuple):
    """A server, and how it ends."""

    server: serving.HttpServer
    aclose: Callable[[], Awaitable[None]]


@asynccontextmanager
async def directly_served():
    """Where `/direct` is found by one look-up, and what came by it."""
    seen: list[web.Request] = []

    async def prebuilt(request: web.Request) -> aiohttp_internals.PrebuiltResponse:
        seen.append(request)
        await request.read()
        return aiohttp_internals.PrebuiltResponse(HEAD, b"said")

    app = application("webhook", body_bytes_max=1_000)
    aiohttp_internals.add_direct_posts(app, {"/direct": prebuilt})
    async with AsyncExitStack() as stack:
        listener = bind_listener("127.0.0.1", 0, "WALLET_WEBHOOK")
        server = await prepare_server(stack, app, listener, connections_max=10)
        await server.accept()
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        yield reader, writer, seen, Serving(server, stack.aclose)
        writer.close()


async def one_answer(reader: asyncio.StreamReader) -> tuple[list[str], bytes]:
    """The lines of its head, and its body."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
    (length,) = (int(line.partition(": ")[2]) for line in head if line.startswith("Content-Length"))
    return head, await reader.readexactly(length)


async def test_a_prebuilt_answer_has_all_that_http_asks_for_and_keeps_the_connection():
    """Status, date, length, and nothing about the connection."""
    async with directly_served() as (reader, writer, seen, _):
        for _ in range(3):
            writer.write(f"{PLAIN_POST}\r\n".encode())
            head, body = await one_answer(reader)
            assert body == b"said"
            assert head[:4] == ["HTTP/1.1 200 OK", "Server: wallet", "Content-Type: text/plain", "Api-Id: we"]
            date = parsedate_to_datetime(head[4].removeprefix("Date: "))
            assert abs((datetime.now(UTC) - date).total_seconds()) < 60
            assert head[5:] == ["Content-Length: 4", ""]
        assert len(seen) == 3


async def test_requests_that_come_at_once_are_answered_in_turn():
    """Pipelining."""
    async with directly_served() as (reader, writer, _, _):
        writer.write(f"{PLAIN_POST}\r\n".encode() * 50)
        for _ in range(50):
            assert (await one_answer(reader))[1] == b"said"


@pytest.mark.parametrize(
    "request_text",
    [
        f"{PLAIN_POST}Connection: close\r\n\r\n",
        f"{PLAIN_POST}\r\n".replace("HTTP/1.1", "HTTP/1.0"),
        f"{PLAIN_POST}Connection: keep-alive\r\n\r\n".replace("HTTP/1.1", "HTTP/1.0"),
    ],
)
async def test_a_prebuilt_answer_says_that_it_is_the_last_one_if_it_is(request_text):
    """By the wish of the client, or because HTTP/1.0 knows no better."""
    async with directly_served() as (reader, writer, _, _):
        writer.write(request_text.encode())
        head, _ = await one_answer(reader)
        assert "Connection: close" in head
        assert await reader.read() == b""


async def test_at_the_end_a_prebuilt_answer_closes_its_connection():
    """A server that finishes refuses no call, and has no further one."""
    async with directly_served() as (reader, writer, _, stack):
        finishing = asyncio.create_task(stack.aclose())
        await asyncio.sleep(0)
        writer.write(f"{PLAIN_POST}\r\n".encode())
        head, body = await one_answer(reader)
        assert ("Connection: close" in head, body) == (True, b"said")
        await finishing


@pytest.mark.parametrize(
    ("request_text", "is_answered"),
    [
        (f"{PLAIN_POST}\r\n".replace("POST", "GET"), False),
        (f"{PLAIN_POST}\r\n".replace("/direct", "/direct/"), False),
        (f"{PLAIN_POST}\r\n".replace("/direct", "/direct?a=1"), True),
        (f"{PLAIN_POST}\r\n".replace("/direct", "/%64irect"), True),
        (f"{PLAIN_POST}Expect: 100-continue\r\n\r\n", True),
    ],
)
async def test_what_is_not_plain_goes_through_the_application(request_text, is_answered):
    """The direct way knows one method and whole paths."""
    async with directly_served() as (reader, writer, seen, _):
        writer.write(request_text.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n").encode())
        answered = await reader.read()
        assert (b"\r\n\r\nsaid" in answered) is is_answered
        assert all(request.match_info.route.resource.canonical == "/direct" for request in seen)


async def test_what_is_plain_is_not_resolved():
    """A path of which nobody takes heed would look as if it had no effect."""
    async with directly_served() as (reader, writer, seen, _):
        writer.write(f"{PLAIN_POST}\r\n".encode())
        await one_answer(reader)
        assert [request._match_info for request in seen] == [None]


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: b", "a\nb", "a\0b", "a\x85b"])
def test_a_prebuilt_head_cannot_be_broken(value):
    """A value that ends its line would be a header of its own."""
    with pytest.raises(ValueError, match="end it"):
        aiohttp_internals.prebuilt_head({"Api-Id": value})


async def test_connections_are_given_away_with_their_next_answers():
    """As many as were named, and no more. New ones wait for another process meanwhile, and then are ours again."""
    async with directly_served() as (reader, writer, seen, stack):
        server = stack.server
        other = await asyncio.open_connection(*writer.get_extra_info("peername"))
        await until(lambda: server.connections == 2, "both are open")
        server.give_away(1)
        await until(lambda: not server.accepts, "others accept")
        late = await asyncio.open_connection(*writer.get_extra_info("peername"))
        for each_writer in (writer, other[1]):
            each_writer.write(f"{PLAIN_POST}\r\n".encode())
        heads = [(await one_answer(each))[0] for each in (reader, other[0])]
        assert [("Connection: close" in head) for head in heads] == [True, False]
        await until(lambda: server.connections == 1, "one has gone")
        late[1].write(f"{PLAIN_POST}\r\n".encode())
        assert "Connection: close" not in (await one_answer(late[0]))[0]
        assert server.accepts
        for each_writer in (other[1], late[1]):
            each_writer.close()
        assert len(seen) == 3


async def test_a_server_that_finishes_while_others_accept_ends_as_ever():
    """The pause ends with it."""
    async with directly_served() as (reader, writer, _, stack):
        stack.server.give_away(5)
        await until(lambda: not stack.server.accepts, "others accept")
        finishing = asyncio.create_task(stack.aclose())
        await asyncio.sleep(0)
        writer.write(f"{PLAIN_POST}\r\n".encode())
        assert "Connection: close" in (await one_answer(reader))[0]
        await finishing
        assert not stack.server.accepts


async def test_a_server_accepts_again_when_the_system_lets_it(monkeypatch):
    """It may have no file descriptor left just then. Others would be asked for all that it does not take."""
    async with directly_served() as (_, writer, _, stack):
        server, failures = stack.server, iter([OSError(errno.EMFILE, "too many open files")] * 2)
        resume = server._resume

        async def resume_later() -> None:
            for failure in failures:
                raise failure
            await resume()

        monkeypatch.setattr(server, "_resume", resume_later)
        with structlog.testing.capture_logs() as lines:
            server.give_away(1)
            await until(lambda: not server.accepts, "others accept")
            await until(lambda: server.accepts, "it accepts again")
        assert [line["event"] for line in lines] == ["accept_failed"]
        writer.close()
