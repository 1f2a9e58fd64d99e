"""Real processes, a real Valkey, and dummies in place of the writer, the workers and the admin process."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from seamless_wallet.errors import SettingsError
from seamless_wallet.exit_status import EXIT_CONFIG
from seamless_wallet.settings import load_settings
from seamless_wallet.supervisor.child import EXITS_BEFORE_READY_MAX, Role, backoff_s
from seamless_wallet.supervisor.data_directory import locked
from seamless_wallet.supervisor.embedded_valkey import ValkeyError, answers_ping
from seamless_wallet.supervisor.kinds import VALKEY, WRITER
from seamless_wallet.supervisor.pid_files import identify, stop_stale_processes, write_pid_file
from seamless_wallet.supervisor.roles import default_roles
from seamless_wallet.supervisor.supervisor import Supervisor
from tests.valkey_server import start_valkey

ROOT = Path(__file__).parents[2]
LIMIT_S = 20.0
DUMMY = """
import os, signal, sys, time
from pathlib import Path
from seamless_wallet.supervisor.parent_socket import HEARTBEAT_S, ParentSocket

name, folder, parent = sys.argv[1], Path(sys.argv[2]), ParentSocket(int(sys.argv[-1]))

def stop(*_):
    with (folder / "stopped").open("a") as file:
        file.write(name + "\\n")
    os._exit(0)

if (folder / f"refuse-{name}").exists():
    sys.exit(int((folder / f"refuse-{name}").read_text()))
while (folder / "mute").exists():
    signal.pause()
signal.signal(signal.SIGTERM, signal.SIG_IGN if (folder / "stubborn").exists() else stop)
parent.watch(limit_s=1.0)
while True:
    parent.beat(ready=True)
    time.sleep(HEARTBEAT_S)
"""
PARENT = """
import asyncio, sys
from functools import partial
sys.path[:0] = [{tests!r}]
from test_supervise import dummy_roles, load_settings, Supervisor
settings = load_settings()
ready = settings.data_dir / "ready"
run = Supervisor(settings, lambda _: ready.touch(), roles=partial(dummy_roles, valkey=True)).run
sys.exit(asyncio.run(run()))
"""


def dummy_roles(settings, webhook_fd, admin_fd, *, valkey=False, stop_limit_s=5.0):
    """The real stages, with commands that only wait."""

    def dummy(role):
        command = (sys.executable, "-c", DUMMY, role.name, str(settings.data_dir))
        return Role(role.name, role.kind, command, role.fds, stop_limit_s, settings=role.settings)

    roles = default_roles(settings, webhook_fd, admin_fd)
    return [dummy(role) if role.kind != VALKEY else role for role in roles if valkey or role.kind != VALKEY]


def gone(pid):
    """Whether no such process runs, zombies aside."""
    return identify(pid) is None


async def until(condition, what="it"):
    """Wait for a condition, not for a time."""
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen"
        await asyncio.sleep(0.01)


@pytest.fixture
def environ(tmp_path):
    """A wallet of its own, on free ports."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("WALLET_")},
        "PYTHONPATH": f"{ROOT / 'service'}{os.pathsep}{ROOT}",
        "WALLET_DATA_DIR": str(tmp_path / "var"),
        "WALLET_WEBHOOK_PORT": "0",
        "WALLET_ADMIN_PORT": "0",
        "WALLET_WORKERS": "2",
    }


@asynccontextmanager
async def running(environ, **options):
    """A supervisor in this process, all children ready; stopped at the end, if the test has not done so."""
    urls = asyncio.get_running_loop().create_future()
    supervisor = Supervisor(
        load_settings(environ), urls.set_result, environ=environ, roles=partial(dummy_roles, **options)
    )
    task = asyncio.create_task(supervisor.run())
    await asyncio.wait({task, urls}, return_when=asyncio.FIRST_COMPLETED, timeout=LIMIT_S)
    if task.done():
        task.result()
    supervisor.task, supervisor.urls = task, urls.result()  # type: ignore[attr-defined]
    try:
        yield supervisor
    finally:
        if not task.done():
            os.kill(os.getpid(), signal.SIGTERM)
            await task


def child(supervisor, name):
    """The child with this name."""
    return supervisor._family.get(name)


@pytest.mark.parametrize("set_before", [None, "glibc.malloc.check=0"])
async def test_valkey_asks_for_huge_pages_unless_its_allocator_was_tuned(environ, set_before):
    """By a variable of its environment alone; what the operator has set stays."""
    if set_before:
        environ["GLIBC_TUNABLES"] = set_before
    async with running(environ, valkey=True) as supervisor:
        found = {name: environ_of(child(supervisor, name).pid).get("GLIBC_TUNABLES") for name in (VALKEY, WRITER)}
    assert found == {VALKEY: set_before or "glibc.malloc.hugetlb=1", WRITER: set_before}


def environ_of(pid):
    """The variables that a process was started with."""
    pairs = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return dict(pair.split("=", 1) for pair in pairs if pair)


async def test_everything_starts_and_stops_in_order(environ, tmp_path):
    """Valkey, then the writer, then the rest; SIGTERM: workers and admin, then the writer, then Valkey."""
    async with running(environ, valkey=True) as supervisor:
        settings = supervisor._settings
        assert answers_ping(settings.redis_socket_path)
        assert {path.name for path in settings.pid_dir.iterdir()} == {
            "valkey",
            "writer",
            "worker-0",
            "worker-1",
            "admin",
        }
        assert (tmp_path / "var").stat().st_mode & 0o777 == 0o700
        assert settings.admin_token_path.exists()
        host, port = supervisor.urls.webhook.removeprefix("http://").split(":")
        socket.create_connection((host, int(port))).close()
        valkey = child(supervisor, "valkey").pid
        os.kill(os.getpid(), signal.SIGTERM)
        assert await asyncio.wait_for(supervisor.task, LIMIT_S) == 0
    stopped = (tmp_path / "var" / "stopped").read_text().split()
    assert sorted(stopped[:3]) == ["admin", "worker-0", "worker-1"]
    assert stopped[3:] == ["writer"]
    assert gone(valkey)
    assert not list(settings.pid_dir.iterdir())
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)))


@pytest.mark.parametrize("name", ["valkey", "writer", "worker-1", "admin"])
async def test_a_killed_child_comes_back_at_once(environ, name):
    """Its death is logged once, with the signal and what comes next; the others are left alone."""
    async with running(environ, valkey=True) as supervisor:
        victim, others = child(supervisor, name), list(supervisor._family)
        others.remove(victim)
        before, pids = victim.pid, [other.pid for other in others]
        with capture_logs() as logs:
            os.kill(before, signal.SIGKILL)
            await until(lambda: victim._ready_at_s and victim.pid not in {before, None}, "the restart")
        deaths = [line for line in logs if line["event"] == "process_exited"]
        assert [(line["child"], line["signal"], line["next"]) for line in deaths] == [
            (name, "SIGKILL", "restart in 0 s")
        ]
        assert [other.pid for other in others] == pids
        assert not victim.role.ready_check or answers_ping(supervisor._settings.redis_socket_path)


def test_back_off_doubles_up_to_five_seconds():
    """The first retry is immediate."""
    assert [backoff_s(deaths) for deaths in (1, 2, 3, 4, 7, 8, 1000)] == [0, 0.1, 0.2, 0.4, 3.2, 5, 5]


async def test_a_child_that_refuses_its_settings_stops_everything(environ, tmp_path):
    """Exit status 78 at the first start: no second try, the same status for the parent."""
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "refuse-writer").write_text(str(EXIT_CONFIG))
    supervisor = Supervisor(load_settings(environ), environ=environ, roles=dummy_roles)
    with capture_logs() as logs:
        assert await asyncio.wait_for(supervisor.run(), LIMIT_S) == EXIT_CONFIG
    assert [(line["child"], line["exit_code"]) for line in logs] == [("writer", EXIT_CONFIG)]


async def test_a_child_that_never_gets_ready_is_not_started_for_ever(environ, tmp_path):
    """After a few deaths, rather than for ever."""
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "refuse-writer").write_text("3")
    supervisor = Supervisor(load_settings(environ), environ=environ, roles=dummy_roles)
    with capture_logs() as logs:
        assert await asyncio.wait_for(supervisor.run(), LIMIT_S) == 3
    assert len(logs) == EXITS_BEFORE_READY_MAX


async def test_a_child_that_was_ready_once_is_always_started_again(environ, tmp_path):
    """A passing fault later on, even of the settings, does not take the rest down."""
    async with running(environ) as supervisor:
        worker = child(supervisor, "worker-0")
        (tmp_path / "var" / "refuse-worker-0").write_text(str(EXIT_CONFIG))
        with capture_logs() as logs:
            os.kill(worker.pid, signal.SIGKILL)
            await until(lambda: len(logs) > 2, "retries")
            (tmp_path / "var" / "refuse-worker-0").unlink()
            await until(lambda: worker._ready_at_s, "the return")
        assert not supervisor.task.done()


async def test_a_stubborn_child_is_killed_after_its_limit(environ, tmp_path):
    """It does not hold up the stop, and the exit status says that it was not clean."""
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "stubborn").touch()
    async with running(environ, stop_limit_s=0.1) as supervisor:
        pids = [found.pid for found in supervisor._family]
        os.kill(os.getpid(), signal.SIGTERM)
        assert await asyncio.wait_for(supervisor.task, LIMIT_S) == 1
    assert all(gone(pid) for pid in pids)


async def test_a_second_interrupt_kills_at_once(environ, tmp_path):
    """Whoever presses Ctrl-C twice does not want to wait."""
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "stubborn").touch()
    async with running(environ, stop_limit_s=600.0) as supervisor:
        os.kill(os.getpid(), signal.SIGINT)
        await until(supervisor._stop.is_set)
        os.kill(os.getpid(), signal.SIGINT)
        assert await asyncio.wait_for(supervisor.task, LIMIT_S) == 1


@asynccontextmanager
async def reloaded(supervisor, outcome):
    """Send SIGHUP, and give the lines of the log up to the one that says what became of it."""
    with capture_logs() as logs:
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: any(line["event"] == outcome for line in logs), outcome)
        await until(lambda: supervisor._family.is_ready, "readiness")
    yield logs


def loading(monkeypatch, supervisor, **changes):
    """What the supervisor reads on SIGHUP from now on."""
    monkeypatch.setattr(supervisor, "_load", lambda: supervisor._settings.model_copy(update=changes))


async def test_a_reload_starts_and_stops_workers_and_names_what_needs_a_restart(environ, monkeypatch, tmp_path):
    """Ports, paths, Redis, ledger and shards stay as they are, and so does Valkey."""
    async with running(environ, valkey=True) as supervisor:
        valkey = child(supervisor, "valkey").pid
        loading(monkeypatch, supervisor, workers=3, shards=32, webhook_port=1, data_dir=tmp_path / "elsewhere")
        async with reloaded(supervisor, "reloaded") as logs:
            assert logs == [
                {
                    "event": "restart_needed",
                    "log_level": "warning",
                    "settings": ["data_dir", "shards", "webhook_port"],
                    "remedy": "Restart the service to change them.",
                },
                {"event": "reloaded", "log_level": "info", "changed": ["workers"]},
            ]
        assert {role.role.name for role in supervisor._family} == {
            *("valkey", "writer", "admin"),
            *(f"worker-{number}" for number in range(3)),
        }
        assert (supervisor._settings.shards, supervisor._settings.workers) == (16, 3)
        loading(monkeypatch, supervisor, workers=1)
        async with reloaded(supervisor, "reloaded"):
            assert child(supervisor, "worker-1") is child(supervisor, "worker-2") is None
        assert child(supervisor, "valkey").pid == valkey
        assert {path.name for path in supervisor._settings.pid_dir.iterdir()} == {
            *("valkey", "writer", "admin", "worker-0"),
        }


@pytest.mark.parametrize(("refuses", "stays"), [("worker-0", True), ("admin", False)])
async def test_settings_with_which_a_child_cannot_start_are_given_up(environ, monkeypatch, tmp_path, refuses, stays):
    """Who was replaced before it gets the settings before. If the first worker refuses, nobody is replaced."""
    async with running(environ) as supervisor:
        pids = {member.role.name: member.pid for member in supervisor._family}
        (tmp_path / "var" / f"refuse-{refuses}").write_text("3")
        loading(monkeypatch, supervisor, deadline_ms=1000)
        async with reloaded(supervisor, "reload_refused") as logs:
            (refusal,) = [line for line in logs if line["event"] == "reload_refused"]
            assert refuses in refusal["error"]
            assert not [line for line in logs if line["event"] == "reloaded"]
        assert supervisor._settings.deadline_ms == 2000
        assert all(member.role.settings.deadline_ms == 2000 for member in supervisor._family)
        now = {member.role.name: member.pid for member in supervisor._family}
        assert now.keys() == pids.keys()
        assert (now == pids) is stays
        assert now[refuses] == pids[refuses]
        assert now["writer"] == pids["writer"]


async def test_a_reload_under_which_the_service_is_stopped_leaves_nothing_behind(environ, monkeypatch, tmp_path):
    """A child that is being tried is stopped with the others."""
    async with running(environ) as supervisor:
        (tmp_path / "var" / "mute").touch()
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: supervisor._family._others, "the trial")
        (tried,) = supervisor._family._others
        await until(lambda: tried.pid, "its process")
        pid = tried.pid
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(supervisor.task, LIMIT_S)
        assert gone(pid)


@pytest.mark.parametrize("name", ["worker-0", "valkey"])
async def test_a_child_that_falls_silent_is_reported_and_then_killed(environ, monkeypatch, name):
    """It is started again; the others are left alone. A Valkey, which says nothing by itself, is asked."""
    monkeypatch.setattr("seamless_wallet.supervisor.child.KILLED_BEATS", 8)
    async with running(environ, valkey=True) as supervisor:
        silent, writer = child(supervisor, name), child(supervisor, "writer").pid
        before = silent.pid
        with capture_logs() as logs:
            os.kill(before, signal.SIGSTOP)
            await until(lambda: not silent.turns, "the report")
            assert silent.state == "has not responded for 3 s"
            await until(lambda: silent.is_ready and silent.pid != before, "the restart")
        assert [line["event"] for line in logs] == ["process_silent", "process_silent", "process_exited"]
        assert child(supervisor, "writer").pid == writer


async def test_a_second_up_is_refused(environ):
    """One line that names the directory and the holder; the first one does not notice."""
    async with running(environ) as supervisor:
        with pytest.raises(SettingsError, match=rf"in use by `wallet up` \(pid {os.getpid()}\)"):
            await Supervisor(load_settings(environ), environ=environ, roles=dummy_roles).run()
        assert not supervisor.task.done()


@pytest.mark.parametrize("which", ["WEBHOOK", "ADMIN"])
async def test_a_taken_port_is_refused(environ, which):
    """One line that names the setting; nothing is started and the directory is free again."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = load_settings({**environ, f"WALLET_{which}_PORT": str(port)})
        with pytest.raises(SettingsError, match=rf"^WALLET_{which}_PORT: 127\.0\.0\.1:{port} is taken"):
            await Supervisor(settings, environ=environ, roles=dummy_roles).run()
    async with running(environ):
        pass


async def test_an_address_of_another_machine_is_refused(environ):
    """One line that names the setting."""
    settings = load_settings({**environ, "WALLET_WEBHOOK_HOST": "192.0.2.1", "WALLET_PLAIN_HTTP": "behind-proxy"})
    with pytest.raises(SettingsError, match=r"^WALLET_WEBHOOK_HOST: cannot listen on 192\.0\.2\.1"):
        await Supervisor(settings, environ=environ, roles=dummy_roles).run()


def test_a_lock_is_held_on_a_full_disk_too(tmp_path, monkeypatch):
    """The pid in it is for people: a service that comes back on a full disk says what is wrong."""

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        patch.setattr(os, "write", full)
        with (
            locked(tmp_path / "up.lock"),
            pytest.raises(SettingsError, match="is in use"),
            locked(tmp_path / "up.lock"),
        ):
            pass
    with locked(tmp_path / "up.lock"):
        assert (tmp_path / "up.lock").read_text() == f"{os.getpid()}\n"


async def test_a_data_directory_that_cannot_be_made_is_refused(environ, tmp_path):
    """One line instead of a traceback."""
    (tmp_path / "file").touch()
    settings = load_settings({**environ, "WALLET_DATA_DIR": str(tmp_path / "file" / "var")})
    with pytest.raises(SettingsError, match=r"^WALLET_DATA_DIR: cannot create"):
        await Supervisor(settings, environ=environ, roles=dummy_roles).run()


async def test_a_killed_parent_takes_its_children_down_and_the_next_one_stops_valkey(environ, tmp_path):
    """Children see the end of their parent's socket. Valkey, which has none, is stopped by its pid file."""
    script = PARENT.format(tests=str(ROOT / "tests" / "integration"))
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, env=environ, stdout=asyncio.subprocess.PIPE
    )
    try:
        await until((tmp_path / "var" / "ready").exists, "the start")
        pid_dir = load_settings(environ).pid_dir
        pids = {path.name: int(path.read_text().split('"pid": ')[1].split(",")[0]) for path in pid_dir.iterdir()}
        assert len(pids) == 5
    finally:
        parent.kill()
        await asyncio.wait_for(parent.wait(), LIMIT_S)  # Valkey does not hold on to its output
    valkey = pids.pop("valkey")
    await until(lambda: all(gone(pid) for pid in pids.values()), "the end of the children")
    assert not gone(valkey)
    async with running(environ, valkey=True) as supervisor:
        assert gone(valkey)
        assert child(supervisor, "valkey").pid != valkey


def test_a_stranger_with_a_recorded_pid_is_left_alone(tmp_path):
    """A number alone proves nothing: the start time must be the same, too."""
    with subprocess.Popen(["sleep", "60"]) as stranger:
        write_pid_file(tmp_path / "valkey", stranger.pid)
        ours = (tmp_path / "valkey").read_text()
        (tmp_path / "valkey").write_text(ours.replace('"started": "', '"started": "1'))
        (tmp_path / "broken").write_text("{")
        stop_stale_processes(tmp_path)
        assert not list(tmp_path.iterdir())
        assert stranger.poll() is None
        (tmp_path / "valkey").write_text(ours)
        stop_stale_processes(tmp_path)
        assert stranger.wait(LIMIT_S) == -signal.SIGTERM


async def test_a_deep_data_directory_gets_a_socket_elsewhere(environ, tmp_path):
    """A socket's address is short; the place is private to this user, or it is refused."""
    environ["WALLET_DATA_DIR"] = str(tmp_path / ("x" * 120))
    path = load_settings(environ).redis_socket_path
    try:
        async with running(environ, valkey=True):
            assert answers_ping(path)
            assert path.parent.stat().st_mode & 0o777 == 0o700
        assert not path.parent.exists()
        path.parent.mkdir()
        path.parent.chmod(0o755)
        with pytest.raises(SettingsError, match="not private"):
            await Supervisor(load_settings(environ), environ=environ, roles=dummy_roles).run()
    finally:
        with suppress(FileNotFoundError):
            path.unlink()
        path.parent.rmdir()


def test_valkey_has_the_configuration_that_the_design_asks_for(tmp_path):
    """No persistence, no eviction, no port; and a second close does no harm."""
    with start_valkey(tmp_path) as server, socket.socket(socket.AF_UNIX) as client:
        client.connect(str(server.socket_path))
        wanted = {
            b"port": b"0",
            b"save": b"",
            b"appendonly": b"no",
            b"maxmemory-policy": b"noeviction",
            b"hash-max-listpack-entries": b"512",
            b"hash-max-listpack-value": b"64",
        }
        for name, value in wanted.items():
            client.sendall(b"CONFIG GET " + name + b"\r\n")
            assert client.recv(1024).split(b"\r\n")[4] == value
        assert server.socket_path.stat().st_mode & 0o777 == 0o700
        server.close()
    assert not server.socket_path.exists()


def test_a_valkey_that_cannot_start_says_why(tmp_path):
    """The error is one line."""
    with pytest.raises(ValkeyError, match="over 107 bytes"):
        start_valkey(tmp_path, tmp_path / ("x" * 110))
