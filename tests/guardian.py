"""Nothing that a test or a benchmark has started outlives it, however it ended: killed, too.

Every process that descends from the guarded one has a word in its environment. A guardian holds the other end of a pipe
from it. Once the pipe is closed it kills all with that word, and removes the directories that it was told. Where there
is no /proc nobody is found.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

WORD: Final = "TEST_RUN"

PROGRAM: Final = """
import os, pathlib, shutil, signal, sys, time
directories = sys.stdin.read().splitlines()  # until whoever started this has ended
word = sys.argv[1].encode()
for _ in range(1000):
    found = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if word in (process / "environ").read_bytes().split(b"\\0"):
                os.kill(int(process.name), signal.SIGKILL)
                found.append(process)
        except OSError:
            pass  # it has ended, or is another user's
    time.sleep(0.01)
    if not found:
        break
for directory in directories:
    shutil.rmtree(directory, ignore_errors=True)
"""


_pipes: Final[list[subprocess.Popen[bytes]]] = []
"""Closed by the system when this process ends."""


def guard() -> None:
    """Have all that this process starts from now on end with it."""
    if not _pipes:
        value = secrets.token_hex(8)
        _pipes.append(start_guardian(PROGRAM, f"{WORD}={value}"))
        os.environ[WORD] = value
        os.register_at_fork(after_in_child=_let_go)


def start_guardian(program: str, *arguments: str | Path) -> subprocess.Popen[bytes]:
    """Start a program that outlives this one. It ends by itself, some time after its input has."""
    without = {name: value for name, value in os.environ.items() if name != WORD}
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.Popen(command, env=without, stdin=subprocess.PIPE, start_new_session=True)


def guarded(environ: Mapping[str, str]) -> dict[str, str]:
    """An environment for a process that has to end with this one."""
    guard()
    return {**environ, WORD: os.environ[WORD]}


def guarded_directory(prefix: str, base: str | None = None) -> Path:
    """A new private directory. Whoever asked for it removes it; the guardian does, if he could not."""
    guard()
    made = Path(tempfile.mkdtemp(prefix=prefix, dir=base))
    told = _pipes[0].stdin
    assert told
    told.write(f"{made}\n".encode())
    told.flush()
    return made


def _let_go() -> None:
    """A process that was forked does not hold the pipe."""
    for guardian in _pipes:
        if guardian.stdin:
            guardian.stdin.close()
