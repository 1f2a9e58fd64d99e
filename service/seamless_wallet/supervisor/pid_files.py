"""Pid files: which processes belong to this data directory, even after the parent was killed.

A process is identified by its number, the moment it started, the boot of the machine, and its user. The number alone
may belong to another program by now. Without /proc no process is identified, so none is ever signalled. A file that
somebody else may have written is refused: it could name any process.
"""

from __future__ import annotations

import json
import os
import signal
import stat
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import structlog

from seamless_wallet.errors import SettingsError
from seamless_wallet.trusted_paths import UntrustedPath, check_directory, check_mode

TERM_LIMIT_S: Final = 3.0
KILL_LIMIT_S: Final = 2.0
POLL_S: Final = 0.02
START_TIME_FIELD: Final = 19
"""Of /proc/<pid>/stat, counted from the state, which follows the name in parentheses (proc(5), field 22)."""

PID_FILE_BYTES_MAX: Final = 1024

log = structlog.get_logger()


@dataclass(frozen=True)
class ProcessIdentity:
    """Tells one process from every other on this machine."""

    pid: int
    started: str  # clock ticks after boot
    boot: str
    uid: int  # of the real user


def identify(pid: int) -> ProcessIdentity | None:
    """The process that has this number now. None if there is none, if it is a zombie, or without /proc."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        status = Path(f"/proc/{pid}/status").read_text()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except (OSError, ValueError):
        return None
    uid = next((int(line.split()[1]) for line in status.splitlines() if line.startswith("Uid:")), -1)
    return None if fields[0] in {"Z", "X"} else ProcessIdentity(pid, fields[START_TIME_FIELD], boot, uid)


def write_pid_file(path: Path, pid: int) -> None:
    """Remember a running process in a file. The file is complete or absent, never half written. Raises OSError."""
    identity = identify(pid)
    if identity is not None:
        draft = path.with_name(f".{path.name}")
        draft.unlink(missing_ok=True)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "w") as file:
            json.dump(asdict(identity), file)
        draft.replace(path)


def remove_pid_file(path: Path, pid: int) -> None:
    """Remove the file, unless it remembers another process by now. No error if it cannot be removed."""
    with suppress(OSError, ValueError, TypeError, KeyError):
        if json.loads(path.read_text())["pid"] == pid:
            path.unlink()


def read_pid_file(path: Path) -> ProcessIdentity | None:
    """The process of this user that a file remembers, if it is still running.

    Raises UntrustedPath for a file that somebody else may have written, and for what is no file.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        check_mode(path, path.lstat())
        raise UntrustedPath(f"{path} is no pid file; remove it") from None
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(handle)
        check_mode(path, found)
        if not stat.S_ISREG(found.st_mode):
            raise UntrustedPath(f"{path} is no pid file; remove it")
        text = file.read(PID_FILE_BYTES_MAX)
    try:
        told = json.loads(text)
        identity = ProcessIdentity(int(told["pid"]), told["started"], told["boot"], int(told["uid"]))
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return identity if identity.uid == os.getuid() and identify(identity.pid) == identity else None


def stop_stale_processes(directory: Path) -> None:
    """Stop the processes that a killed parent left running, and remove their files. Blocks for at most 5 s.

    Raises SettingsError, before any process is signalled, if somebody else may have written one of the files.
    """
    try:
        check_directory(directory)
        remembered = {path.name: read_pid_file(path) for path in directory.iterdir()}
    except UntrustedPath as error:
        raise SettingsError(f"WALLET_DATA_DIR: {error}") from None
    except OSError as error:
        raise SettingsError(
            f"WALLET_DATA_DIR: cannot read {directory} ({error.strerror}); remove what is there"
        ) from None
    stale = {name: identity for name, identity in remembered.items() if identity}
    for name, identity in stale.items():
        log.warning("stale_process_stopped", child=name, pid=identity.pid)
    remaining = _signal(list(stale.values()), signal.SIGTERM, TERM_LIMIT_S)
    _signal(remaining, signal.SIGKILL, KILL_LIMIT_S)
    for name in remembered:
        (directory / name).unlink(missing_ok=True)


def _signal(identities: list[ProcessIdentity], number: signal.Signals, limit_s: float) -> list[ProcessIdentity]:
    """Send a signal, wait, and return those that are still running."""
    for identity in identities:
        _send(identity, number)
    deadline_s = time.monotonic() + limit_s
    while identities and time.monotonic() < deadline_s:
        time.sleep(POLL_S)
        identities = [identity for identity in identities if identify(identity.pid) == identity]
    return identities


def _send(identity: ProcessIdentity, number: signal.Signals) -> None:
    """Signal this process and no other: a descriptor of it stays its own, even if its number is given away."""
    try:
        process = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        return
    except OSError:  # a kernel or a container without it: the moment between check and signal remains
        if identify(identity.pid) == identity:
            with suppress(ProcessLookupError):
                os.kill(identity.pid, number)
        return
    try:
        if identify(identity.pid) == identity:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(process, number)
    finally:
        os.close(process)
