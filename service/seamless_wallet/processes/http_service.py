"""Serving HTTP in a process: on the parent's socket or its own, for as many connections as it may open files."""

from __future__ import annotations

import resource
import socket
from contextlib import AsyncExitStack
from typing import Final

from aiohttp import web

from seamless_wallet.http_server.listener import bind_listener
from seamless_wallet.http_server.serving import serve

OPEN_FILES: Final = 65_536
"""What a process asks for, if the hard limit allows."""

SPARE_FILES: Final = 128
"""Open files that are not connections: database, Redis, log, and what a library may open."""


async def serve_http(
    stack: AsyncExitStack, app: web.Application, fd: int | None, host: str, port: int, setting: str
) -> None:
    """Serve until the stack ends, on the listening socket `fd` of the parent, or on one of our own if that is None.

    `setting` is the name of the setting before `_HOST` and `_PORT`. Raises SettingsError if the port cannot be had.
    """
    listener = bind_listener(host, port, setting) if fd is None else socket.socket(fileno=fd)
    await serve(stack, app, listener, connections_max=connections_max())


def connections_max() -> int:
    """How many connections this process can hold. Raises its limit of open files as far as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(soft, OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES))
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(1, wanted - SPARE_FILES)
