"""The data directory of one `wallet up`: its lock, and private directories that belong to it.

What somebody else may have put there is refused: a link, a file, a directory. Everything here raises SettingsError,
with one line for the operator.
"""

from __future__ import annotations

import fcntl
import os
import stat
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

from seamless_wallet.errors import SettingsError
from seamless_wallet.observability.process_health import RunDirectory
from seamless_wallet.observability.run_directory import remove_stale_files
from seamless_wallet.settings.secret_files import create_data_dir
from seamless_wallet.supervisor.pid_files import stop_stale_processes
from seamless_wallet.trusted_paths import UntrustedPath, check_directory, check_mode, our_groups

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from seamless_wallet.settings import Settings


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file, at most for as long as this process lives. Its content is the pid of the holder.

    Raises SettingsError.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SettingsError(
            f"WALLET_DATA_DIR: cannot write to {path.parent} ({error.strerror}); name a directory you may write to"
        ) from None
    try:
        _check_opened(path, handle)  # before anything is written: it may be another file under this name
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(handle, 20).decode(errors="replace").strip() or "unknown"
            raise SettingsError(
                f"WALLET_DATA_DIR: {path.parent} is in use by `wallet up` (pid {holder}); "
                "stop that service, or name another directory"
            ) from None
        text = f"{os.getpid()}\n".encode()
        with suppress(OSError):  # a full disk: the lock holds without it
            os.ftruncate(handle, os.pwrite(handle, text, 0))
        yield
    finally:
        os.close(handle)


@contextmanager
def held(settings: Settings) -> Iterator[None]:
    """Make the data directory if there is none, and hold its lock. Raises SettingsError."""
    create_data_dir(settings.data_dir)
    with locked(settings.lock_path):
        yield


@contextmanager
def prepared(settings: Settings) -> Iterator[None]:
    """Have a data directory, whose lock is held, ready for children, and clear it of what only they need.

    Stops the processes that a killed parent left behind.
    """
    make_private_directory(settings.pid_dir, "for pid files")
    stop_stale_processes(settings.pid_dir)
    if settings.embedded_redis and settings.redis_socket_path.parent != settings.data_dir:
        make_private_directory(settings.redis_socket_path.parent, "for a socket, as its own path is too long")
    directory = run_directory(settings)
    directory.make()
    remove_stale_files(directory.path)  # and what was counted: totals begin anew
    try:
        yield
    finally:
        remove_stale_files(directory.path)
        with suppress(OSError):
            directory.remove()


def make_private_directory(path: Path, purpose: str) -> None:
    """Make a directory in a place that others may write to, and check that only this user may use it.

    Raises SettingsError.
    """
    os.close(_private_directory(path, purpose))


def _private_directory(path: Path, purpose: str) -> int:
    """A descriptor of a directory that is this user's alone, or also its groups'. It is made if it is not there.

    (Kubernetes gives what is on a volume to the group `fsGroup`, which the process is in.)
    """
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        check_directory(path)  # and the way to it
        directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except UntrustedPath as error:
        raise SettingsError(f"WALLET_DATA_DIR: cannot use {path}, {purpose}: {error}") from None
    except OSError as error:
        raise SettingsError(
            f"WALLET_DATA_DIR: cannot create {path}, {purpose} ({error.strerror}); name another data directory"
        ) from None
    found = os.fstat(directory)
    for_group = found.st_mode & stat.S_IRWXG and found.st_gid not in our_groups()
    if found.st_uid != os.geteuid() or found.st_mode & stat.S_IRWXO or for_group:
        os.close(directory)
        raise SettingsError(f"WALLET_DATA_DIR: {path}, {purpose}, is not private to this user; remove it")
    return directory


def run_directory(settings: Settings) -> RunDirectory:
    """The directory of the sockets by which processes tell about themselves."""
    return RunDirectory(settings.run_dir, partial(_make_run_dir, settings), partial(_remove_run_dir, settings))


def _remove_run_dir(settings: Settings) -> None:
    settings.run_dir.rmdir()
    if settings.run_dir.parent != settings.data_dir:
        settings.run_dir.parent.rmdir()


def _make_run_dir(settings: Settings) -> None:
    directory = settings.run_dir
    if directory.parent == settings.data_dir:
        create_data_dir(settings.data_dir)
    else:
        make_private_directory(directory.parent, "for sockets, as their own path is too long")
    make_private_directory(directory, "for sockets")


def _check_opened(path: Path, handle: int) -> None:
    found = os.fstat(handle)
    try:
        check_mode(path, found)
    except UntrustedPath as error:
        raise SettingsError(f"WALLET_DATA_DIR: {error}") from None
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        raise SettingsError(f"WALLET_DATA_DIR: {path} is not a file of its own; remove it")
