"""HTTP in a process: on the parent's socket or its own, for as many connections as it may open files."""

from __future__ import annotations

import asyncio
import resource
import socket
import ssl
from contextlib import AsyncExitStack
from typing import Final

from aiohttp import web

from seamless_wallet.http_server.listener import bind_listener, check_plain_http
from seamless_wallet.http_server.serving import SERVER_NAME, HttpServer, prepare_server
from seamless_wallet.observability import metrics
from seamless_wallet.processes.assembly import AssembledWallet
from seamless_wallet.settings import Settings
from seamless_wallet.supervisor.passed_sockets import PassedSockets
from seamless_wallet.tls import expiry_s

OPEN_FILES: Final = 65_536
"""What a process asks for, if the hard limit allows."""

SPARE_FILES: Final = 128
"""Open files that are not connections: database, Redis, log, and what a library may open."""


class ListeningSocket:
    """The port of this process, which generations that follow each other share. `fd` is the parent's socket.

    Without a parent it is one that a service manager passed, or one of our own. `setting` is the name of the setting
    before `_HOST` and `_PORT`.
    """

    def __init__(self, setting: str, fd: int | None) -> None:
        self._setting = setting
        self._socket = None if fd is None else socket.socket(fileno=fd)

    def share(self, host: str, port: int, *, may_be_plain: bool) -> socket.socket:
        """The listening socket. Close it when it is not needed any more. Raises SettingsError if it cannot be had.

        `may_be_plain`: it speaks TLS, or plain HTTP is allowed whoever can reach it.
        """
        if self._socket is None:
            passed = PassedSockets()
            self._socket = passed.take(port) or bind_listener(host, port, self._setting)
            passed.check_all_taken(f"{self._setting}_PORT")
        if not may_be_plain:
            check_plain_http(self._socket, self._setting)
        return self._socket.dup()

    def close(self) -> None:
        """Nobody will share it any more: the end of those that have it ends it."""
        if self._socket is not None:
            self._socket.close()


async def http_server(
    stack: AsyncExitStack,
    app: web.Application,
    listener: socket.socket,
    settings: Settings,
    tls: ssl.SSLContext | None,
) -> HttpServer:
    """A server on a listening socket. It accepts nothing yet. The end of the stack finishes it."""
    if settings.tls_cert is not None:
        expiry = metrics.TLS_CERTIFICATE_EXPIRY.labels(app[SERVER_NAME])
        expiry.set(expiry_s(settings.tls_cert.get_secret_value()))
    return await prepare_server(stack, app, listener, connections_max=connections_max(), tls=tls)


async def accept_when_ready(
    server: HttpServer, assembled: AssembledWallet, take_over: asyncio.Event, patience_s: float
) -> None:
    """Accept connections when the wallet is ready, and return then. Raises Unstartable.

    Without Redis they are accepted at once, and otherwise after `patience_s`: a provider that gets R1 knows what to do,
    one that waits does not. Until `take_over` is set they can wait, as another process accepts them.
    """
    ready = asyncio.create_task(assembled.wait_until_ready())
    try:
        await _first(ready, take_over)
        if not ready.done():
            await _first(ready, assembled.redis_unreachable, patience_s)
        if not ready.done():
            await server.accept()
        await ready
        await server.accept()
    finally:
        ready.cancel()


async def _first(task: asyncio.Task[None], event: asyncio.Event, limit_s: float | None = None) -> None:
    """Wait until the task is done or the event is set, or for so long."""
    waiting = asyncio.create_task(event.wait())
    await asyncio.wait({task, waiting}, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()


def connections_max() -> int:
    """How many connections this process can hold. Raises its limit of open files as far as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(soft, OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES))
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(1, wanted - SPARE_FILES)
