"""Nothing that a test or a benchmark has started outlives it, however it ended: killed, too.

Every process that descends from the guarded one has a word in its environment. A guardian holds the other end of a pipe
from it, and kills all with that word once the pipe is closed. Where there is no /proc nobody is found.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from typing import Final

WORD: Final = "TEST_RUN"

PROGRAM: Final = """
import os, pathlib, signal, sys, time
sys.stdin.read()  # until whoever started this has ended
word = sys.argv[1].encode()
while True:
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
"""


_pipes: Final[list[subprocess.Popen[bytes]]] = []
"""Closed by the system when this process ends."""


def guard() -> None:
    """Have all that this process starts from now on end with it."""
    if _pipes:
        return
    without = {name: value for name, value in os.environ.items() if name != WORD}
    value = secrets.token_hex(8)
    command = [sys.executable, "-c", PROGRAM, f"{WORD}={value}"]
    _pipes.append(subprocess.Popen(command, env=without, stdin=subprocess.PIPE, start_new_session=True))
    os.environ[WORD] = value
