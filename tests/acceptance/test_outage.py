"""What the outside sees while something is away: answers, readiness, an orderly end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from seamless_wallet.commands import Code
from tests.acceptance.calls import free_port, login, ready
from tests.acceptance.service_process import CONFIG, WALLET, RunningService, environment, run, wait_until


@pytest.fixture
def lonely_worker(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A worker whose Redis is not there, and its URL."""
    (tmp_path / "wallet.toml").write_text(CONFIG)
    port = free_port()
    environ = environment(tmp_path, WALLET_REDIS_URL="redis://127.0.0.1:1/0", WALLET_WEBHOOK_PORT=port)
    assert run(["init"], environ).returncode == 0
    process = subprocess.Popen([*WALLET, "serve"], env=environ, stderr=subprocess.PIPE, text=True)

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", int(port))) == 0

    wait_until(listens, 20.0, "the worker's port")
    yield process, f"http://127.0.0.1:{port}"
    process.kill()
    process.communicate()


def test_a_worker_without_redis_answers_r1_and_stops_at_once(lonely_worker: tuple[subprocess.Popen[str], str]) -> None:
    """R1 from its first second, one line about Redis, and an end that waits for nobody."""
    process, url = lonely_worker
    assert login(url) is Code.R1
    process.terminate()
    _, stderr = process.communicate(timeout=5)
    assert process.returncode == 0
    assert stderr.count("redis_unreachable") == 1
    assert len(stderr.splitlines()) <= 3


def test_readiness_tells_when_the_writer_hangs(tmp_path: Path) -> None:
    """A stopped writer is still a process: what counts is its last whole cycle."""
    with RunningService(tmp_path) as service:
        wait_until(lambda: ready(service.admin_url)[0] == 200, 10.0, "readiness")
        writer = service.pid("writer")
        os.kill(writer, signal.SIGSTOP)
        try:
            wait_until(lambda: ready(service.admin_url)[0] == 503, 10.0, "the writer's absence in /readyz")
            assert ready(service.admin_url)[1]["writer"].startswith(
                ("writer has not responded for", "finished no cycle")
            )
        finally:
            os.kill(writer, signal.SIGCONT)
        wait_until(lambda: ready(service.admin_url)[0] == 200, 10.0, "readiness again")
