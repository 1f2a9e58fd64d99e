"""What a service manager such as systemd is told: sd_notify(3). Without one, nothing is told.

Written out, as it is one datagram: a library would be another dependency to audit.
"""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

OWN_VARIABLES: Final = frozenset(
    {"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}
)
"""Variables that are meant for this process, and not for its children."""

_BEATS_PER_LIMIT: Final = 3


class ServiceManager:
    """The service manager that started this process and named its socket in the environment, if one did."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        self._watchdog_us = _watchdog_us(environ)

    @property
    def watchdog_s(self) -> float | None:
        """How often to call `alive`. None: nobody waits for it."""
        return self._watchdog_us / 1e6 / _BEATS_PER_LIMIT if self._address and self._watchdog_us else None

    def ready(self, status: str) -> None:
        """The start, or a reload, is done. `status` is shown by `systemctl status`."""
        self._tell(f"READY=1\nSTATUS={status}")

    def reloading(self) -> None:
        """A reload has begun. `ready` ends it."""
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The end has begun."""
        self._tell("STOPPING=1")

    def status(self, text: str) -> None:
        """One line about what the service does now."""
        self._tell(f"STATUS={text}")

    def alive(self) -> None:
        """This process turns."""
        self._tell("WATCHDOG=1")

    def _tell(self, message: str) -> None:
        """Send it, if there is somebody. A service manager that does not read must not stop the service."""
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.setblocking(False)
            sender.sendto(message.encode(), address)


def _watchdog_us(environ: Mapping[str, str]) -> int:
    """The interval within which the service manager expects a sign of life, if it is this process that it watches."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0
    with suppress(ValueError):
        return max(0, int(environ.get("WATCHDOG_USEC", "0")))
    return 0
