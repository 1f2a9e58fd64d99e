"""Listening sockets that a service manager passed: sd_listen_fds(3). It keeps them open while this service restarts."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Final

from seamless_wallet.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

FIRST_FD: Final = 3


class PassedSockets:
    """The sockets that were passed to this process, each of which somebody takes."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._sockets: dict[int, socket.socket] = {}
        if environ.get("LISTEN_PID") != str(os.getpid()):
            return  # for another process, from which this one inherited the variables
        for fd in range(FIRST_FD, FIRST_FD + int(environ.get("LISTEN_FDS", "0"))):
            os.set_inheritable(fd, False)
            passed = socket.socket(fileno=fd)
            if passed.family not in {socket.AF_INET, socket.AF_INET6} or passed.type != socket.SOCK_STREAM:
                raise SettingsError(
                    f"LISTEN_FDS: the service manager passed {passed.getsockname()!r}, which is no TCP port; "
                    "correct ListenStream in the .socket unit"
                )
            passed.setblocking(False)
            self._sockets[passed.getsockname()[1]] = passed

    def take(self, port: int) -> socket.socket | None:
        """The socket that listens on this port, if it was passed. The unit decides about the address."""
        return self._sockets.pop(port, None)

    def check_all_taken(self, settings: str) -> None:
        """Raises SettingsError if a socket is left: nobody would answer there. `settings` are those that name ports."""
        for port in self._sockets:
            raise SettingsError(
                f"{settings}: the service manager passed port {port}, which no setting names; "
                "write the ports of the .socket unit into the settings"
            )
