"""Nothing depends on the log: whatever standard error is, webhooks are answered and killed processes come back."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from seamless_wallet.commands import Code, Kind
from tests.acceptance.calls import call, items
from tests.acceptance.service_process import (
    CONFIG,
    START_LIMIT_S,
    WALLET,
    RunningService,
    environment,
    wait_until,
)

LIMIT_S = 20.0
TOKEN = "token-of-a-log-test"
PIPE_BYTES = 65_536
"""What a pipe takes before a write to it waits for a reader."""

WITHOUT_STDERR = ("sh", "-c", 'exec "$@" 2>&-', "sh")


class MuteService(RunningService):
    """`wallet up` whose log nobody may be able to read. It is ready when `/readyz` says so."""

    def __init__(self, directory: Path, stderr: int | None, prefix: tuple[str, ...] = ()) -> None:
        (directory / "wallet.toml").write_text(CONFIG + "\n[currencies]\nKRW = 2\n")
        with (
            closing(socket.create_server(("127.0.0.1", 0))) as one,
            closing(socket.create_server(("127.0.0.1", 0))) as two,
        ):
            webhook, admin = one.getsockname()[1], two.getsockname()[1]
        self.environ = environment(
            directory,
            WALLET_WEBHOOK_PORT=str(webhook),
            WALLET_ADMIN_PORT=str(admin),
            WALLET_ADMIN_TOKEN=TOKEN,
        )
        self.webhook_url, self.admin_url = f"http://127.0.0.1:{webhook}", f"http://127.0.0.1:{admin}"
        self._program, self._directory, self._pids = WALLET, directory, directory / "var" / "pids"
        self.process = subprocess.Popen(
            [*prefix, *WALLET, "up"], env=self.environ, cwd=directory, stdout=subprocess.DEVNULL, stderr=stderr
        )

    def admin(self, method: str, path: str, body: dict[str, str] | None = None, key: str = "") -> int:
        """One call of the back office; its status, or 0 if nobody answers."""
        request = urllib.request.Request(
            f"{self.admin_url}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {TOKEN}", "Idempotency-Key": key, "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as reply:
                return int(reply.status)
        except urllib.error.HTTPError as error:
            with closing(error):
                return error.code
        except OSError:
            return 0

    def lines_dropped(self) -> int:
        """What `/metrics` says of the lines of all processes."""
        with urllib.request.urlopen(f"{self.admin_url}/metrics", timeout=10) as reply:
            (count,) = re.findall(r"^wallet_log_lines_dropped_total (\d+)$", reply.read().decode(), re.MULTILINE)
        return int(count)

    def orphan(self, number: int) -> Code:
        """The result of a bet that nobody placed: an anomaly, which is logged with its ids."""
        bet = items(f"{number}-{'y' * 100}")
        return call(self.webhook_url, Kind.RESULT, transaction_id=f"{number}-{'x' * 100}", **bet)


@contextmanager
def closed_pipe() -> Iterator[int]:
    """As `2> >(head -n 0)`: nobody reads any more."""
    ours, theirs = os.pipe()
    os.close(ours)
    try:
        yield theirs
    finally:
        os.close(theirs)


@contextmanager
def full_pipe() -> Iterator[int]:
    """A reader that does not read, as a collector that hangs: the pipe has room for nothing."""
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    with suppress(BlockingIOError):
        while True:
            os.write(theirs, b"x" * 4096)
    os.set_blocking(theirs, True)
    try:
        yield theirs
    finally:
        os.close(theirs)
        os.close(ours)


@contextmanager
def full_disk() -> Iterator[int]:
    """Every write fails with ENOSPC."""
    handle = os.open("/dev/full", os.O_WRONLY)
    try:
        yield handle
    finally:
        os.close(handle)


@contextmanager
def no_stderr() -> Iterator[None]:
    """Started with `2>&-`."""
    yield None


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "stderr",
    [full_disk, *(pytest.param(made, marks=pytest.mark.long) for made in (closed_pipe, full_pipe, no_stderr))],
    ids=lambda made: made.__name__,
)
def test_a_service_whose_log_cannot_be_written_does_all_its_work(tmp_path: Path, stderr: Callable[[], Any]) -> None:
    """Deposits, anomalies, four killed processes, an orderly end. Lines that are lost are counted."""
    with (
        stderr() as handle,
        MuteService(tmp_path, handle, WITHOUT_STDERR if handle is None else ()) as service,
    ):
        ready = partial(service.admin, "GET", "/readyz")
        wait_until(lambda: ready() == 200, START_LIMIT_S, "readiness")
        assert service.admin("POST", "/v1/players", {"user_id": "ann", "currency": "KRW"}) == 201
        assert service.admin("POST", "/v1/players/ann/deposits", {"amount": "5.00"}, "one") == 201
        assert service.orphan(0) == Code.R1
        killed = {role: service.kill(role) for role in ("worker-0", "admin", "writer", "valkey")}
        for role, pid in killed.items():
            wait_until(partial(service.is_replaced, role, pid), LIMIT_S, f"a new {role}")
        wait_until(lambda: ready() == 200, LIMIT_S, "readiness again")
        assert service.admin("POST", "/v1/players/ann/deposits", {"amount": "5.00"}, "two") == 201
        assert service.orphan(1) == Code.R1
        assert (service.lines_dropped() > 0) == (stderr in {closed_pipe, full_disk})
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(LIMIT_S) == 0


@pytest.mark.long
@pytest.mark.timeout(120)
def test_a_pipe_that_nobody_empties_stops_nothing_and_loses_no_whole_line(tmp_path: Path) -> None:
    """Anomalies fill the pipe several times over; what is read later is whole lines."""
    ours, theirs = os.pipe()
    with os.fdopen(ours, "rb") as pipe:
        try:
            service = MuteService(tmp_path, theirs)
        finally:
            os.close(theirs)
        with service:
            wait_until(lambda: service.admin("GET", "/readyz") == 200, START_LIMIT_S, "readiness")
            assert service.admin("POST", "/v1/players", {"user_id": "ann", "currency": "KRW"}) == 201
            count = PIPE_BYTES // 300  # of lines of more than 400 bytes
            for number in range(count):
                assert service.orphan(number) == Code.R1
            killed = service.kill("worker-0")
            wait_until(partial(service.is_replaced, "worker-0", killed), LIMIT_S, "a new worker")
            wait_until(lambda: service.admin("GET", "/readyz") == 200, LIMIT_S, "readiness")
            assert service.orphan(count) == Code.R1
            service.process.send_signal(signal.SIGTERM)
            lines = [json.loads(line) for line in pipe]  # to the end of every process
            assert service.process.wait(LIMIT_S) == 0
    assert len({line["transaction_id"] for line in lines if line["event"] == "anomaly"}) > PIPE_BYTES // 600
    assert [line["signal"] for line in lines if line["event"] == "process_exited"] == ["SIGKILL"]


@pytest.mark.parametrize("command", ["up", "serve", "write", "admin"])
def test_a_refused_start_has_its_exit_status_even_if_its_line_cannot_be_written(tmp_path: Path, command: str) -> None:
    """78, so that nobody starts it again and again."""
    environ = environment(tmp_path, WALLET_WORKERS="none")
    for stderr in (closed_pipe, full_disk):
        with stderr() as handle:
            done = subprocess.run([*WALLET, command], env=environ, stderr=handle, timeout=LIMIT_S, check=False)
        assert done.returncode == 78
