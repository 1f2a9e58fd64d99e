"""What a test has started does not outlive it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ENDINGS = {
    "as it wants": "sys.exit()",
    "by an error": "raise RuntimeError",
    "at once": "os._exit(1)",
    "killed": "os.kill(os.getpid(), signal.SIGKILL)",
}

PROGRAM = """
import os, signal, subprocess, sys
from pathlib import Path
from tests.guardian import guarded_directory
from tests.valkey_server import start_valkey
(guarded_directory("t-", sys.argv[1]) / "file").write_text("something")
server = start_valkey(Path(sys.argv[1]))
shell = subprocess.Popen(["sh", "-c", "sleep 600 & echo $!; wait"], stdout=subprocess.PIPE, start_new_session=True)
print(server.process.pid, shell.pid, int(shell.stdout.readline()), flush=True)
"""


def is_there(pid: int) -> bool:
    """Whether there is such a process that has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def printed_by(program: str, *arguments: str) -> str:
    """What a program has said, which has ended since, however that was"""
    command = [sys.executable, "-c", program, *arguments]
    ended = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return ended.stdout


def started_by(ending: str, directory: Path) -> list[int]:
    """The processes that such a program has started"""
    return [int(pid) for pid in printed_by(PROGRAM + ending, str(directory)).split()]


def await_end_of(pids: list[int]) -> None:
    """Their guardian has a process table to read"""
    while any(map(is_there, pids)):
        time.sleep(0.01)


@pytest.mark.parametrize("ending", ENDINGS)
def test_servers_and_their_children_end_with_the_test(ending, tmp_path):
    """However it ends"""
    pids = started_by(ENDINGS[ending], tmp_path)
    assert len(pids) == 3
    await_end_of(pids)
    while any(tmp_path.glob("t-*")):
        time.sleep(0.01)


def test_nobody_else_is_ended(tmp_path):
    """What another test has started goes on"""
    with subprocess.Popen(["sleep", "600"]) as other:
        await_end_of(started_by(ENDINGS["killed"], tmp_path))
        assert other.poll() is None
        other.terminate()


FORKED = """
child = os.fork()
if not child:
    os.close(1)
    signal.pause()
print(child, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_that_was_forked_holds_nobody_up(tmp_path):
    """It has the pipe of the one it was forked from"""
    *pids, forked = started_by(FORKED, tmp_path)
    assert len(pids) == 3
    try:
        await_end_of(pids)
        assert is_there(forked)
    finally:
        os.kill(forked, signal.SIGKILL)


SERVICE = """
import os, signal
from benchmarks.service import running
with running(["sleep", "600"], {"PATH": os.environ["PATH"]}) as process:
    print(process.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_service_of_a_benchmark_ends_with_it():
    """Whatever its environment is"""
    (pid,) = map(int, printed_by(SERVICE).split())
    await_end_of([pid])


POSTGRES = """
import os, signal
from tests.guardian import guard
from tests.postgres_server import Postgres
guard()
servers = [Postgres().start(), Postgres().start()]
for server in servers:
    *_, memory, _ = (server.data / "postmaster.pid").read_text().split()
    print(server.directory, server.socket_directory, memory, flush=True)
servers[0].kill()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_nothing_is_left_of_a_postgresql(postgres_server):
    """Neither processes nor directories nor shared memory, of one that runs and of one that was killed"""
    files = set(Path("/dev/shm").glob("PostgreSQL.*"))  # noqa: S108 - what others have there
    servers = [line.split() for line in printed_by(POSTGRES).splitlines()]
    assert len(servers) == 2
    while any(Path(place).exists() for *places, _ in servers for place in places):
        time.sleep(0.01)
    segments = {line.split()[1] for line in Path("/proc/sysvipc/shm").read_text().splitlines()}
    assert not segments.intersection(memory for *_, memory in servers)
    assert set(Path("/dev/shm").glob("PostgreSQL.*")) <= files  # noqa: S108
