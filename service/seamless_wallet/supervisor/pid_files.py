"""Pid files: which processes belong to this data directory, even after the parent was killed.

A process is identified by its number, the moment it started, and the boot of the machine. The number alone may belong
to another program by now. Without /proc no process is identified, so none is ever signalled.
"""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import structlog

TERM_LIMIT_S: Final = 3.0
KILL_LIMIT_S: Final = 2.0
POLL_S: Final = 0.02
START_TIME_FIELD: Final = 19
"""Of /proc/<pid>/stat, counted from the state, which follows the name in parentheses (proc(5), field 22)."""

log = structlog.get_logger()


@dataclass(frozen=True)
class ProcessIdentity:
    """Tells one process from every other on this machine."""

    pid: int
    started: str  # clock ticks after boot
    boot: str


def identify(pid: int) -> ProcessIdentity | None:
    """The process that has this number now. None if there is none, if it is a zombie, or without /proc."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    return None if fields[0] in {"Z", "X"} else ProcessIdentity(pid, fields[START_TIME_FIELD], boot)


def write_pid_file(path: Path, pid: int) -> None:
    """Remember a running process in a file. The file is complete or absent, never half written."""
    identity = identify(pid)
    if identity is not None:
        draft = path.with_name(f".{path.name}")
        draft.write_text(json.dumps(asdict(identity)))
        draft.replace(path)


def remove_pid_file(path: Path, pid: int) -> None:
    """Remove the file, unless it remembers another process by now. No error if it cannot be removed."""
    with suppress(OSError, ValueError, TypeError, KeyError):
        if json.loads(path.read_text())["pid"] == pid:
            path.unlink()


def read_pid_file(path: Path) -> ProcessIdentity | None:
    """The process that a file remembers, if it is still running."""
    try:
        found = json.loads(path.read_text())
        identity = ProcessIdentity(int(found["pid"]), found["started"], found["boot"])
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return identity if identify(identity.pid) == identity else None


def stop_stale_processes(directory: Path) -> None:
    """Stop the processes that a killed parent left running, and remove their files. Blocks for at most 5 s."""
    stale = {path.name: identity for path in directory.iterdir() if (identity := read_pid_file(path))}
    for name, identity in stale.items():
        log.warning("stale_process_stopped", child=name, pid=identity.pid)
    remaining = _signal(list(stale.values()), signal.SIGTERM, TERM_LIMIT_S)
    _signal(remaining, signal.SIGKILL, KILL_LIMIT_S)
    for path in directory.iterdir():
        path.unlink()


def _signal(identities: list[ProcessIdentity], number: signal.Signals, limit_s: float) -> list[ProcessIdentity]:
    """Send a signal, wait, and return those that are still running."""
    for identity in identities:
        if identify(identity.pid) == identity:
            with suppress(ProcessLookupError):
                os.kill(identity.pid, number)
    deadline_s = time.monotonic() + limit_s
    while identities and time.monotonic() < deadline_s:
        time.sleep(POLL_S)
        identities = [identity for identity in identities if identify(identity.pid) == identity]
    return identities
