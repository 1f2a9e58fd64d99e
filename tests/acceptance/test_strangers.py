"""Files of strangers are refused, and a data directory may have any name that can be shown."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

import seamless_wallet.stores.sqlite
import seamless_wallet.supervisor.supervisor  # noqa: F401 - so that a fork has it
from seamless_wallet.cli.root import app
from seamless_wallet.supervisor import roles
from seamless_wallet.supervisor.pid_files import identify
from tests.acceptance.service_process import CONFIG, KEY, START_LIMIT_S, RunningService, environment

STRANGER = 4711
"""The number of a user without a name."""

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A directory with a configuration whose key has a file, a data directory with a ledger, and a token."""
    (tmp_path / "acme.key").write_text(KEY)
    (tmp_path / "wallet.toml").write_text(CONFIG.rpartition("api_key")[0] + 'api_key_file = "acme.key"\n')
    status, _, errors = ended(tmp_path, "init")
    assert status == 0, errors
    (tmp_path / "var" / "admin.token").write_text("a-token-of-the-operator\n")
    (tmp_path / "var" / "pids").mkdir(mode=0o700)
    return tmp_path


def ended(directory: Path, *command: str, **changes: str) -> tuple[int, str, str]:
    """Exit status, standard output and error of a command, in a fork of this process: it need not import so much."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        child = os.fork()
        if child == 0:
            os.dup2(output.fileno(), 1)
            os.dup2(errors.fileno(), 2)
            os._exit(status_of(command, environment(directory, **changes)))
        status = waited_for(child)
        output.seek(0)
        errors.seek(0)
        return status, output.read().decode(), errors.read().decode()


def waited_for(child: int) -> int:
    """The exit status of a fork. One that goes on, as it was not refused, is stopped."""
    for number in (0, signal.SIGTERM, signal.SIGKILL):
        os.kill(child, number)
        deadline_s = time.monotonic() + START_LIMIT_S
        while time.monotonic() < deadline_s:
            ended_child, waited = os.waitpid(child, os.WNOHANG)
            if ended_child:
                return os.waitstatus_to_exitcode(waited)
            time.sleep(0.01)
    raise AssertionError("a fork does not end")


def status_of(command: Sequence[str], environ: Mapping[str, str]) -> int:
    """The exit status of a command in this process, which is a fork."""
    os.environ.clear()
    os.environ.update(environ)
    with open(1, "w", closefd=False) as sys.stdout, open(2, "w", closefd=False) as sys.stderr:
        try:
            app(list(command))
        except SystemExit as ending:
            return int(ending.code or 0)
        except BaseException:  # noqa: BLE001 - nothing of it may go on in the parent's stack
            traceback.print_exc()
    return 1


def refused(directory: Path, *command: str, named: Path, **changes: str) -> None:
    """The command ends with 78 and one line, which names the path and says what to do."""
    status, output, errors = ended(directory, *command, **changes)
    assert status == 78, errors
    (line,) = errors.splitlines()
    assert f" {named} " in line
    assert "chmod" in line or "chown" in line or "remove" in line
    assert output == ""


def give_away(path: Path) -> None:
    """It belongs to somebody else from now on."""
    os.chown(path, STRANGER, STRANGER, follow_symlinks=False)


def plant(path: Path) -> None:
    """Somebody else makes a file under this name."""
    path.unlink(missing_ok=True)
    path.write_text("planted-by-a-stranger\n")
    give_away(path)


def plant_link(path: Path) -> None:
    """Somebody else makes a link of this name, to a file that we may write."""
    path.unlink(missing_ok=True)
    path.symlink_to(path.parent.parent / "acme.key")
    give_away(path)


def plant_directory(path: Path) -> None:
    """Somebody else makes a directory of this name."""
    path.mkdir(exist_ok=True)
    give_away(path)


def open_to_all(path: Path) -> None:
    """Everybody may write it."""
    path.chmod(stat.S_IMODE(path.stat().st_mode) | 0o002)


@root_only
@pytest.mark.parametrize(
    ("name", "do"),
    [
        ("var", give_away),
        ("var", open_to_all),
        ("var/admin.token", plant),
        ("var/admin.token", open_to_all),
        ("var/ledger.sqlite3", give_away),
        ("var/ledger.sqlite3", open_to_all),
        ("var/ledger.sqlite3-wal", plant),
        ("var/ledger.sqlite3-shm", plant),
        ("var/ledger.sqlite3-journal", plant),
        ("var/ledger.sqlite3.writer.lock", plant_link),
        ("var/up.lock", plant),
        ("var/up.lock", plant_link),
        ("var/pids", give_away),
        ("var/pids", open_to_all),
        ("var/pids/valkey", plant),
        ("var/redis.sock", plant_link),
        ("var/valkey.log", plant_link),
        ("wallet.toml", plant),
        ("wallet.toml", open_to_all),
        ("acme.key", plant),
        ("acme.key", open_to_all),
        ("", open_to_all),
        ("", give_away),
    ],
    ids=lambda part: part.__name__ if callable(part) else part or "parent",
)
def test_what_somebody_else_could_have_written_is_refused(made: Path, name: str, do: Callable[[Path], None]) -> None:
    """`wallet up` says which file, and what to do; nothing is started, and no file behind a link is written."""
    do(made / name)
    before = (made / "acme.key").read_text()
    refused(made, "up", named=made / name)
    assert (made / "acme.key").read_text() == before
    assert not (made / "var" / "run").exists()


@root_only
@pytest.mark.parametrize(
    "command", [("serve",), ("write",), ("admin",), ("config", "check"), ("verify",), ("backup", "b"), ("init",)]
)
def test_every_command_refuses_them(made: Path, command: tuple[str, ...]) -> None:
    """A process that was started by itself, too."""
    plant(made / "var" / "ledger.sqlite3-wal")
    refused(made, *command, named=made / "var" / "ledger.sqlite3-wal")


@root_only
def test_other_places_that_the_settings_name_are_looked_at(made: Path) -> None:
    """A ledger elsewhere, a token of the environment, files for TLS."""
    elsewhere = made / "elsewhere"
    elsewhere.mkdir()
    plant(elsewhere / "token")
    refused(made, "config", "check", named=elsewhere / "token", WALLET_ADMIN_TOKEN_FILE=str(elsewhere / "token"))
    url = f"rediss://localhost/0?ssl_ca_certs={elsewhere / 'token'}"
    refused(made, "config", "check", named=elsewhere / "token", WALLET_REDIS_URL=url)
    give_away(elsewhere)
    ledger = f"sqlite:///{elsewhere}/ledger.sqlite3"
    refused(made, "init", named=elsewhere, WALLET_LEDGER_URL=ledger)


@pytest.fixture
def victim() -> Iterator[subprocess.Popen[bytes]]:
    """A process of somebody else."""
    process = subprocess.Popen(["sleep", "600"], user=STRANGER, group=STRANGER, extra_groups=[])
    yield process
    process.kill()
    process.wait()


@root_only
def test_a_planted_pid_file_makes_the_start_kill_nobody(made: Path, victim: subprocess.Popen[bytes]) -> None:
    """With everything right in it: it is refused. In a file of our own it is no process of ours: the start goes on."""
    identity = identify(victim.pid)
    assert identity is not None
    planted = made / "var" / "pids" / "worker-0"
    planted.write_text(json.dumps(vars(identity)))
    give_away(planted)
    refused(made, "up", named=planted)
    assert victim.poll() is None
    os.chown(planted, os.geteuid(), os.getegid())
    with RunningService(made):
        assert victim.poll() is None
        assert "stale_process_stopped" not in (made / "up.log").read_text()


@pytest.fixture
def short() -> Iterator[Path]:
    """A directory whose path leaves room for that of a socket."""
    with tempfile.TemporaryDirectory(prefix="w-") as path:
        yield Path(path)


def test_a_data_directory_may_have_any_name(short: Path) -> None:
    """The service starts in it, plays, counts and can be verified; the socket is in it."""
    directory = short / "-a#b%41b% ?mode=ro&x=1'\"\\n$HOME;[*]{}~ 안😀"
    directory.mkdir()
    with RunningService(directory) as service:
        made = service.wallet("player", "create", "ann", "KRW")
        assert made.returncode == 0, made.stderr
        checked = service.wallet("verify")
        assert checked.returncode == 0, checked.stdout + checked.stderr
        with urllib.request.urlopen(f"{service.admin_url}/metrics", timeout=20) as metrics:
            assert b"wallet_ledger_entries_committed_total 1" in metrics.read()
        assert (directory / "var" / "redis.sock").is_socket()
        assert service.wallet("config", "show").returncode == 0


@pytest.mark.parametrize("name", [b"\xff\xfe", b"a\nb", b"\x1b[31m", b"a\tb"])
def test_a_name_that_messages_cannot_show_is_refused_in_one_line(tmp_path: Path, name: bytes) -> None:
    """Bytes that are no UTF-8, and control characters."""
    directory = tmp_path / os.fsdecode(name)
    directory.mkdir()
    for words in (("up",), ("init",), ("config", "check"), ("config", "show")):
        status, _, errors = ended(tmp_path, *words, WALLET_DATA_DIR=str(directory), WALLET_CONFIG="")
        assert status == 78, errors
        (line,) = errors.splitlines()
        assert line.startswith("wallet: WALLET_DATA_DIR: '")
        assert line.endswith("choose another name")
        assert line.isprintable()
    assert list(directory.iterdir()) == []


def test_a_child_runs_no_code_of_the_working_directory(tmp_path: Path) -> None:
    """Whoever may write where the service was started, as in /tmp, decides about nothing."""
    planted = tmp_path / "seamless_wallet"
    planted.mkdir()
    for module in (planted / "__init__.py", tmp_path / "orjson.py", tmp_path / "json.py"):
        module.write_text("raise SystemExit('planted')\n")
    checked = subprocess.run(
        [*roles.WALLET, "config", "check"],
        env=environment(tmp_path, WALLET_CONFIG=""),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
