"""A complete service as an operator starts it: `wallet up` in a directory of its own, real processes and ports."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from seamless_wallet.settings import load_settings
from tests.chosen_ledger import ON_POSTGRES, drop_database, new_database, postgres_server

WALLET = (sys.executable, "-m", "seamless_wallet")
START_LIMIT_S = 40.0
STOP_LIMIT_S = 30.0
KEY = "acceptance-key-of-32-bytes-long!"
CONFIG = f"""\
[providers.acme]
profile = "dowinn-v3"
api_id = "acme"
api_key = "{KEY}"
"""


def environment(directory: Path, **changes: str) -> dict[str, str]:
    """The environment of a service whose settings are nobody else's."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("WALLET_")}
    own = {
        "WALLET_DATA_DIR": str(directory / "var"),
        "WALLET_CONFIG": str(directory / "wallet.toml"),
        "WALLET_WEBHOOK_PORT": "0",
        "WALLET_ADMIN_PORT": "0",
        "WALLET_SHARDS": "4",
    }
    return {**inherited, **own, **changes}


def run(
    arguments: Sequence[str],
    environ: Mapping[str, str],
    limit_s: float = 50.0,
    *,
    program: Sequence[str] = WALLET,
    directory: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """One CLI command to its end."""
    return subprocess.run(
        [*program, *arguments],
        env=dict(environ),
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=limit_s,
        check=False,
    )


def wait_until(condition: Callable[[], bool], limit_s: float, what: str) -> None:
    """Poll a condition of other processes."""
    deadline_s = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline_s:
            raise AssertionError(f"{what}: not within {limit_s} s")
        time.sleep(0.02)


class RunningService:
    """`wallet up`, ready. Use as a context manager."""

    database = ""
    """Of its ledger in PostgreSQL, which goes with it."""

    def __init__(self, directory: Path, *, config: str = CONFIG, **changes: str) -> None:
        (directory / "wallet.toml").write_text(config)
        self.database = new_database() if ON_POSTGRES else ""
        if self.database:
            changes = {"WALLET_LEDGER_URL": postgres_server().url(self.database), **changes}
        self._start(directory, WALLET, ("up",), environment(directory, **changes))

    @classmethod
    def of_program(cls, directory: Path, program: Sequence[str], words: Sequence[str], environ: dict[str, str]) -> Self:
        """`wallet up` by another program and command line, whose data directory is `var` in `directory`."""
        service = cls.__new__(cls)
        service._start(directory, program, words, environ)
        return service

    def _start(self, directory: Path, program: Sequence[str], words: Sequence[str], environ: dict[str, str]) -> None:
        self.environ = environ
        self.log = directory / "up.log"
        self._program = program
        self.directory = directory
        self._pids = directory / "var" / "pids"
        with self.log.open("w") as log:
            self.process = subprocess.Popen([*program, *words], env=environ, cwd=directory, stdout=log, stderr=log)
        try:
            wait_until(lambda: self._ready() is not None or self.process.poll() is not None, START_LIMIT_S, "ready")
            ready = self._ready()
            assert ready is not None, self.log.read_text()
        except BaseException:
            self.__exit__()  # nothing of a service that does not start is left running
            raise
        self.webhook_url, self.admin_url = ready["webhook"], ready["admin"]

    def _ready(self) -> dict[str, Any] | None:
        for line in self.log.read_text().splitlines():
            with suppress(ValueError):
                event = json.loads(line)
                if event.get("event") == "ready":
                    return dict(event)
        return None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(STOP_LIMIT_S)
        finally:
            self.process.kill()
            if self.database:
                drop_database(self.database)

    def wallet(self, *arguments: str, limit_s: float = 50.0) -> subprocess.CompletedProcess[str]:
        """A CLI command beside this service."""
        return run(
            arguments, {**self.environ, **self.ports()}, limit_s, program=self._program, directory=self.directory
        )

    def ports(self) -> dict[str, str]:
        """The ports that the service really has, as settings."""
        return {
            "WALLET_WEBHOOK_PORT": self.webhook_url.rpartition(":")[2],
            "WALLET_ADMIN_PORT": self.admin_url.rpartition(":")[2],
        }

    @property
    def redis_socket(self) -> Path:
        """The socket of the embedded Valkey."""
        return load_settings(self.environ).redis_socket_path

    def pid(self, role: str) -> int:
        """The process that has a role now."""
        (path,) = self._pids.glob(f"{role}*")
        return int(json.loads(path.read_text())["pid"])

    def kill(self, role: str) -> int:
        """SIGKILL the process that has a role; its pid."""
        pid = self.pid(role)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return pid

    def is_replaced(self, role: str, old_pid: int) -> bool:
        """Whether another process has the role by now."""
        with suppress(ValueError, OSError):
            return self.pid(role) != old_pid
        return False
