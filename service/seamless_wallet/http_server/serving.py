"""Serving an application over HTTP: limits of time, what is logged, and what is counted.

app = application("webhook", body_bytes_max=65_536)
app.router.add_post("/", handler)
await serve(stack, app, listener, connections_max=1000)
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

from aiohttp import web
from aiohttp.typedefs import Middleware

from seamless_wallet.http_server.aiohttp_internals import BROKEN_REQUEST_ERRORS, SERVER_HEADER, LimitedRunner
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

UNREAD_MS: Final = 20_000
"""A client has this long to take what was sent to it."""

FINISH_S: Final = 5.0
"""Calls under way have this long to end after SIGTERM."""

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
    app.on_response_prepare.append(_set_server_header)
    return app


async def serve(stack: AsyncExitStack, app: web.Application, listener: socket.socket, *, connections_max: int) -> None:
    """Serve an application of `application` on a listening socket, for at most `connections_max` connections.

    Returns once it is served. The end of `stack` ends it.
    """
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_MS)  # connections inherit it
    runner = LimitedRunner(app, app[SERVER_NAME], connections_max=connections_max, shutdown_timeout_s=FINISH_S)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.SockSite(runner, listener, backlog=BACKLOG).start()


async def _set_server_header(_: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = SERVER_HEADER


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
