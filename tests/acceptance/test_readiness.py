"""Readiness tells the truth, at once, whatever else the service does or lacks."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from seamless_wallet.commands import Code
from tests.acceptance.calls import free_port, login, ready
from tests.acceptance.service_process import CONFIG, WALLET, RunningService, environment, wait_until
from tests.valkey_server import start_valkey

LIMIT_S = 40.0
ROWS = 60_000
CHUNK = 10_000


def get(url: str) -> int:
    """The status of a page that is answered at all."""
    with urllib.request.urlopen(url, timeout=20) as reply:
        reply.read()
        return int(reply.status)


def test_a_cold_start_without_redis_answers_and_becomes_ready_with_it(tmp_path: Path) -> None:
    """Webhooks are R1. The admin process says what is missing. When Redis comes, nothing has to be started again."""
    (tmp_path / "wallet.toml").write_text(CONFIG)
    (tmp_path / "redis").mkdir()
    ports = {"WALLET_WEBHOOK_PORT": free_port(), "WALLET_ADMIN_PORT": free_port()}
    environ = environment(tmp_path, WALLET_REDIS_URL=f"unix://{tmp_path}/redis/redis.sock", **ports)
    webhook, admin = (f"http://127.0.0.1:{port}" for port in ports.values())
    with (tmp_path / "up.log").open("w") as log:
        process = subprocess.Popen([*WALLET, "up"], env=environ, stderr=log)
    try:
        wait_until(lambda: (tmp_path / "up.log").stat().st_size > 0, LIMIT_S, "its first line")
        assert login(webhook) is Code.R1
        assert (get(f"{admin}/livez"), get(f"{admin}/metrics")) == (200, 200)
        wait_until(lambda: "ok" in ready(admin)[1].values(), LIMIT_S, "a look at everything")
        status, components = ready(admin)
        assert status == 503
        assert components["redis"].startswith("no connection")
        assert components["workers"].startswith("0 of 1: worker-0 is")
        assert components["admin"] == components["parent"] == "ok"
        with start_valkey(tmp_path / "redis"):
            wait_until(lambda: ready(admin)[0] == 200, LIMIT_S, "readiness")
            assert login(webhook) is Code.R3  # nobody knows the player: Redis and SQL were asked
            process.terminate()
            assert process.wait(LIMIT_S) == 0
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Two workers, and a ledger that takes a while to add up."""
    directory = tmp_path_factory.mktemp("readiness")
    with RunningService(directory, WALLET_WORKERS="2") as service:
        assert service.wallet("player", "create", "ann", "KRW").returncode == 0
        fill(directory / "var" / "ledger.sqlite3")
        wait_until(lambda: ready(service.admin_url)[0] == 200, LIMIT_S, "readiness")
        yield service


def fill(ledger: Path) -> None:
    """Copies of one entry, in a shard that the service does not have: only the trial balance reads them."""
    with closing(sqlite3.connect(ledger, timeout=LIMIT_S, isolation_level=None)) as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(entry)")]
        changed = {"id": "1000000 + n", "shard": "99", "seq": "n"}
        values = ", ".join(changed.get(column, column) for column in columns)
        numbers = "WITH number(n) AS (VALUES (?) UNION ALL SELECT n + 1 FROM number WHERE n < ?)"
        for first in range(1, ROWS, CHUNK):  # the writer has its turn in between
            connection.execute(
                f"{numbers} INSERT INTO entry SELECT {values} FROM number, (SELECT * FROM entry LIMIT 1)",  # noqa: S608 - columns of the schema
                (first, first + CHUNK - 1),
            )


@pytest.mark.timeout(180)
def test_many_trial_balances_at_once_hold_up_neither_readiness_nor_deposits(service: RunningService) -> None:
    """One is computed at a time, in a thread of its own, and told with its age."""
    token = {"Authorization": f"Bearer {(service.directory / 'var' / 'admin.token').read_text().strip()}"}

    def asked(path: str, body: dict[str, str] | None = None, **headers: str) -> dict[str, Any]:
        request = urllib.request.Request(
            service.admin_url + path,
            data=json.dumps(body).encode() if body else None,
            headers={**token, **headers, "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as reply:
            return dict(json.load(reply))

    with ThreadPoolExecutor(12) as pool:
        sums = [pool.submit(asked, "/v1/trial-balance") for _ in range(36)]
        while not all(future.done() for future in sums):
            assert ready(service.admin_url)[0] == 200
            key = {"Idempotency-Key": f"deposit-{time.monotonic_ns()}"}
            assert asked("/v1/players/ann/deposits", {"amount": "1.00"}, **key)["replayed"] is False
    assert all(future.result()["balanced"] and future.result()["age_ms"] >= 0 for future in sums)


@pytest.mark.parametrize(("role", "component"), [("worker-1", "workers"), ("writer", "writer")])
def test_a_process_that_does_not_turn_is_seen(service: RunningService, role: str, component: str) -> None:
    """It still runs and is still connected to Redis. When it goes on, everything is ready again."""
    wait_until(lambda: ready(service.admin_url)[0] == 200, LIMIT_S, "readiness")
    pid = service.pid(role)
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_until(lambda: ready(service.admin_url)[0] == 503, LIMIT_S, f"the silence of {role}")
        due = {"workers": "1 of 2: worker-1 has not responded for", "writer": "writer has not"}[component]
        # That a writer finished no cycle may be noticed first.
        wait_until(
            lambda: ready(service.admin_url)[1][component].startswith(due), LIMIT_S, "what its parent says of it"
        )
        assert {state for name, state in ready(service.admin_url)[1].items() if name != component} == {"ok"}
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_until(lambda: ready(service.admin_url)[0] == 200, LIMIT_S, "readiness again")
    assert service.pid(role) == pid


def test_a_parent_that_does_not_turn_is_seen(service: RunningService) -> None:
    """Nobody would start again what dies now."""
    service.process.send_signal(signal.SIGSTOP)
    try:
        wait_until(lambda: ready(service.admin_url)[1]["parent"] != "ok", LIMIT_S, "the silence of the parent")
    finally:
        service.process.send_signal(signal.SIGCONT)
    wait_until(lambda: ready(service.admin_url)[0] == 200, LIMIT_S, "readiness again")
