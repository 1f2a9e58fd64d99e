"""What the two HTTP servers, webhooks and back office, have in common: limits of time, and whose fault is whose."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterable
from contextlib import AsyncExitStack
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, cast

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Middleware
from aiohttp.web_protocol import RequestHandler

from seamless_wallet.observability import metrics
from seamless_wallet.observability.rate_limited_log import RateLimitedLog

if TYPE_CHECKING:
    from prometheus_client import Counter

BODY_READ_S: Final = 10.0  # for a body that does not come, or whose framing broke
LINGER_S: Final = 2.0  # for a client to finish sending what is no longer read, so that it sees the answer
IDLE_S: Final = 75.0  # from the connection, or the last answer on it, to the end of the next request's headers
UNREAD_MS: Final = 20_000  # for a client to take what was sent to it
FINISH_S: Final = 5.0  # for calls under way after SIGTERM

SERVER: Final = "wallet"  # the header of that name, instead of the versions of Python and aiohttp

NAME: Final = web.AppKey("NAME", str)
"""The label of an application."""

BROKEN: Final = (web.RequestPayloadError, HttpProcessingError, ConnectionError)
"""What reading a request raises if its client broke off, or sent what is not HTTP."""


def application(server: str, *, body_bytes_max: int, middlewares: Iterable[Middleware] = ()) -> web.Application:
    """An application without routes. `server` is the label of its metrics.

    Access is not logged, bodies are never decompressed, a body over `body_bytes_max` is not read to its end, and a
    connection without a request is closed.
    """
    args = {
        "access_log": None,
        "auto_decompress": False,
        "keepalive_timeout": IDLE_S,
        "lingering_time": LINGER_S,
        "logger": _logger(server),
    }
    app = web.Application(client_max_size=body_bytes_max, middlewares=middlewares, handler_args=args)
    app[NAME] = server
    app.on_response_prepare.append(_sign)
    return app


async def serve(
    stack: AsyncExitStack, app: web.Application, listener: socket.socket, *, connections_max: int, backlog: int
) -> None:
    """Serve an application made here on a listening socket, for at most so many connections. Ends with the stack."""
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_MS)  # is inherited by its connections
    runner = _Runner(app, connections_max)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.SockSite(runner, listener, backlog=backlog).start()


class _Runner(web.AppRunner):
    """With connections of our own kind."""

    def __init__(self, app: web.Application, connections_max: int) -> None:
        super().__init__(app, access_log=None, shutdown_timeout=FINISH_S, handle_signals=False)
        self._connections_max = connections_max

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _Server(made, self.app[NAME], self._connections_max)


class _Server(web.Server):
    """Knows how many connections there are, and how many there may be."""

    def __init__(self, made: web.Server, name: str, connections_max: int) -> None:
        super().__init__(made.request_handler, request_factory=made.request_factory, **made._kwargs)  # noqa: SLF001
        self.open, self.open_max = 0, connections_max
        self.gauge = metrics.HTTP_CONNECTIONS.labels(name)
        self.refused = metrics.HTTP_CONNECTIONS_REFUSED.labels(name)
        self.log = RateLimitedLog(every_s=10)

    def __call__(self) -> RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class _Connection(RequestHandler):
    """One too many is closed at once. What is not HTTP gets HTTP's own 400, without a word of what was sent."""

    __slots__ = ("_counted",)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        server: Any = self._manager
        server.open += 1
        server.gauge.inc()
        self._counted = server
        super().connection_made(transport)
        if server.open > server.open_max:
            server.refused.inc()
            server.log.error(
                "connection_limit_reached", open_max=server.open_max, remedy="who opens so many? else raise `ulimit -n`"
            )
            cast("asyncio.Transport", transport).abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._counted.open -= 1
        self._counted.gauge.dec()
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        super().handle_error(request, status, exc, message)
        response = web.Response(status=status, text=HTTPStatus(status).phrase, headers={"Server": SERVER})
        response.force_close()
        return response


async def _sign(_: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = SERVER


class _NotTheirs(logging.Filter):
    """Drops, and counts, what aiohttp logs with a traceback for each request that is not HTTP or was broken off.

    Anybody can send those: they must not be able to fill the log.
    """

    def __init__(self, broken: Counter) -> None:
        super().__init__()
        self._broken = broken

    def filter(self, record: logging.LogRecord) -> bool:
        fault = record.exc_info[1] if record.exc_info else None
        if isinstance(fault, BROKEN):
            self._broken.inc()
            return False
        return record.levelno >= logging.WARNING


def _logger(server: str) -> logging.Logger:
    logger = logging.getLogger(f"{__name__}.{server}")
    logger.setLevel(logging.DEBUG)  # aiohttp tells some broken requests at this level: they are counted, too
    if not logger.filters:
        logger.addFilter(_NotTheirs(metrics.HTTP_MALFORMED_REQUESTS.labels(server)))
    return logger
