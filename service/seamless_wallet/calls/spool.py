"""Files between those who answer calls and the one who collects them: a directory, and one file for each batch.

A batch is written beside its name and then renamed, so that whoever reads it finds it whole. So nobody waits for a
lock, and a process that is killed leaves no half of a batch behind. Nothing is synced: after a loss of power the last
batches may be missing or empty.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from seamless_wallet.calls.disk_room import FREE_SHARE_MIN, FreeShare, free_share
from seamless_wallet.errors import WalletError
from seamless_wallet.trusted_paths import check_directory

SPOOL_BYTES_MAX: Final = 128 * 2**20
"""Of all files together. What does not fit is dropped: then nobody has collected anything for a while."""

SPOOL_FILES_MAX: Final = 10_000
"""A worker with few calls leaves a small file a second: so many are looked through in some hundredths of a second."""

MEASURE_EVERY: Final = 16
"""Batches between two looks at how much is there."""

FULL_S: Final = 5
"""For so long after it was full nobody looks again: a look at a full one costs more than what is dropped."""

_END: Final = ".batch"
_UNFINISHED: Final = ".part"


class SpoolFull(WalletError, OSError):
    """So much waits to be collected that no more is taken."""

    remedy = "See that the admin process runs."


class DiskShort(SpoolFull):
    """The rest of the disk is the ledger's."""

    remedy = "See that the disk has room."


class Spool:
    """The directory. `name` makes the files of this process its own: no other process may ever have the same.

    `disk` tells how much of its disk is free.
    """

    def __init__(
        self,
        directory: Path,
        name: str = "",
        *,
        bytes_max: int = SPOOL_BYTES_MAX,
        files_max: int = SPOOL_FILES_MAX,
        disk: FreeShare = free_share,
    ) -> None:
        self.directory = directory
        self._name = name
        self._bytes_max = bytes_max
        self._files_max = files_max
        self._free_share = disk
        self._number = 0
        self._is_prepared = False
        self._bytes = 0  # that were there, at least, when last looked,
        self._files = 0  # and files
        self._full: SpoolFull | None = None  # why nothing was taken when last looked,
        self._full_ms = 0  # and when that was

    def write(self, content: bytes | bytearray, now_ms: int) -> None:
        """Leave a batch. Raises OSError, and then nothing of it stays."""
        if not self._is_prepared:
            self.prepare()
        self._make_sure_of_room(len(content), now_ms)
        self._number += 1
        self._bytes += len(content)
        self._files += 1
        name = f"{now_ms:013d}-{self._name}-{self._number:08d}"
        unfinished = self.directory / f"{name}{_UNFINISHED}"
        try:
            descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                rest = memoryview(content)
                while rest:
                    rest = rest[os.write(descriptor, rest) :]
            finally:
                os.close(descriptor)
            unfinished.rename(self.directory / f"{name}{_END}")
        except OSError:
            self._is_prepared = False
            with suppress(OSError):
                unfinished.unlink()
            raise

    def prepare(self) -> None:
        """Make the directory, unless it is there. Raises UntrustedPath if others may write into it, and OSError."""
        with suppress(FileExistsError):
            self.directory.mkdir(0o700)
        check_directory(self.directory)
        self._is_prepared = True

    def remove_unfinished(self, before_ms: int) -> None:
        """Remove what killed processes have left half written before a time. Never raises OSError."""
        with suppress(OSError):
            for path in self.directory.iterdir():
                begun_ms = path.name.partition("-")[0]
                if path.suffix == _UNFINISHED and begun_ms.isdecimal() and int(begun_ms) < before_ms:
                    path.unlink(missing_ok=True)

    def batches(self) -> Iterator[Path]:
        """The whole batches that are there, oldest first. Raises OSError."""
        try:
            yield from sorted(path for path in self.directory.iterdir() if path.suffix == _END)
        except FileNotFoundError:
            return

    def _make_sure_of_room(self, size: int, now_ms: int) -> None:
        """Raises SpoolFull if there is none, or was none just now."""
        if self._full is not None and 0 <= now_ms - self._full_ms < FULL_S * 1000:
            raise type(self._full)(str(self._full))
        if self._number % MEASURE_EVERY and not self._is_full(size):
            return
        self._full = self._measured(size)
        if self._full is not None:
            self._full_ms = now_ms
            raise self._full

    def _measured(self, size: int) -> SpoolFull | None:
        """Look how much is there; why `size` bytes more are not taken."""
        self._bytes = self._files = 0
        with os.scandir(self.directory) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    self._bytes += entry.stat(follow_symlinks=False).st_size
                    self._files += 1
        if self._is_full(size):
            return SpoolFull(f"{self.directory} has {self._files} files, {self._bytes} bytes, that nobody collects")
        if self._free_share(self.directory) < FREE_SHARE_MIN:
            return DiskShort(f"less than {FREE_SHARE_MIN:.0%} of the disk of {self.directory} is free")
        return None

    def _is_full(self, size: int) -> bool:
        return self._bytes + size > self._bytes_max or self._files >= self._files_max
