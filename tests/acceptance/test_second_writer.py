"""Two writers on one Redis: that of a copy of the ledger, started by mistake while ours stood still."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from seamless_wallet.commands import Code
from seamless_wallet.exit_status import EXIT_TEMPFAIL
from tests.acceptance.calls import login, metric, ready
from tests.acceptance.service_process import WALLET, RunningService, environment, wait_until

LIMIT_S = 40.0


@contextmanager
def writer_of_a_copy(service: RunningService, directory: Path) -> Iterator[None]:
    """`wallet write` on a copy of the service's ledger and its Redis."""
    data = directory / "var"
    data.mkdir(mode=0o700)
    ours, copy = service.directory / "var" / "ledger.sqlite3", data / "ledger.sqlite3"
    with closing(sqlite3.connect(ours)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    copy.chmod(0o600)
    (directory / "wallet.toml").write_text((service.directory / "wallet.toml").read_text())
    environ = environment(directory, WALLET_REDIS_URL=f"unix://{service.redis_socket}")
    with (
        (directory / "write.log").open("w") as log,
        subprocess.Popen([*WALLET, "write"], env=environ, stderr=log) as it,
    ):
        try:
            yield
            assert it.poll() is None, (directory / "write.log").read_text()
        finally:
            it.terminate()


@pytest.mark.timeout(180)
def test_our_writer_ends_with_75_and_returns_when_the_other_one_is_gone(tmp_path: Path) -> None:
    """Readiness and a metric name it meanwhile, and the supervisor does not give up."""
    (tmp_path / "ours").mkdir()
    (tmp_path / "theirs").mkdir()
    with RunningService(tmp_path / "ours", WALLET_DEADLINE_MS="500") as service:
        admin = service.admin_url
        assert service.wallet("player", "create", "ann", "KRW").returncode == 0
        assert login(service.webhook_url) is Code.R0
        stopped = service.pid("writer")
        os.kill(stopped, signal.SIGSTOP)
        with writer_of_a_copy(service, tmp_path / "theirs"):
            wait_until(lambda: "another writer" in ready(admin)[1]["writer"], LIMIT_S, "seen by readiness")
            assert login(service.webhook_url) is Code.R1
            os.kill(stopped, signal.SIGCONT)
            wait_until(lambda: f'"exit_code":{EXIT_TEMPFAIL}' in service.log.read_text(), LIMIT_S, "its end")
            assert "wallet: another writer, of a copy of this ledger" in service.log.read_text()
            wait_until(lambda: "another writer" in ready(admin)[1]["writer"], LIMIT_S, "seen by readiness again")
            assert ready(admin)[0] == 503
            wait_until(lambda: metric(service.admin_url, "wallet_foreign_writer") == 1, LIMIT_S, "seen in the metric")
            ends = service.log.read_text().count(f'"exit_code":{EXIT_TEMPFAIL}')
            wait_until(
                lambda: service.log.read_text().count(f'"exit_code":{EXIT_TEMPFAIL}') > ends + 1, LIMIT_S, "more"
            )
        wait_until(lambda: ready(admin)[0] == 200, LIMIT_S, "ours is back")
        assert metric(service.admin_url, "wallet_foreign_writer") == 0
        assert login(service.webhook_url) is Code.R0
        assert service.wallet("verify").returncode == 0
