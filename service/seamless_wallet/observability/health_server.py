"""A small HTTP server for probes and scrapers, on a unix socket or on TCP. Every process has one.

It knows GET, HEAD, and paths without variables. A connection carries one request. It is plain asyncio, because the
writer and the supervisor need no other HTTP.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Final, NamedTuple

HEAD_BYTES_MAX: Final = 8_192
CONNECTIONS_MAX: Final = 64
"""One more, and the connection that has been silent for longest is closed, or the new one if all wait for answers: no
stranger may use up the files of a process, or hide it from a probe."""

REQUEST_LIMIT_S: Final = 10.0
"""From the connection until its answer is taken."""

TEXT: Final = "text/plain; charset=utf-8"


class HealthAnswer(NamedTuple):
    """What a path answers."""

    status: HTTPStatus
    content_type: str
    body: bytes


HealthHandler = Callable[[], Awaitable[HealthAnswer]]


class HealthServer:
    """Serves `handlers`, by path."""

    def __init__(self, handlers: Mapping[str, HealthHandler]) -> None:
        self._handlers = handlers
        self._servers: list[asyncio.Server] = []
        self._open = 0
        self._silent: dict[asyncio.StreamWriter, None] = {}  # the oldest of those without a whole request comes first

    async def listen(self, listener: socket.socket) -> None:
        """Serve on a listening socket, too."""
        start = asyncio.start_unix_server if listener.family == socket.AF_UNIX else asyncio.start_server
        self._servers.append(await start(self._serve, sock=listener, limit=HEAD_BYTES_MAX))

    def close(self) -> None:
        """Close all sockets. Answers under way are still given."""
        for server in self._servers:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open <= CONNECTIONS_MAX or self._make_room():
                self._silent[writer] = None
                with suppress(OSError, TimeoutError):
                    async with asyncio.timeout(REQUEST_LIMIT_S):
                        writer.write(await self._respond(reader, writer))
                        await writer.drain()
                        writer.close()
                        await writer.wait_closed()
        finally:
            self._open -= 1
            self._silent.pop(writer, None)
            writer.transport.abort()

    def _make_room(self) -> bool:
        """Close the connection that has been silent for longest. False if there is none."""
        for oldest in self._silent:
            del self._silent[oldest]
            oldest.transport.abort()
            return True
        return False

    async def _respond(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self._silent.pop(writer, None)
            method, target, version = head.split(b"\r\n", 1)[0].decode("ascii").split(" ")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            return _response(_plain(HTTPStatus.BAD_REQUEST))
        if not version.startswith("HTTP/1."):
            return _response(_plain(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED))
        if method not in {"GET", "HEAD"}:
            return _response(_plain(HTTPStatus.METHOD_NOT_ALLOWED))
        handler = self._handlers.get(target.partition("?")[0])
        answer = _plain(HTTPStatus.NOT_FOUND) if handler is None else await handler()
        return _response(answer, with_body=method == "GET")


def _plain(status: HTTPStatus) -> HealthAnswer:
    return HealthAnswer(status, TEXT, f"{status.phrase}\n".encode())


def _response(answer: HealthAnswer, *, with_body: bool = True) -> bytes:
    head = (
        f"HTTP/1.1 {answer.status.value} {answer.status.phrase}\r\n"
        f"Content-Type: {answer.content_type}\r\n"
        f"Content-Length: {len(answer.body)}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode() + (answer.body if with_body else b"")
