"""A complete service (`wallet up`) to be measured, and the provider that the load plays."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

from seamless_wallet.providers import Provider, build_provider
from tests.guardian import guarded

KEY: Final = "benchmark-key-of-exactly-32-byte"
TOKEN: Final = "token-of-a-benchmark"  # noqa: S105 - of a service that lives as long as the benchmark
CURRENCY: Final = "KRW"
SCALE: Final = 2
START_LIMIT_S: Final = 60
STOP_LIMIT_S: Final = 30
VERIFY_LIMIT_S: Final = 3600

CONFIG: Final = f"""\
[currencies]
{CURRENCY} = {SCALE}
[providers.bench]
profile = "dowinn-v3"
api_id = "bench"
api_key = "{KEY}"
"""


@cache
def provider() -> Provider:
    """The provider that the load plays, and that the peers know."""
    return build_provider(
        random_bytes=os.urandom, name="bench", api_id="bench", api_key=KEY, currencies={CURRENCY: SCALE}
    )


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Service:
    """A `wallet up` in a directory of its own, and how to reach it."""

    def __init__(self, directory: Path, **settings: str) -> None:
        self.directory = directory
        self.webhook_port, self.admin_port = free_port(), free_port()
        config = directory / "wallet.toml"
        config.write_text(CONFIG)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("WALLET_")}
        self.environ = {
            **inherited,
            "WALLET_CONFIG": str(config),
            "WALLET_DATA_DIR": str(directory),
            "WALLET_WEBHOOK_PORT": str(self.webhook_port),
            "WALLET_ADMIN_PORT": str(self.admin_port),
            "WALLET_ADMIN_TOKEN": TOKEN,
            "WALLET_LOG_LEVEL": "WARNING",
            **settings,
        }

    def admin(self, method: str, path: str, body: dict[str, str] | None = None, key: str = "") -> Any:
        """One call of the back office."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.admin_port}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {TOKEN}", "Idempotency-Key": key, "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as reply:  # noqa: S310 - loopback
            return json.load(reply)

    def worker_pid(self) -> int:
        """The first worker's pid, as the parent recorded it."""
        (path,) = (self.directory / "pids").glob("worker-0*")
        return int(json.loads(path.read_text())["pid"])

    def verify(self) -> dict[str, Any]:
        """What `wallet verify` finds in the ledger and in Redis."""
        command = [sys.executable, "-m", "seamless_wallet", "verify", "--json"]
        done = subprocess.run(
            command, env=self.environ, capture_output=True, text=True, timeout=VERIFY_LIMIT_S, check=False
        )
        if not done.stdout:
            raise RuntimeError(f"wallet verify: {done.stderr}")
        found: dict[str, Any] = json.loads(done.stdout)
        return {**found, "exit_status": done.returncode}


@contextmanager
def running(command: Sequence[str], environ: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A child process for as long as the block lasts. SIGKILL if it does not end by itself.

    SIGTERM ends the block as Ctrl-C does: else the child would go on by itself.
    """
    process = subprocess.Popen(command, env=guarded(environ), stdout=subprocess.DEVNULL, start_new_session=True)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield process
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one must not leave the child
        process.terminate()
        try:
            process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        signal.signal(signal.SIGTERM, before)


def wait_for(port: int) -> None:
    """Until somebody listens."""
    deadline_s = time.monotonic() + START_LIMIT_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(0.05)
        else:
            return


def wait_until_ready(service: Service) -> None:
    """Until /readyz says so."""
    deadline_s = time.monotonic() + START_LIMIT_S
    while True:
        try:
            service.admin("GET", "/readyz")
        except OSError:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(0.02)
        else:
            return
