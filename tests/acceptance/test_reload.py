"""SIGHUP takes new settings into use, and processes are replaced, while calls go on as if nothing happened."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from seamless_wallet.access_roles import token_digest
from seamless_wallet.commands import Code, Kind
from seamless_wallet.supervisor.pid_files import identify
from tests.acceptance.calls import Load, call, items, login, metric, ready
from tests.acceptance.service_process import CONFIG, KEY, WALLET, RunningService, environment, wait_until

NEW_KEY = "another-key-of-32-bytes-to-come!"
BOTH_KEYS = CONFIG.replace(f'api_key = "{KEY}"', f'api_key = "{NEW_KEY}"\nprevious_api_key = "{KEY}"')
LIMIT_S = 60.0
ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Two workers, and a player who may log in."""
    with RunningService(tmp_path_factory.mktemp("reload"), WALLET_WORKERS="2") as service:
        created = service.wallet("player", "create", "ann", "KRW")
        assert created.returncode == 0, created.stderr
        yield service


def events(service: RunningService, name: str) -> list[dict[str, Any]]:
    """The lines of the log that have this event."""
    found = []
    for line in service.log.read_text().splitlines():
        with suppress(ValueError):
            event = json.loads(line)
            if event.get("event") == name:
                found.append(event)
    return found


def reload(service: RunningService, config: str, outcome: str) -> dict[str, Any]:
    """Write the settings, send SIGHUP, and wait for the one line that says what became of it."""
    before = len(events(service, outcome))
    (service.log.parent / "wallet.toml").write_text(config)
    service.process.send_signal(signal.SIGHUP)
    wait_until(lambda: len(events(service, outcome)) > before, LIMIT_S, outcome)
    return events(service, outcome)[-1]


def take_into_use(service: RunningService, config: str) -> None:
    """Have these settings in force, as they may be after the test before."""
    if (service.log.parent / "wallet.toml").read_text() != config:
        reload(service, config, "reloaded")


def wait_for_replacement(service: RunningService, role: str, pid: int) -> None:
    """Another process has the role, and everything is ready."""
    wait_until(partial(service.is_replaced, role, pid), LIMIT_S, f"a new {role}")
    wait_until(lambda: ready(service.admin_url)[0] == 200, LIMIT_S, "readiness")


def test_replacing_each_worker_under_load_costs_no_answer(service: RunningService) -> None:
    """A worker that is told to end finishes what it has, and its successor accepts only when it is ready."""
    with Load(service.webhook_url) as load:
        for role in ("worker-0", "worker-1"):
            pid = service.pid(role)
            os.kill(pid, signal.SIGTERM)
            wait_for_replacement(service, role, pid)
    assert not load.faults
    assert set(load.codes) == {Code.R0}


def connections_of(pid: int, port: int) -> int:
    """Open connections that a process has accepted on a port."""
    sockets = set()
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            sockets.add(fd.readlink().name)
    rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    established, local = "01", f":{port:04X}"
    return sum(row[3] == established and row[1].endswith(local) and f"socket:[{row[9]}]" in sockets for row in rows)


def test_kept_connections_spread_over_the_workers_again(service: RunningService) -> None:
    """When a worker has died all connections are with the other one. No call is refused while it gives some away."""
    port = int(service.webhook_url.rpartition(":")[2])
    with Load(service.webhook_url, connections=8) as load:
        pid = service.pid("worker-1")
        service.kill("worker-1")
        wait_for_replacement(service, "worker-1", pid)
        faults = len(load.faults)

        def are_spread() -> bool:
            return max(connections_of(service.pid(role), port) for role in ("worker-0", "worker-1")) <= 5

        wait_until(are_spread, LIMIT_S, "connections of both workers")
    assert len(load.faults) == faults <= 8
    assert set(load.codes) == {Code.R0}


def test_a_new_key_is_taken_into_use_under_load(service: RunningService) -> None:
    """Workers, admin and writer are replaced, Valkey stays. No call is refused, and Redis is warm."""
    roles = ("worker-0", "worker-1", "admin", "writer")
    before, valkey = {role: service.pid(role) for role in roles}, service.pid("valkey")
    assert login(service.webhook_url, NEW_KEY) is Code.R2
    with Load(service.webhook_url) as load:
        line = reload(service, BOTH_KEYS, "reloaded")
        with Load(service.webhook_url, NEW_KEY) as new_load:
            wait_until(lambda: new_load.codes.total() >= 100, LIMIT_S, "calls with the new key")
    assert line["changed"] == ["providers.acme"]
    assert not load.faults + new_load.faults
    assert set(load.codes) == set(new_load.codes) == {Code.R0}
    assert all(service.pid(role) != pid for role, pid in before.items())
    assert service.pid("valkey") == valkey
    assert not events(service, "epochs_opened")[1:]


def test_a_typo_is_one_line_and_changes_nothing(service: RunningService) -> None:
    """A worker that dies later comes back with the settings that are in force. A metric tells."""
    take_into_use(service, BOTH_KEYS)
    pids = {role: service.pid(role) for role in ("worker-0", "worker-1", "admin", "writer", "valkey")}
    lines = len(service.log.read_text().splitlines())
    line = reload(service, BOTH_KEYS.replace("api_id", "api_idd"), "reload_refused")
    assert "api_idd" in line["error"]
    assert len(service.log.read_text().splitlines()) == lines + 1
    assert {role: service.pid(role) for role in pids} == pids
    for role in ("worker-0", "worker-1", "admin"):
        service.kill(role)
        wait_for_replacement(service, role, pids[role])
    assert [login(service.webhook_url, key) for key in (KEY, NEW_KEY)] == [Code.R0, Code.R0]
    assert service.wallet("player", "create", "ann", "KRW").returncode == 78  # a command reads the file itself
    assert metric(service.admin_url, "wallet_reload_refused") == 1


def test_a_provider_is_switched_to_settlements(service: RunningService) -> None:
    """Its open bets are played to their end. Nothing new begins."""
    key, url = NEW_KEY, service.webhook_url
    take_into_use(service, BOTH_KEYS)
    assert service.wallet("player", "deposit", "ann", "100.00", "--key", "settlements").returncode == 0
    assert [
        call(url, Kind.LOGIN, key),
        call(url, Kind.BET, key, **items("r1")),
        call(url, Kind.BET, key, **items("r2")),
    ] == [Code.R0] * 3
    reload(service, BOTH_KEYS + 'accept = "settlements"\n', "reloaded")
    assert [call(url, Kind.LOGIN, key), call(url, Kind.BET, key, **items("r3"))] == [Code.R1] * 2
    assert call(url, Kind.CANCEL, key, **items("r1")) is Code.R0
    assert call(url, Kind.RESULT, key, **items("r2")) is Code.R0
    assert call(url, Kind.LOGOUT, key) is Code.R0


def test_tokens_with_roles_are_let_in(service: RunningService) -> None:
    """Each route is for the role that the document names, and the audit log tells who did what."""
    take_into_use(service, CONFIG)
    made = service.wallet("token", "new", "money-desk", "--role", "money").stdout
    tokens = {"read": "read" * 8, "support": "support" * 8, "money": made.splitlines()[0].rpartition(" ")[2]}
    tables = made.partition("\n\n")[2]
    for role in ("read", "support"):
        tables += f'[tokens.{role}]\nrole = "{role}"\nsha256 = "{token_digest(tokens[role]).hex()}"\n'
    told = reload(service, CONFIG + tables, "reloaded")
    assert told["changed"] == ["tokens"]
    admin = (service.directory / "var" / "admin.token").read_text().strip()
    tokens["admin"] = admin
    for (method, path), least in documented_roles().items():
        for role, token in tokens.items():
            status = answered(service, method, path, token)
            allowed = list(tokens).index(role) >= list(tokens).index(least)
            assert (status == 403) == (not allowed), (method, path, role, status)
    paid = answered(service, "POST", "/v1/players/ann/deposits", tokens["money"], {"amount": "5"}, why="ticket 12")
    assert paid == 201
    shown = service.wallet("audit", "--actor", "money-desk", "--action", "deposit", "--limit", "1", "--json")
    (action,) = json.loads(shown.stdout)
    assert (action["user_id"], action["reason"], action["outcome"]["status"]) == ("ann", "ticket 12", 201)
    file = service.directory / "var" / "ledger.sqlite3.audit.db"
    if file.exists():  # beside a ledger in PostgreSQL it has another name
        assert not any(token.encode() in file.read_bytes() for token in tokens.values())


def documented_roles() -> dict[tuple[str, str], str]:
    """The least role of each route that needs a token, by docs/openapi.json."""
    paths = json.loads((ROOT / "docs" / "openapi.json").read_text())["paths"]
    return {
        (method.upper(), path): operation["security"][0]["token"][0]
        for path, item in paths.items()
        for method, operation in item.items()
        if method != "parameters" and operation["security"]
    }


def answered(
    service: RunningService, method: str, path: str, token: str, body: dict[str, str] | None = None, why: str = "-"
) -> int:
    """The status of a call of the admin API. Without a body it does nothing, whoever is let in."""
    url = service.admin_url + path.replace("{user_id}", "ann").replace("{call_id}", "1")
    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Idempotency-Key": "k",
        "Audit-Reason": why,
    }
    data = None if method in {"GET", "DELETE"} else json.dumps(body or {}).encode()
    request = urllib.request.Request(url, data=data, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as error:
        with closing(error):
            return error.code


def test_no_secret_is_shown_by_the_system(service: RunningService) -> None:
    """Neither the command lines nor the environments of the children hold a key, and children keep no file with one."""
    for role in ("worker-0", "worker-1", "admin", "writer"):
        process = Path(f"/proc/{service.pid(role)}")
        for name in ("cmdline", "environ"):
            content = (process / name).read_bytes()
            assert KEY.encode() not in content
            assert b"WALLET_" not in content
        assert not [fd for fd in (process / "fd").iterdir() if "settings" in str(fd.readlink())]


def test_a_reload_that_is_asked_for_during_the_start_ends_nothing(tmp_path: Path) -> None:
    """Whoever manages the configuration may be faster than the start: the lock file has told them the process."""
    log, lock = tmp_path / "up.log", tmp_path / "var" / "up.lock"
    (tmp_path / "wallet.toml").write_text(CONFIG)
    with log.open("w") as output:
        process = subprocess.Popen([*WALLET, "up"], env=environment(tmp_path), stderr=output)

    def is_ready() -> bool:
        if lock.exists():
            process.send_signal(signal.SIGHUP)
        return process.poll() is not None or '"ready"' in log.read_text()

    try:
        wait_until(is_ready, LIMIT_S, "ready")
        wait_until(lambda: '"reloaded"' in log.read_text(), LIMIT_S, "reloaded")
        process.terminate()
        assert process.wait(LIMIT_S) == 0
    finally:
        process.kill()
        process.wait()


def test_a_closed_terminal_stops_the_service_in_order(tmp_path: Path) -> None:
    """The hang-up of a terminal is SIGHUP, too. Nothing stays behind, not even Valkey."""
    (tmp_path / "wallet.toml").write_text(CONFIG)
    log = tmp_path / "up.log"
    environ = environment(tmp_path)
    output = os.open(log, os.O_WRONLY | os.O_CREAT)
    pid, terminal = pty.fork()
    if pid == 0:
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.execve(WALLET[0], (*WALLET, "up"), environ)  # noqa: S606 - a child of pty.fork
    os.close(output)
    try:
        wait_until(lambda: '"ready"' in log.read_text(), LIMIT_S, "ready")
        valkey = json.loads((tmp_path / "var" / "pids" / "valkey").read_text())["pid"]
        os.close(terminal)
        wait_until(lambda: identify(pid) is None, LIMIT_S, "the end of the service")
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert identify(valkey) is None
    assert '"stopping"' in log.read_text()
