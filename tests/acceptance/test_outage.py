"""What the outside sees while something is away: answers, readiness, an orderly end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from seamless_wallet.commands import Code, Command, Kind
from seamless_wallet.providers import Provider, build_provider
from tests.acceptance.service_process import CONFIG, KEY, WALLET, RunningService, environment, run, wait_until


def acme() -> Provider:
    """The provider of the configuration."""
    return build_provider(random_bytes=os.urandom, name="acme", api_id="acme", api_key=KEY, currencies={"KRW": 2})


def login(url: str) -> Code:
    """One sealed login; the code of its answer."""
    provider, now_ms = acme(), time.time_ns() // 1_000_000
    (key,) = provider.keys
    command = Command(
        kind=Kind.LOGIN,
        provider="acme",
        user_id="ann",
        transaction_id=f"0_{now_ms}",
        timestamp_ms=now_ms,
        received_ms=now_ms,
    )
    body = provider.seal(provider.profile.encode_event(command, 2), key)
    request = urllib.request.Request(f"{url}/webhook/acme", data=body, headers=provider.headers(key))
    with urllib.request.urlopen(request, timeout=10) as reply:
        return provider.profile.decode_reply(provider.open(reply.read(), key)).code


def ready(url: str) -> tuple[int, dict[str, Any]]:
    """Status and components of /readyz."""
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=10) as reply:
            return reply.status, json.load(reply)["components"]
    except urllib.error.HTTPError as error:
        with closing(error):
            return error.code, json.load(error)["components"]


@pytest.fixture
def lonely_worker(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A worker whose Redis is not there, and its URL."""
    (tmp_path / "wallet.toml").write_text(CONFIG)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
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
            assert "cycle" in ready(service.admin_url)[1]["writer"]
        finally:
            os.kill(writer, signal.SIGCONT)
        wait_until(lambda: ready(service.admin_url)[0] == 200, 10.0, "readiness again")
