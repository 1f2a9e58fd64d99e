"""What the parent holds before any child starts: the data directory, alone, and the listening sockets.

Everything here refuses with a SettingsError of one line.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import socket
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from seamless_wallet.settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BACKLOG: Final = 1024


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file for as long as this process lives, and no longer; its content is the holder's pid."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SettingsError(
            f"WALLET_DATA_DIR: cannot write to {path.parent} ({error.strerror}); name a directory you may write to"
        ) from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(handle, 20).decode(errors="replace").strip() or "?"
            raise SettingsError(
                f"WALLET_DATA_DIR: {path.parent} is in use by `wallet up` (pid {holder}); "
                "stop that one, or name another directory"
            ) from None
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(handle)


def private_directory(path: Path, purpose: str) -> None:
    """Make a directory in a place that others may write to, and make sure that it is ours alone."""
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
    except OSError as error:
        raise SettingsError(
            f"WALLET_DATA_DIR: {path}, {purpose}, cannot be made ({error.strerror}); name another data directory"
        ) from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise SettingsError(f"WALLET_DATA_DIR: {path}, {purpose}, is not private to this user; remove it")


def emptied_directory(path: Path) -> None:
    """A directory with nothing in it, mode 0700."""
    try:
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"WALLET_DATA_DIR: cannot create {path} ({error.strerror}); free it") from None


def listen(host: str, port: int, setting: str) -> socket.socket:
    """Bind once, for all who inherit it; `setting` is the name before `_HOST` and `_PORT`.

    No SO_REUSEPORT: with it a second service on a taken port would start without an error.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise SettingsError(f"{setting}_HOST: {host} is not an address ({error.strerror}); correct it") from None
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise SettingsError(_refused(host, port, setting, error)) from None
    listener.setblocking(False)
    return listener


def url_of(listener: socket.socket) -> str:
    """Where a listening socket is reached, with the port it really has."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _refused(host: str, port: int, setting: str, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"{setting}_PORT: {host}:{port} is taken; stop who listens there, or choose another port"
    if error.errno == errno.EACCES:
        return f"{setting}_PORT: {port} needs privileges; choose one above 1023"
    return f"{setting}_HOST: cannot listen on {host} ({error.strerror}); name an address of this machine"
