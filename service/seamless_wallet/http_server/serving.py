"""Serving an application over HTTP: limits of time, what is logged, and what is counted.

app = application("webhook", body_bytes_max=65_536)
app.router.add_post("/", handler)
server = await prepare_server(stack, app, listener, connections_max=1000)
await server.accept()
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

import structlog
from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware

from seamless_wallet.http_server.aiohttp_internals import (
    BROKEN_REQUEST_ERRORS,
    SERVER_HEADER,
    LimitedRunner,
    ends_connection,
)
from seamless_wallet.http_server.listener import BACKLOG
from seamless_wallet.observability import metrics

if TYPE_CHECKING:
    from seamless_wallet.observability.instruments import CounterSeries

BODY_READ_S: Final = 10.0
"""A body has this long to arrive, from the end of its headers."""

LINGER_S: Final = 2.0
"""After an answer, a client has this long to finish a body that is no longer read: else it might not see the answer."""

IDLE_S: Final = 75.0
"""A connection has this long to send the headers of its first request, or of the next one after an answer."""

LINGER_IDLE_S: Final = 1.0
"""At the end, an open connection has this long to bring another call, whose answer tells the client to close it."""

LAST_CONNECTION_S: Final = 0.01
"""How often to look whether the last connection is gone. Also how long one may take that was accepted just before."""

GIVE_AWAY_S: Final = 1.2
"""How long a process with many connections leaves new ones to others: a little more than two reports to the parent."""

ACCEPT_AGAIN_S: Final = 0.2
"""When to try again if the system did not let us accept."""

UNREAD_MS: Final = 20_000
"""A client has this long to take what was sent to it."""

FINISH_S: Final = 5.0
"""Calls under way have this long to end after SIGTERM."""

log = structlog.get_logger()

SERVER_NAME: Final = web.AppKey("SERVER_NAME", str)
"""The label of an application in metrics: `webhook` or `backoffice`."""


def application(server: str, *, body_bytes_max: int, middlewares: Iterable[Middleware] = ()) -> web.Application:
    """An application without routes. `server` is the label of its metrics.

    Access is not logged, and bodies are never decompressed. Reading a body over `body_bytes_max` raises
    `web.HTTPRequestEntityTooLarge`. A connection that sends no request within `IDLE_S` is closed.
    """
    args = {
        "access_log": None,
        "auto_decompress": False,
        "keepalive_timeout": IDLE_S,
        "lingering_time": LINGER_S,
        "logger": _logger(server),
    }
    app = web.Application(client_max_size=body_bytes_max, middlewares=middlewares, handler_args=args)
    app[SERVER_NAME] = server
    app.on_response_prepare.append(_complete_headers)
    return app


class HttpServer:
    """Serves one application on one listening socket, which other processes may share."""

    def __init__(self, runner: LimitedRunner, listener: socket.socket) -> None:
        self._runner = runner
        self._listener = listener
        self._site: web.SockSite | None = None  # while connections are accepted
        self._may_accept = False
        self._pause: asyncio.Task[None] | None = None  # for a while others accept
        self._finishing = False

    async def accept(self) -> None:
        """Begin to accept connections. Those that came before have waited in the kernel. May be called twice."""
        self._may_accept = True
        await self._resume()

    @property
    def connections(self) -> int:
        """How many are open."""
        return self._runner.connections

    @property
    def accepts(self) -> bool:
        """Whether new connections are accepted just now."""
        return self._site is not None

    def give_away(self, count: int) -> None:
        """Leave new connections to processes that share the socket, for `GIVE_AWAY_S`, and end `count` of ours.

        Each ends with its next answer, so no call is refused. A later call replaces what is left of an earlier one.
        """
        if self._finishing or not self._may_accept:
            return
        self._runner.end_connections(count)
        if self._pause is not None:
            self._pause.cancel()
        self._pause = asyncio.create_task(self._pause_accepting())

    async def _pause_accepting(self) -> None:
        await self._stop_accepting()
        await asyncio.sleep(GIVE_AWAY_S)
        self._runner.end_connections(0)
        told = False
        while not self.accepts and not self._finishing:
            try:
                await self._resume()
            except OSError as error:  # no file descriptor is free, for instance
                if not told:
                    log.error("accept_failed", error=str(error))
                told = True
                await asyncio.sleep(ACCEPT_AGAIN_S)

    async def _resume(self) -> None:
        if self._site is None and not self._finishing:
            site = web.SockSite(self._runner, self._listener.dup(), backlog=BACKLOG)
            await site.start()
            self._site = site

    async def _stop_accepting(self) -> None:
        site, self._site = self._site, None
        if site is not None:
            await site.stop()  # closes our end only: what waits in the kernel is for those who share the socket

    async def finish(self) -> None:
        """Accept no more connections, and end those that are open without refusing a call.

        Each connection is closed with its next answer, which says so. One that brings no call for `LINGER_IDLE_S` is
        closed then. Calls under way have `FINISH_S` more.
        """
        self._finishing = True
        self._runner.end_connections()
        if self._pause is not None:
            self._pause.cancel()
        await self._stop_accepting()
        self._listener.close()
        if self._may_accept:
            await self._wait_for_last_calls()
        await self._runner.cleanup()

    async def _wait_for_last_calls(self) -> None:
        loop = asyncio.get_running_loop()
        end_s = loop.time() + LINGER_IDLE_S
        await asyncio.sleep(LAST_CONNECTION_S)
        while (server := self._runner.server) and server.connections and loop.time() < end_s:  # noqa: ASYNC110 - aiohttp sets no event
            await asyncio.sleep(LAST_CONNECTION_S)


async def prepare_server(
    stack: AsyncExitStack, app: web.Application, listener: socket.socket, *, connections_max: int
) -> HttpServer:
    """A server of an application of `application`, for at most `connections_max` connections. It accepts none yet.

    The end of `stack` finishes it.
    """
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_MS)  # connections inherit it
    runner = LimitedRunner(app, app[SERVER_NAME], connections_max=connections_max, shutdown_timeout_s=FINISH_S)
    server = HttpServer(runner, listener)
    await runner.setup()
    stack.push_async_callback(server.finish)
    return server


async def _complete_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Of every answer that is not prebuilt: who answers, and whether it is the connection's last one."""
    response.headers[hdrs.SERVER] = SERVER_HEADER
    if ends_connection(request):
        response.headers[hdrs.CONNECTION] = "close"
        response.force_close()


class _BrokenRequestFilter(logging.Filter):
    """Drops, and counts, what aiohttp logs with a traceback for a request that is not HTTP or was broken off.

    Anybody can send such requests. They must not be able to fill the log.
    """

    def __init__(self, broken: CounterSeries) -> None:
        super().__init__()
        self._broken = broken

    def filter(self, record: logging.LogRecord) -> bool:
        fault = record.exc_info[1] if record.exc_info else None
        if isinstance(fault, BROKEN_REQUEST_ERRORS):
            self._broken.inc()
            return False
        return record.levelno >= logging.WARNING


def _logger(server: str) -> logging.Logger:
    """The logger that an application's connections get from us."""
    logger = logging.getLogger(f"{__name__}.{server}")
    logger.setLevel(logging.DEBUG)  # aiohttp reports some broken requests at this level: they are counted, too
    if not logger.filters:
        logger.addFilter(_BrokenRequestFilter(metrics.HTTP_MALFORMED_REQUESTS.labels(server)))
    return logger
