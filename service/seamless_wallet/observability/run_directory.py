"""The run directory: one unix socket for each running process, by which it tells about itself.

    worker-4711.sock      answers as long as the process lives
    worker-4711.json      what a process that has ended had counted at its end
    totals.json           what the admin process has added up so far

The directory has mode 0700, a socket 0600. Nothing here is needed for the work of a process: every function may fail
with OSError, as on a full disk, and then the process goes on without.
"""

from __future__ import annotations

import os
import re
import socket
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

ROLES: Final = ("supervisor", "writer", "worker", "admin")
BACKLOG: Final = 64
TOTALS_FILE: Final = "totals.json"
_NAME: Final = re.compile(r"([a-z]+)-(\d+)")


class RunFile(NamedTuple):
    """A socket or a farewell of one process."""

    role: str
    pid: int
    path: Path


def sockets(directory: Path) -> list[RunFile]:
    """All sockets, also those whose process has ended without removing it. Raises OSError."""
    return _files(directory, ".sock")


def farewells(directory: Path) -> list[RunFile]:
    """What processes have left behind. Raises OSError."""
    return _files(directory, ".json")


def bind_socket(directory: Path, role: str) -> tuple[socket.socket, Path]:
    """A listening socket of this process, and its path. It appears when it accepts connections: it is never refused."""
    path = directory / f"{role}-{os.getpid()}.sock"
    draft = directory / f".{os.getpid()}"
    draft.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        listener.bind(str(draft))
        draft.chmod(0o600)
        listener.listen(BACKLOG)
        draft.rename(path)
    except OSError:
        listener.close()
        with suppress(OSError):
            draft.unlink()
        raise
    return listener, path


def write_file(path: Path, text: bytes) -> None:
    """Write a file of mode 0600 that is complete or not there."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(draft, "wb", opener=_open_private) as file:
            file.write(text)
        draft.replace(path)
    except OSError:
        with suppress(OSError):
            draft.unlink()
        raise


def remove_stale_files(directory: Path) -> None:
    """Remove sockets whose processes have ended, farewells, totals and drafts: begin anew."""
    with suppress(OSError):
        for path in directory.iterdir():
            if path.suffix != ".sock" or path.name.startswith(".") or _is_refused(path):
                path.unlink(missing_ok=True)


def _files(directory: Path, suffix: str) -> list[RunFile]:
    try:
        paths = sorted(directory.iterdir())
    except FileNotFoundError:
        return []
    found = [(path, _NAME.fullmatch(path.stem)) for path in paths if path.suffix == suffix]
    return [RunFile(match[1], int(match[2]), path) for path, match in found if match]


def _is_refused(path: Path) -> bool:
    """Whether nobody listens at a socket any more."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return False


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
