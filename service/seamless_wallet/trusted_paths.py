"""Whether others could have written a file, or could put another one in its place.

Who writes a secret or a setting decides about the money. A file is trusted if it belongs to root or to the user of this
process, and nobody else may write it: neither everybody nor a group that this process is not in. So is each directory
on the way to it. A sticky directory, such as /tmp, may be writable, as nobody replaces what belongs to others in it;
then the entry itself has to be trusted, symbolic links included. So the mounted secrets of Kubernetes pass: links that
root made, in a sticky directory, to files of root.

A path is followed part by part, from descriptor to descriptor, and what is checked is what was opened. So nobody can
change a part between the check and the use.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from seamless_wallet.errors import WalletError

LINKS_MAX: Final = 40
"""Symbolic links on the way to one file, as the kernel has it."""

_DIRECTORY_FLAGS: Final = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE_FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC
_OPEN_DESCRIPTOR: Final = re.compile(r"(pipe|socket|anon_inode):.*", re.DOTALL)
"""Where a link in /proc/self/fd leads that is no path: what a shell's `<(command)` names."""


class UntrustedPath(WalletError):
    """Somebody else could have written this. One line: which path, why, what to do."""


def open_trusted(path: Path) -> int:
    """A descriptor of a file to read. Raises UntrustedPath, and OSError if there is no such file."""
    followed = _Followed(path)
    try:
        return followed.open_file()
    finally:
        followed.close()


def check_file(path: Path) -> None:
    """Whether a file, and the way to it, can be written by nobody else. Raises UntrustedPath, and OSError."""
    os.close(open_trusted(path))


def check_directory(path: Path) -> None:
    """Whether a directory that this process writes into can be written by nobody else, sticky or not.

    Raises UntrustedPath, and OSError if there is no such directory.
    """
    followed = _Followed(path)
    try:
        followed.enter_all()
        check_mode(followed.shown, os.fstat(followed.directory))
    finally:
        followed.close()


def check_entries(directory: Path, names: tuple[str, ...]) -> None:
    """Whether those of these that are in a checked directory are trusted: a link is, if who made it is.

    Raises UntrustedPath.
    """
    for name in names:
        path = directory / name
        with suppress(FileNotFoundError):
            check_mode(path, path.lstat())


def our_groups() -> set[int]:
    """The groups that this process is in."""
    return {os.getegid(), *os.getgroups()}


def check_mode(path: Path | str, found: os.stat_result) -> None:
    """Whether an entry belongs to us or root, and nobody else may write it. Raises UntrustedPath."""
    _check_owner(path, found)
    if stat.S_ISLNK(found.st_mode):
        return
    if found.st_mode & stat.S_IWOTH:
        raise UntrustedPath(f"{path} is writable by everybody; run `chmod o-w` on it, after a look at what is there")
    if found.st_mode & stat.S_IWGRP and found.st_gid not in our_groups():
        raise UntrustedPath(
            f"{path} is writable by group {found.st_gid}, which this process is not in; run `chmod g-w` on it, "
            "or run the wallet in that group"
        )


def _check_owner(path: Path | str, found: os.stat_result) -> None:
    # Whoever owns / owns the machine: that is root, or a number without a name in a user namespace without root.
    if found.st_uid not in {0, os.geteuid(), Path("/").stat().st_uid}:
        raise UntrustedPath(
            f"{path} belongs to user {found.st_uid}, neither to root nor to the user of the wallet ({os.geteuid()}); "
            "remove it if you do not know it, or give it to that user with `chown`"
        )


class _Followed:
    """A path on the way from / to its end. `directory` is a descriptor of where it has arrived, `shown` its name."""

    def __init__(self, path: Path) -> None:
        absolute = path.absolute()
        self._wanted = absolute
        self._rest = list(reversed(absolute.parts[1:]))
        self._links = 0
        self.shown = Path("/")
        self.directory = os.open("/", _DIRECTORY_FLAGS)
        check_mode(self.shown, os.fstat(self.directory))

    def close(self) -> None:
        os.close(self.directory)

    def enter_all(self) -> None:
        """Go to the end, which is a directory."""
        while self._rest:
            self._step()

    def open_file(self) -> int:
        """Go to the end, which is a file, and open it for reading."""
        while self._rest:
            name = self._rest[-1]
            if len(self._rest) == 1 and name != ".." and not stat.S_ISLNK(self._look(name).st_mode):
                return self._opened(name, _FILE_FLAGS)
            descriptor = self._step(is_file=len(self._rest) == 1)
            if descriptor is not None:
                return descriptor
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(self._wanted))

    def _look(self, name: str) -> os.stat_result:
        return os.stat(name, dir_fd=self.directory, follow_symlinks=False)

    def _step(self, *, is_file: bool = False) -> int | None:
        """Go one part further. Returns a descriptor if the part is a file that has no path, and a file is wanted."""
        name = self._rest.pop()
        found = self._look(name)
        if stat.S_ISLNK(found.st_mode):
            _check_owner(self.shown / name, found)
            return self._follow(name, is_file=is_file)
        # A sticky directory may be writable on the way: what is in it is checked next.
        sticky = found.st_mode & stat.S_ISVTX
        entered = os.open(name, _DIRECTORY_FLAGS, dir_fd=self.directory)
        os.close(self.directory)
        self.directory, self.shown = entered, self.shown.parent if name == ".." else self.shown / name
        checked = os.fstat(entered)
        if sticky and checked.st_mode & stat.S_ISVTX:
            _check_owner(self.shown, checked)
        else:
            check_mode(self.shown, checked)
        return None

    def _follow(self, name: str, *, is_file: bool) -> int | None:
        self._links += 1
        if self._links > LINKS_MAX:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(self._wanted))
        target = os.readlink(name, dir_fd=self.directory)
        if is_file and _OPEN_DESCRIPTOR.fullmatch(target):
            return self._opened(name, _FILE_FLAGS & ~os.O_NOFOLLOW)
        parts = Path(target).parts
        if Path(target).is_absolute():
            os.close(self.directory)
            self.directory, self.shown = os.open("/", _DIRECTORY_FLAGS), Path("/")
            parts = parts[1:]
        self._rest.extend(reversed(parts))
        return None

    def _opened(self, name: str, flags: int) -> int:
        descriptor = os.open(name, flags, dir_fd=self.directory)
        try:
            _check_file(self.shown / name, os.fstat(descriptor))
            os.set_blocking(descriptor, True)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor


def _check_file(path: Path, found: os.stat_result) -> None:
    check_mode(path, found)
    if not stat.S_ISREG(found.st_mode) and not stat.S_ISFIFO(found.st_mode):
        raise UntrustedPath(f"{path} is neither a file nor a pipe; name a file")
