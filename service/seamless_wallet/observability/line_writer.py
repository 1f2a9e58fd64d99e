"""Lines on a file descriptor, written by a thread of their own: nobody waits for them, and nobody fails by them.

    writer = LineWriter(2, describe_dropped)
    writer.write(line)  # returns at once, never raises

Standard error may be a pipe that nobody empties, a pipe without a reader, a full disk or a closed terminal. A write
to it then waits for ever or fails. The queue before the thread is bounded: lines beyond it are dropped and counted, and
so are lines that could not be written. Once writing works again, one line tells how many were dropped.

The file descriptor is never set to O_NONBLOCK: other processes share what it stands for, and would inherit that.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final

LINES_MAX: Final = 10_000
BYTES_MAX: Final = 4 * 2**20
"""Bounds of what waits to be written."""

FLUSH_LIMIT_S: Final = 1.0
"""At its end, a process waits so long for what is still to be written."""

RETRY_S: Final = 0.05
"""Pause after EAGAIN, which is met if another program has set O_NONBLOCK."""


class LineWriter:
    """Writes lines to `fd`, each by one write, in the order in which they come.

    `describe_dropped` makes the line that tells how many lines were dropped.
    """

    def __init__(
        self,
        fd: int,
        describe_dropped: Callable[[int], bytes],
        *,
        lines_max: int = LINES_MAX,
        bytes_max: int = BYTES_MAX,
    ) -> None:
        self._fd = fd
        self._describe_dropped = describe_dropped
        self._lines_max = lines_max
        self._bytes_max = bytes_max
        self._dropped = 0
        self._ends_s: float | None = None  # by the monotonic clock; known once this process ends
        self._begin()
        atexit.register(self._end)

    def _begin(self) -> None:
        """Begin with nothing to write. Again in a forked child, to which the parent's thread and lines do not belong.

        The lock may be taken again by the thread that holds it: a destructor that logs may run at any point. For the
        same reason the queue is a SimpleQueue, whose `put` may interrupt itself.
        """
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._queue: SimpleQueue[bytes | threading.Event] = SimpleQueue()
        self._lines = self._bytes = 0  # that wait
        self._told = self._dropped  # how many of the dropped lines were told
        self._torn = False  # the last write was cut short: the next line begins with a line feed
        self._started = False

    @property
    def dropped(self) -> int:
        """How many lines were dropped since the start of this process."""
        return self._dropped

    def write(self, line: bytes) -> None:
        """Write a line, which has its line feed, or drop it. Never raises, and waits only at the very end."""
        if self._pid != os.getpid():
            self._begin()
        size = len(line)
        with self._lock:
            if self._lines >= self._lines_max or self._bytes + size > self._bytes_max:
                self._dropped += 1
                return
            self._lines += 1
            self._bytes += size
            self._queue.put(line)
        self._start()
        if self._ends_s is not None:
            self.flush(self._ends_s - time.monotonic())

    def flush(self, limit_s: float = FLUSH_LIMIT_S) -> None:
        """Wait until what was given so far is written, but for at most `limit_s`."""
        if self._started and self._pid == os.getpid():
            written = threading.Event()
            self._queue.put(written)
            written.wait(limit_s)

    def _end(self) -> None:
        """Flush, also what is still written while this process ends. The thread ends with it, at any moment."""
        self._ends_s = time.monotonic() + FLUSH_LIMIT_S
        self.flush(FLUSH_LIMIT_S)

    def _start(self) -> None:
        """Start the thread, unless it runs. If the system has no thread to give, the next line tries again."""
        with self._lock:
            if self._started:
                return
            self._started = True
        try:
            threading.Thread(target=self._write_for_ever, name=f"lines of fd {self._fd}", daemon=True).start()
        except RuntimeError:
            self._started = False

    def _write_for_ever(self) -> None:
        while True:
            item = self._queue.get()
            if isinstance(item, threading.Event):
                item.set()
                continue
            written = self._tell_dropped() and self._write_whole(item)
            with self._lock:
                self._lines -= 1
                self._bytes -= len(item)
                self._dropped += not written

    def _tell_dropped(self) -> bool:
        """Whether writing works, as far as is known: whether nothing was dropped, or that could be told."""
        untold = self._dropped - self._told
        if untold and self._write_whole(self._describe_dropped(untold)):
            self._told += untold
            return True
        return not untold

    def _write_whole(self, line: bytes) -> bool:
        """Whether a line could be written. Waits as long as the file descriptor takes nothing."""
        rest = memoryview(b"\n" + line if self._torn else line)
        while rest:
            try:
                count = os.write(self._fd, rest)
            except BlockingIOError:
                time.sleep(RETRY_S)
                continue
            except OSError:  # no reader, a full disk, a closed terminal
                return False
            rest = rest[count:]
            self._torn = bool(rest)
        return True
