"""A file that appears complete under its name, or not at all: what a backup or a restore writes.

Until it is complete it has a temporary name beside its own. After SIGKILL that stays; the next run removes it.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from seamless_wallet.exit_status import EXIT_FAILURE
from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.stores.sqlite.database import SIDE_FILES
from seamless_wallet.trusted_paths import UntrustedPath, check_directory

NEW_FILE_MODE: Final = 0o600

_NO_HARD_LINKS: Final = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
"""What a file system answers that has no hard links."""


class CopyRefused(StoreError):
    """A backup or a restore that was refused, or went wrong. One line that says what to do."""

    exit_status = EXIT_FAILURE


class NewFile:
    """A context manager: `path` is empty and this process's own; what was not published is gone at the end.

    Two processes never write the same file. Only with `replace` it takes the place of another of its name. Entering
    raises CopyRefused, and OSError.
    """

    def __init__(self, target: Path, *, replace: bool) -> None:
        self.target = target
        self._replace = replace
        self.path = target.with_name(f".{target.name}.partial")
        self._descriptor = -1
        self._published = False

    def __enter__(self) -> Self:
        check_writable_directory(self.target)
        self._remove_stale()
        if self.target.exists() and not self._replace:
            raise self._already_there()
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self._descriptor = os.open(self.path, flags, NEW_FILE_MODE)
        try:
            self._lock(self._descriptor)
        except BaseException:
            os.close(self._descriptor)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self._published:
            self._remove()
        os.close(self._descriptor)

    @property
    def size_bytes(self) -> int:
        """How much was written so far."""
        return os.fstat(self._descriptor).st_size

    def sync(self) -> None:
        """Have what was written so far on the disk."""
        os.fdatasync(self._descriptor)

    def publish(self) -> None:
        """Give the file its name, for good. Raises CopyRefused if the name was taken meanwhile, and OSError."""
        os.fsync(self._descriptor)
        if self._replace:
            self.path.replace(self.target)
            self._published = True
        else:
            self._publish_new()
        sync_directory(self.target.parent)

    def _publish_new(self) -> None:
        try:
            os.link(self.path, self.target)
        except FileExistsError:
            raise self._already_there() from None
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS or self.target.exists():
                raise
            self.path.rename(self.target)
        self._published = True
        self._remove()

    def _remove_stale(self) -> None:
        """Remove what a killed process left, unless a living one is writing it.

        It is never written over: it may be the published file under its temporary name.
        """
        try:
            stale = os.open(self.path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        try:
            self._lock(stale)
            self._remove()
        finally:
            os.close(stale)

    def _lock(self, descriptor: int) -> None:
        """Be the one process that writes this file: the lock is on the file that has the temporary name now."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            ours = os.path.samestat(os.fstat(descriptor), self.path.lstat())
        except (BlockingIOError, FileNotFoundError):
            ours = False
        if not ours:
            raise CopyRefused(f"another process is writing {self.target} now; wait for it, or stop it")

    def _already_there(self) -> CopyRefused:
        return CopyRefused(f"{self.target} exists already: choose another name, or pass --replace")

    def _remove(self) -> None:
        for suffix in ("", *SIDE_FILES):
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)


def check_writable_directory(target: Path) -> None:
    """Whether a file can be made where nobody else can write it. Raises CopyRefused."""
    directory = target.absolute().parent
    try:
        check_directory(directory)
    except UntrustedPath as error:
        raise CopyRefused(f"cannot write {target} safely: {error}") from None
    except FileNotFoundError:
        raise CopyRefused(
            f"cannot write {target}: the directory {directory} does not exist; make it, or correct the path"
        ) from None


def sync_directory(directory: Path) -> None:
    """So that a name in it survives a power failure, too. Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def refusing(what: str) -> Iterator[None]:
    """Turn what the system says into one line that begins with `what`. Raises CopyRefused."""
    try:
        yield
    except StoreError:
        raise
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
        remedy = "make room on that disk" if full else "correct the path or its permissions"
        raise CopyRefused(f"{what}: {error.strerror or error}; {remedy}") from error
