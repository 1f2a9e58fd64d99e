"""Accepts connections on a port with TLS, and sees their handshakes through.

The loop's own server with TLS tells nobody of a connection before its handshake is done, nor of one whose handshake
fails: who connects and sends nothing would hold files that nobody counts. So a connection is accepted here, counted,
and secured then, within a time limit.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from typing import Final, Protocol, cast

HANDSHAKE_S: Final = 5.0
"""A client has this long for its handshake."""

SHUTDOWN_S: Final = 2.0
"""A client has this long to say that it has seen the end of its connection."""

SHORTAGE_S: Final = 1.0
"""How long nothing is accepted if the machine has no file or memory left for it."""

_SHORTAGES: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class SecuredProtocol(Protocol):
    """Serves one connection."""

    is_made: bool
    """Whether its `connection_made` was called."""


class SecuredConnections(Protocol):
    """Who counts connections, and makes the protocols that serve them."""

    def opened(self) -> bool:
        """Count a connection that was accepted. False: it is one too many, and `closed` follows."""

    def closed(self, *, unshaken: bool) -> None:
        """A connection has ended before any protocol served it. `unshaken`: because its handshake failed."""

    def keep(self, handshake: asyncio.Task[None]) -> None:
        """Refer to a handshake while it is under way, and cancel it if the server ends."""

    def secured(self) -> SecuredProtocol:
        """What serves a connection that was counted, and counts its end, once it is made."""


class TlsAcceptor:
    """Accepts on one listening socket, which it closes at the end, for one server."""

    def __init__(self, listener: socket.socket, context: ssl.SSLContext, server: SecuredConnections) -> None:
        self._listener = listener
        self._context = context
        self._server = server
        self._again: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Begin to accept. One connection a turn of the loop: the others are for who else shares the socket."""
        self._listener.setblocking(False)
        asyncio.get_running_loop().add_reader(self._listener, self._accept)

    async def stop(self) -> None:
        """Accept no more. Handshakes that are under way go on."""
        if self._again is not None:
            self._again.cancel()
        asyncio.get_running_loop().remove_reader(self._listener)
        self._listener.close()

    def _accept(self) -> None:
        try:
            accepted, _ = self._listener.accept()
        except OSError as error:  # taken by another process, or broken off
            if error.errno in _SHORTAGES:
                self._wait()
            return
        accepted.setblocking(False)
        if self._server.opened():
            self._server.keep(asyncio.create_task(self._secure(accepted)))
        else:
            accepted.close()
            self._server.closed(unshaken=False)

    def _wait(self) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._listener)
        self._again = loop.call_later(SHORTAGE_S, loop.add_reader, self._listener, self._accept)

    async def _secure(self, accepted: socket.socket) -> None:
        protocol = self._server.secured()
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: cast("asyncio.Protocol", protocol),
                accepted,
                ssl=self._context,
                ssl_handshake_timeout=HANDSHAKE_S,
                ssl_shutdown_timeout=SHUTDOWN_S,
            )
        except OSError:  # no TLS, no version, cipher or certificate that we take, or too late
            pass
        finally:
            if not protocol.is_made:
                accepted.close()
                self._server.closed(unshaken=True)
