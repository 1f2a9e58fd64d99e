"""All that this package overrides in private or undocumented parts of aiohttp. No other module touches them.

aiohttp has no public way to do what follows:

- **Count and limit open connections.** aiohttp accepts as many as come, and each one costs a file and memory. The
  server makes its connections in `Server.__call__`, from `Server._kwargs`; the runner makes the server in
  `AppRunner._make_server`. Both are overridden, so that connections are of a class of ours. With TLS they are counted
  even before their handshake (`tls_acceptor`).
- **Answer what is not HTTP without repeating it.** aiohttp's own 400 quotes the line that it could not read. A proxy
  would log that answer, and the line may hold an Api-Key. `RequestHandler.handle_error` is overridden.
- **Find a handler by one look-up, and write an answer in one piece.** An application resolves every request anew, and
  a `web.Response` builds and checks its headers for each answer: together a fifth of what a bet costs a worker
  (docs/performance.md). `LimitedRunner` asks a table of paths before `Application._handle`. A `PrebuiltResponse` takes
  the place of `StreamResponse.prepare` and `write_eof`. Whatever is not plain goes the long way: another method, a
  query, an `Expect`.
- **Tell a broken request from a bug.** aiohttp's parser raises `HttpProcessingError`, which no public module exports.

A new minor version of aiohttp may move any of this. pyproject.toml therefore allows the versions that were tried, and
tests/unit/test_http_server.py fails with the name of the part that moved.
"""

from __future__ import annotations

import asyncio
import math
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from email.utils import formatdate
from http import HTTPStatus
from time import time
from typing import Any, Final, cast

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from seamless_wallet.http_server.listener import BACKLOG
from seamless_wallet.http_server.tls_acceptor import TlsAcceptor
from seamless_wallet.observability import metrics
from seamless_wallet.observability.rate_limited_log import RateLimitedLog

SERVER_HEADER: Final = "wallet"
"""The header `Server` of every answer, instead of the versions of Python and aiohttp."""

BROKEN_REQUEST_ERRORS: Final = (web.RequestPayloadError, HttpProcessingError, ConnectionError)
"""What reading a request raises if its client broke off, or sent what is not HTTP."""


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_DIRECT_POSTS: Final = web.AppKey("DIRECT_POSTS", Mapping[str, Handler])


def add_direct_posts(app: web.Application, handlers: Mapping[str, Handler]) -> None:
    """Routes of POST by path, of which plain requests are found by one look-up."""
    app[_DIRECT_POSTS] = handlers
    for path, handler in handlers.items():
        app.router.add_post(path, handler)


class PrebuiltResponse(web.StreamResponse):
    """An answer with status 200 whose head stands ready, written at once. Headers cannot be added to it.

    It is the last one of its connection unless the request is HTTP/1.1 and keeps the connection alive.
    """

    def __init__(self, head: bytes, body: bytes) -> None:  # without super: what that makes is not used
        self._head = head
        self.body = body
        self._is_last = False

    @property
    def keep_alive(self) -> bool:
        """Whether the connection is for further requests."""
        return not self._is_last

    def force_close(self) -> None:
        """Make it the last answer of its connection."""
        self._is_last = True

    async def prepare(self, request: web.BaseRequest) -> None:
        """Send all of it. Raises ConnectionError if the client has gone."""
        if not request.keep_alive or request.version < HttpVersion11 or ends_connection(request):
            self._is_last = True
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the client has gone")
        body = self.body
        transport.write(
            b"%sDate: %s\r\nContent-Length: %d\r\n%s\r\n%s"
            % (self._head, _date(), len(body), b"Connection: close\r\n" if self._is_last else b"", body)
        )
        await request.writer.drain()

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left to send."""


def prebuilt_head(headers: Mapping[str, str]) -> bytes:
    """The lines of a PrebuiltResponse above its date and length. Raises ValueError for a header that would end them."""
    lines = ["HTTP/1.1 200 OK", f"Server: {SERVER_HEADER}", *(f"{name}: {value}" for name, value in headers.items())]
    if any(not line.isprintable() for line in lines):
        raise ValueError("a header with a character that would end it")
    return "".join(f"{line}\r\n" for line in lines).encode("latin-1")


def ends_connection(request: web.BaseRequest) -> bool:
    """Whether the answer to this request is to be the connection's last one. Ask once for each answer."""
    protocol = request.protocol
    return isinstance(protocol, _CountedConnection) and protocol.ends_with_this_answer()


_dates: dict[int, bytes] = {}


def _date() -> bytes:
    """The date in the form of HTTP, made once a second."""
    now_s = int(time())
    made = _dates.get(now_s)
    if made is None:
        _dates.clear()
        made = _dates[now_s] = formatdate(now_s, usegmt=True).encode()
    return made


class LimitedRunner(web.AppRunner):
    """Runs an application for at most `connections_max` connections at a time. `name` labels their metrics."""

    def __init__(self, app: web.Application, name: str, *, connections_max: int, shutdown_timeout_s: float) -> None:
        super().__init__(app, access_log=None, shutdown_timeout=shutdown_timeout_s, handle_signals=False)
        self._name = name
        self._connections_max = connections_max

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        handle = _direct(self.app.get(_DIRECT_POSTS, {}), made.request_handler)
        return _LimitedServer(made, handle, self._name, self._connections_max)

    def acceptor(self, listener: socket.socket, tls: ssl.SSLContext | None) -> web.SockSite | TlsAcceptor:
        """Has connections to a listening socket served, from its `start` until its `stop`."""
        if tls is None:
            return web.SockSite(self, listener, backlog=BACKLOG)
        return TlsAcceptor(listener, tls, cast("_LimitedServer", self.server))

    @property
    def connections(self) -> int:
        """How many are open, with those whose handshake is under way."""
        return self.server.open_count if isinstance(self.server, _LimitedServer) else 0

    def end_connections(self, count: float = math.inf) -> None:
        """So many connections end, each with its next answer. A later call replaces what is left of an earlier one."""
        if isinstance(self.server, _LimitedServer):
            self.server.to_end = count


def _direct(handlers: Mapping[str, Handler], resolve: Handler) -> Handler:
    """Finds the handler of a plain POST by its path. All else is resolved."""

    def handle(request: web.Request) -> Awaitable[web.StreamResponse]:
        handler = handlers.get(request.raw_path)
        if handler is None or request.method != hdrs.METH_POST or hdrs.EXPECT in request.headers:
            return resolve(request)
        return handler(request)

    return handle


class _LimitedServer(web.Server):
    """Knows how many connections are open, and how many may be."""

    def __init__(self, made: web.Server, handle: Handler, name: str, connections_max: int) -> None:
        arguments = made._kwargs  # noqa: SLF001 - see the top of this module
        super().__init__(cast("Any", handle), request_factory=made.request_factory, **arguments)
        self._arguments = arguments
        self._handshakes: set[asyncio.Task[None]] = set()
        self.to_end: float = 0  # answers that still have to close their connections
        self.open_count = 0
        self._open_max = connections_max
        self._gauge = metrics.HTTP_CONNECTIONS.labels(name)
        self._refused = metrics.HTTP_CONNECTIONS_REFUSED.labels(name)
        self._unshaken = metrics.TLS_HANDSHAKES_FAILED.labels(name)
        self._log = RateLimitedLog(every_s=10, monotonic_s=asyncio.get_running_loop().time)

    def __call__(self) -> web.RequestHandler:
        return _CountedConnection(self, is_counted=False, **self._arguments)

    def secured(self) -> _CountedConnection:
        """What serves a connection with TLS, which is counted already."""
        return _CountedConnection(self, is_counted=True, **self._arguments)

    def opened(self) -> bool:
        """Count a connection. False: it is one too many, and has to be closed at once."""
        self.open_count += 1
        self._gauge.inc()
        if self.open_count <= self._open_max:
            return True
        self._refused.inc()
        self._log.error(
            "connection_limit_reached",
            open_max=self._open_max,
            remedy="limit connections per source in the proxy, or raise `ulimit -n`",
        )
        return False

    def closed(self, *, unshaken: bool = False) -> None:
        """A connection that was counted has ended. `unshaken`: because its handshake failed."""
        self.open_count -= 1
        self._gauge.dec()
        if unshaken:
            self._unshaken.inc()

    def keep(self, handshake: asyncio.Task[None]) -> None:
        """Refer to a handshake while it is under way."""
        self._handshakes.add(handshake)
        handshake.add_done_callback(self._handshakes.discard)

    async def shutdown(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - aiohttp's own
        """End all connections, also those that are not secured yet."""
        for handshake in self._handshakes:
            handshake.cancel()
        await asyncio.gather(*self._handshakes, return_exceptions=True)
        await super().shutdown(timeout)


class _CountedConnection(web.RequestHandler):
    """Closes itself at once if it is one too many. Answers what is not HTTP with a plain 400.

    `is_counted`: it was, when it was accepted.
    """

    __slots__ = ("_is_counted", "_server", "is_made")

    def __init__(self, server: _LimitedServer, *, is_counted: bool, **arguments: Any) -> None:
        super().__init__(server, loop=asyncio.get_running_loop(), **arguments)
        self._server = server
        self._is_counted = is_counted
        self.is_made = False

    def ends_with_this_answer(self) -> bool:
        """Whether this connection is one of those that the server has to end."""
        server = self._server
        ends = server.to_end > 0
        if ends:
            server.to_end -= 1
        return ends

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.is_made = True
        super().connection_made(transport)
        if not self._is_counted and not self._server.opened():
            cast("asyncio.Transport", transport).abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._server.closed()
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        super().handle_error(request, status, exc, message)  # logs, and closes the connection
        response = web.Response(status=status, text=HTTPStatus(status).phrase, headers={"Server": SERVER_HEADER})
        response.force_close()
        return response
