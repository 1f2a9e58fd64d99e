"""The service under a service manager such as systemd: passed sockets, notifications, the watchdog."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from seamless_wallet.commands import Code
from tests.acceptance.calls import Load
from tests.acceptance.service_process import CONFIG, WALLET, environment, run, wait_until

LIMIT_S = 60.0

LAUNCHER = """
import fcntl, os, sys
passed = [fcntl.fcntl(int(handle), fcntl.F_DUPFD_CLOEXEC, 100) for handle in sys.argv[1].split(",")]
for place, handle in enumerate(passed, 3):
    os.dup2(handle, place)
os.environ["LISTEN_PID"] = str(os.getpid())
os.environ["LISTEN_FDS"] = str(len(passed))
os.execv(sys.argv[2], sys.argv[2:])
"""
"""What systemd does between fork and exec: the sockets become file descriptors from 3 on."""

pytestmark = pytest.mark.timeout(180)


class Manager:
    """Holds the sockets, starts `wallet up`, and listens to what it tells."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self.directory = directory
        (directory / "wallet.toml").write_text(CONFIG)
        self._sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=1024)) for _ in range(2)]
        self._ports = [listening.getsockname()[1] for listening in self._sockets]
        self.webhook_url, self.admin_url = (f"http://127.0.0.1:{port}" for port in self._ports)
        self._notified = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        self._notified.bind(f"{directory}/notify")
        self._notified.setblocking(False)
        self.told: list[str] = []
        self.environ = environment(
            directory,
            WALLET_WEBHOOK_PORT=str(self._ports[0]),
            WALLET_ADMIN_PORT=str(self._ports[1]),
            WALLET_DEADLINE_MS="10000",  # a call may wait for the start of the next service
            NOTIFY_SOCKET=f"{directory}/notify",
            WATCHDOG_USEC="3000000",
        )

    @contextmanager
    def service(self, **changes: str) -> Iterator[subprocess.Popen[bytes]]:
        """`wallet up`, for as long as the context lasts."""
        handles = [str(listening.fileno()) for listening in self._sockets]
        command = [sys.executable, "-c", LAUNCHER, ",".join(handles), *WALLET, "up"]
        with (self.directory / "up.log").open("a") as log:
            process = subprocess.Popen(
                command, env={**self.environ, **changes}, stderr=log, pass_fds=[int(handle) for handle in handles]
            )
        try:
            yield process
        finally:
            process.terminate()  # in order: a killed parent would leave its Redis behind
            try:
                process.wait(LIMIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def has_told(self, word: str) -> bool:
        """Whether a message with this line has come."""
        with suppress(BlockingIOError):
            while True:
                self.told += self._notified.recv(4096).decode().splitlines()
        return word in self.told

    def forget(self) -> None:
        """What was told so far is of no interest, and makes room for more: the queue is short."""
        self.has_told("")
        self.told.clear()

    def wait_for(self, word: str) -> None:
        """Wait for a message with this line, since the last `forget`."""
        wait_until(lambda: self.has_told(word), LIMIT_S, word)


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    """A service manager with a directory for its service."""
    with ExitStack() as stack:
        yield Manager(tmp_path, stack)


def test_a_restart_keeps_the_sockets_and_refuses_no_call(manager: Manager) -> None:
    """Calls wait in the backlog for the next service. The manager hears of the start, of reloads and of the end."""
    with ExitStack() as stack:
        process = stack.enter_context(manager.service())
        manager.wait_for("STATUS=ready")
        assert "READY=1" in manager.told
        manager.wait_for("WATCHDOG=1")
        created = run(["player", "create", "ann", "KRW"], manager.environ)
        assert created.returncode == 0, created.stderr
        manager.forget()
        process.send_signal(signal.SIGHUP)
        manager.wait_for("RELOADING=1")
        assert any(line.startswith("MONOTONIC_USEC=") for line in manager.told)
        manager.wait_for("READY=1")
        with Load(manager.webhook_url) as load:
            wait_until(lambda: load.codes.total() >= 20, LIMIT_S, "calls")
            process.terminate()
            manager.wait_for("STOPPING=1")
            assert process.wait(LIMIT_S) == 0
            manager.forget()
            stack.enter_context(manager.service())
            manager.wait_for("STATUS=ready")
            before = load.codes.total()
            wait_until(lambda: load.codes.total() >= before + 20, LIMIT_S, "calls after the restart")
        assert not load.faults
        assert set(load.codes) == {Code.R0}


def test_the_children_get_nothing_that_is_meant_for_the_service(manager: Manager) -> None:
    """A child that told the manager something, or took a socket, would confuse it."""
    with manager.service():
        manager.wait_for("STATUS=ready")
        for path in (manager.directory / "var" / "pids").iterdir():
            pid = path.read_text().split('"pid": ')[1].split(",")[0]
            names = {line.partition(b"=")[0] for line in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")}
            assert not names & {b"NOTIFY_SOCKET", b"WATCHDOG_USEC", b"LISTEN_PID", b"LISTEN_FDS"}


def test_a_passed_socket_that_no_setting_names_is_refused(manager: Manager) -> None:
    """Nobody would answer there. One line says what to do."""
    with manager.service(WALLET_ADMIN_PORT="0") as process:
        assert process.wait(LIMIT_S) == os.EX_CONFIG
    (line,) = (manager.directory / "up.log").read_text().splitlines()
    assert line.startswith("wallet: WALLET_WEBHOOK_PORT, WALLET_ADMIN_PORT: ")
    assert manager.admin_url.rpartition(":")[2] in line


def test_a_service_that_cannot_go_on_ends_with_a_status_that_starts_it_again(manager: Manager) -> None:
    """Here the embedded Valkey cannot be started: not 0, and not 78, after which the unit is not started again."""
    (manager.directory / "var").mkdir(mode=0o700)
    (manager.directory / "var" / "redis.sock").mkdir()
    with manager.service() as process:
        assert process.wait(LIMIT_S) not in {0, os.EX_CONFIG}
    assert not list((manager.directory / "var" / "pids").iterdir())
