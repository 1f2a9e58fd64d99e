"""A private Valkey for tests and benchmarks, with the options that `wallet up` gives to its own.

with start_valkey(directory) as server:
redis.asyncio.from_url(server.url)
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Final, Self

from seamless_wallet.supervisor.embedded_valkey import ENVIRON, LOG_FILE, ValkeyError, answers_ping, valkey_command
from tests.guardian import guarded

START_LIMIT_S: Final = 10.0
STOP_LIMIT_S: Final = 5.0
POLL_S: Final = 0.01


def last_log_line(directory: Path) -> str:
    """The last line of the server's log, for an error message. Empty if there is none."""
    try:
        lines = (directory / LOG_FILE).read_text(errors="replace").splitlines()
    except OSError:
        return ""
    return next((line for line in reversed(lines) if line.strip()), "")


class Valkey:
    """A running private server. Close it, or use it as a context manager: else it lasts as long as this process."""

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
    environ = guarded({**dict(ENVIRON), **os.environ})
    process = subprocess.Popen(command, env=environ, stdin=subprocess.DEVNULL, start_new_session=True)
    server = Valkey(process, where)
    deadline_s = time.monotonic() + limit_s
    while not answers_ping(where):
        if server.process.poll() is not None or time.monotonic() > deadline_s:
            server.close()
            raise ValkeyError(f"Valkey did not start: {last_log_line(directory) or 'its log is empty'}")
        time.sleep(POLL_S)
    return server
