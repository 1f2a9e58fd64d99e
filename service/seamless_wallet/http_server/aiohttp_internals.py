"""All that this package overrides in private or undocumented parts of aiohttp. No other module touches them.

aiohttp has no public way to do what follows:

- **Count and limit open connections.** aiohttp accepts as many as come, and each one costs a file and memory. The
  server makes its connections in `Server.__call__`, from `Server._kwargs`; the runner makes the server in
  `AppRunner._make_server`. Both are overridden, so that connections are of a class of ours.
- **Answer what is not HTTP without repeating it.** aiohttp's own 400 quotes the line that it could not read. A proxy
  would log that answer, and the line may hold an Api-Key. `RequestHandler.handle_error` is overridden.
- **Tell a broken request from a bug.** aiohttp's parser raises `HttpProcessingError`, which no public module exports.

A new minor version of aiohttp may move any of this. pyproject.toml therefore allows the versions that were tried, and
tests/unit/test_http_server.py fails with the name of the part that moved.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any, Final, cast

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from seamless_wallet.observability import metrics
from seamless_wallet.observability.rate_limited_log import RateLimitedLog

SERVER_HEADER: Final = "wallet"
"""The header `Server` of every answer, instead of the versions of Python and aiohttp."""

BROKEN_REQUEST_ERRORS: Final = (web.RequestPayloadError, HttpProcessingError, ConnectionError)
"""What reading a request raises if its client broke off, or sent what is not HTTP."""


class LimitedRunner(web.AppRunner):
    """Runs an application for at most `connections_max` connections at a time. `name` labels their metrics."""

    def __init__(self, app: web.Application, name: str, *, connections_max: int, shutdown_timeout_s: float) -> None:
        super().__init__(app, access_log=None, shutdown_timeout=shutdown_timeout_s, handle_signals=False)
        self._name = name
        self._connections_max = connections_max

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _LimitedServer(made, self._name, self._connections_max)


class _LimitedServer(web.Server):
    """Knows how many connections are open, and how many may be."""

    def __init__(self, made: web.Server, name: str, connections_max: int) -> None:
        arguments = made._kwargs  # noqa: SLF001 - see the top of this module
        super().__init__(made.request_handler, request_factory=made.request_factory, **arguments)
        self._arguments = arguments
        self.open_count = 0
        self.open_max = connections_max
        self.gauge = metrics.HTTP_CONNECTIONS.labels(name)
        self.refused = metrics.HTTP_CONNECTIONS_REFUSED.labels(name)
        self.log = RateLimitedLog(every_s=10, monotonic_s=asyncio.get_running_loop().time)

    def __call__(self) -> web.RequestHandler:
        return _CountedConnection(self, loop=asyncio.get_running_loop(), **self._arguments)


class _CountedConnection(web.RequestHandler):
    """Closes itself at once if it is one too many. Answers what is not HTTP with a plain 400."""

    __slots__ = ("_server",)

    def __init__(self, server: _LimitedServer, **arguments: Any) -> None:
        super().__init__(server, **arguments)
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        server = self._server
        server.open_count += 1
        server.gauge.inc()
        super().connection_made(transport)
        if server.open_count > server.open_max:
            server.refused.inc()
            server.log.error(
                "connection_limit_reached",
                open_max=server.open_max,
                remedy="limit connections per source in the proxy, or raise `ulimit -n`",
            )
            cast("asyncio.Transport", transport).abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._server.open_count -= 1
        self._server.gauge.dec()
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
