"""`sys.stdout` and `sys.stderr` of a process that must not wait for them, nor fail by them.

What libraries, Python itself and a `print` write there goes through a `LineWriter`, like the log.
"""

from __future__ import annotations

import io
import os
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    from seamless_wallet.observability.line_writer import LineWriter

STDIN_FD: Final = 0
STDOUT_FD: Final = 1
STDERR_FD: Final = 2

PART_CHARACTERS_MAX: Final = 65_536
"""A text without a line end that is longer is written in parts."""


def open_missing_descriptors() -> None:
    """Open /dev/null as standard input, output or error where there is none, as after `2>&-`. Call it before all else.

    Otherwise the next file that is opened gets the number: a message would be written to a connection or a database.
    """
    for fd in (STDIN_FD, STDOUT_FD, STDERR_FD):
        try:
            os.fstat(fd)
        except OSError:
            with suppress(OSError):
                os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # it takes the lowest number that is free


def redirect_streams(stdout: LineWriter, stderr: LineWriter) -> None:
    """Replace `sys.stdout` and `sys.stderr`, unless somebody else, such as a test, has replaced them already."""
    open_missing_descriptors()
    if sys.stdout is sys.__stdout__:
        sys.stdout = LineStream(stdout, STDOUT_FD)
    if sys.stderr is sys.__stderr__:
        sys.stderr = LineStream(stderr, STDERR_FD)


class LineStream(io.TextIOBase):
    """A text stream in front of a LineWriter. Writing to it never waits and never raises."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, writer: LineWriter, fd: int) -> None:
        super().__init__()
        self.buffer = _BinaryStream(writer)
        self._writer = writer
        self._fd = fd
        self._part = ""  # of a line whose end has not come yet
        self._lock = threading.RLock()

    def writable(self) -> bool:
        """It is."""
        return True

    def fileno(self) -> int:
        """The number of the file descriptor that is written to in the end."""
        return self._fd

    def isatty(self) -> bool:
        """Whether that is a terminal."""
        return os.isatty(self._fd)

    def write(self, text: str) -> int:
        """Write whole lines; keep the rest for the next call."""
        with self._lock:
            whole, end, self._part = (self._part + text).rpartition("\n")
            self._pass_on(whole + end)
            if len(self._part) > PART_CHARACTERS_MAX:
                self.flush()
        return len(text)

    def flush(self) -> None:
        """Pass on a line without an end, too. Does not wait until it is written."""
        with self._lock:
            part, self._part = self._part, ""
            self._pass_on(part)

    def _pass_on(self, text: str) -> None:
        if text:
            self._writer.write(text.encode(self.encoding, self.errors))


class _BinaryStream(io.RawIOBase):
    """What a text stream has as its `buffer`."""

    def __init__(self, writer: LineWriter) -> None:
        super().__init__()
        self._writer = writer

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer) -> int:
        taken = bytes(data)
        self._writer.write(taken)
        return len(taken)
