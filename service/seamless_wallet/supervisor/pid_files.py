"""Which processes are ours, across a crash of the parent.

A process is identified by its number, the moment it started and the boot of the machine: a number alone may belong
to a stranger by now. Without /proc nothing is identified, so nothing is ever signalled.
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
class Identity:
    """One process, told from every other on this machine."""

    pid: int
    started: str  # clock ticks after boot
    boot: str


def identify(pid: int) -> Identity | None:
    """The process that has this number now; None if there is none, it is a zombie, or there is no /proc."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    return None if fields[0] in {"Z", "X"} else Identity(pid, fields[START_TIME_FIELD], boot)


def record(path: Path, pid: int) -> None:
    """Remember a running process in a file, which is complete or not there."""
    identity = identify(pid)
    if identity is not None:
        draft = path.with_name(f".{path.name}")
        draft.write_text(json.dumps(asdict(identity)))
        draft.replace(path)


def recorded(path: Path) -> Identity | None:
    """The process that a file remembers, if it is still running."""
    try:
        found = json.loads(path.read_text())
        identity = Identity(int(found["pid"]), found["started"], found["boot"])
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return identity if identify(identity.pid) == identity else None


def stop_left_behind(directory: Path) -> None:
    """Stop what a parent that was killed left running, and forget it. Blocks for 5 s at most."""
    left = {path.name: identity for path in directory.iterdir() if (identity := recorded(path))}
    for name, identity in left.items():
        log.warning("stale_process_stopped", child=name, pid=identity.pid, next="stopped")
    remaining = _signal(list(left.values()), signal.SIGTERM, TERM_LIMIT_S)
    _signal(remaining, signal.SIGKILL, KILL_LIMIT_S)
    for path in directory.iterdir():
        path.unlink()


def _signal(identities: list[Identity], number: signal.Signals, limit_s: float) -> list[Identity]:
    """Send a signal, wait, and return those that are still there."""
    for identity in identities:
        if identify(identity.pid) == identity:
            with suppress(ProcessLookupError):
                os.kill(identity.pid, number)
    deadline = time.monotonic() + limit_s
    while identities and time.monotonic() < deadline:
        time.sleep(POLL_S)
        identities = [identity for identity in identities if identify(identity.pid) == identity]
    return identities
