"""SIGHUP for processes that were started by themselves: `wallet serve`, `wallet write`, `wallet admin`."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from seamless_wallet.commands import Code
from tests.acceptance.calls import Load, free_port, login, metric, ready
from tests.acceptance.service_process import CONFIG, KEY, WALLET, environment, run, wait_until
from tests.valkey_server import start_valkey

NEW_KEY = "another-key-of-32-bytes-to-come!"
BOTH_KEYS = CONFIG.replace(f'api_key = "{KEY}"', f'api_key = "{NEW_KEY}"\nprevious_api_key = "{KEY}"')
ROLES = ("write", "serve", "admin")
LIMIT_S = 60.0

pytestmark = pytest.mark.timeout(180)


class SingleProcesses:
    """One process of each kind, which a test may send signals."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self.config = directory / "wallet.toml"
        self._ports = {"webhook_port": free_port(), "admin_port": free_port()}
        self.webhook_url, self.admin_url = (f"http://127.0.0.1:{port}" for port in self._ports.values())
        self.environ = environment(directory, WALLET_REDIS_URL=f"unix://{directory}/redis.sock")
        for name in self._ports:
            del self.environ[f"WALLET_{name.upper()}"]
        self.write_config(CONFIG)
        made = run(["init"], self.environ)
        assert made.returncode == 0, made.stderr
        self.logs = {role: directory / f"{role}.log" for role in ROLES}
        self.processes = {role: self._start(role, stack) for role in ROLES}

    def _start(self, role: str, stack: ExitStack) -> subprocess.Popen[bytes]:
        with self.logs[role].open("w") as log:
            process = subprocess.Popen([*WALLET, role], env=self.environ, stderr=log)
        stack.callback(process.wait)
        stack.callback(process.kill)
        return process

    def write_config(self, providers: str, **changes: str) -> None:
        """The settings, with the ports in the file: those of the environment could not be changed."""
        ports = "".join(f"{name} = {port}\n" for name, port in (self._ports | changes).items())
        self.config.write_text(ports + providers)

    def lines(self, role: str, event: str) -> list[dict[str, Any]]:
        """The lines of the log of one process that have this event."""
        found = []
        for line in self.logs[role].read_text().splitlines():
            with suppress(ValueError):
                fields = json.loads(line)
                if fields["event"] == event:
                    found.append(fields)
        return found

    def reload(self, role: str, outcome: str) -> dict[str, Any]:
        """Send SIGHUP, and wait for the line that says what became of it."""
        before = len(self.lines(role, outcome))
        self.processes[role].send_signal(signal.SIGHUP)
        wait_until(lambda: len(self.lines(role, outcome)) > before, LIMIT_S, f"{role}: {outcome}")
        return self.lines(role, outcome)[-1]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SingleProcesses]:
    """A writer, a worker and an admin process that nobody supervises, and a player who may log in."""
    directory = tmp_path_factory.mktemp("alone")
    with ExitStack() as stack:
        stack.enter_context(start_valkey(directory))
        processes = SingleProcesses(directory, stack)

        def answers() -> bool:
            with suppress(OSError):
                return ready(processes.admin_url)[0] == 200
            return False

        wait_until(answers, LIMIT_S, "readiness")
        created = run(["player", "create", "ann", "KRW"], processes.environ)
        assert created.returncode == 0, created.stderr
        yield processes


def test_each_takes_new_settings_into_use_under_load(alone: SingleProcesses) -> None:
    """What is made anew gets ready beside what works. No call is refused, and the process stays the same."""
    with Load(alone.webhook_url) as load:
        alone.write_config(BOTH_KEYS)
        for role in ROLES:
            assert alone.reload(role, "reloaded")["changed"] == ["providers.acme"]
        with Load(alone.webhook_url, NEW_KEY) as new_load:
            wait_until(lambda: new_load.codes.total() >= 50, LIMIT_S, "calls with the new key")
    assert not load.faults + new_load.faults
    assert set(load.codes) == set(new_load.codes) == {Code.R0}
    assert ready(alone.admin_url)[0] == 200
    assert all(process.poll() is None for process in alone.processes.values())


def test_a_typo_is_one_line_and_changes_nothing(alone: SingleProcesses) -> None:
    """As for the whole service."""
    alone.write_config(BOTH_KEYS)
    alone.reload("serve", "reloaded")
    alone.write_config(BOTH_KEYS.replace("api_id", "api_idd"))
    for role in ROLES:
        before = len(alone.logs[role].read_text().splitlines())
        assert "api_idd" in alone.reload(role, "reload_refused")["error"]
        assert len(alone.logs[role].read_text().splitlines()) == before + 1
    assert metric(alone.admin_url, "wallet_reload_refused") == 1
    assert [login(alone.webhook_url, key) for key in (KEY, NEW_KEY)] == [Code.R0, Code.R0]


def test_settings_that_no_parser_takes_stop_nothing(alone: SingleProcesses) -> None:
    """Nested deeper than Python can follow, or with a number of too many digits: refused in a line like a typo."""
    alone.write_config(BOTH_KEYS)
    alone.reload("serve", "reloaded")
    for wrong in ("x = " + "[" * 20_000, f"workers = {'9' * 5_000}"):
        alone.write_config(wrong)
        for role in ROLES:
            assert "is not TOML" in alone.reload(role, "reload_refused")["error"]
    assert login(alone.webhook_url, NEW_KEY) is Code.R0


def test_what_needs_a_restart_is_named(alone: SingleProcesses) -> None:
    """The port stays as it is, and the rest is taken into use."""
    alone.write_config("deadline_ms = 1500\n" + BOTH_KEYS, webhook_port="1")
    assert "deadline_ms" in alone.reload("serve", "reloaded")["changed"]
    assert [line["settings"] for line in alone.lines("serve", "restart_needed")] == [["webhook_port"]]
    assert login(alone.webhook_url) is Code.R0


def test_each_ends_in_order_afterwards(alone: SingleProcesses) -> None:
    """Nothing of an earlier generation holds it up."""
    for role in reversed(ROLES):
        alone.processes[role].terminate()
        assert alone.processes[role].wait(LIMIT_S) == 0, alone.logs[role].read_text()
