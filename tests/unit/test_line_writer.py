"""A line is written, or dropped and counted. Nobody waits, and nothing is raised."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from seamless_wallet.observability.line_writer import LineWriter

LIMIT_S = 20.0


def dropped_line(count: int) -> bytes:
    """What is told of so many dropped lines."""
    return b"dropped %d\n" % count


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition."""
    deadline_s = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.005)


def fill(fd: int) -> int:
    """Fill a pipe to the last byte; how many there are in it."""
    os.set_blocking(fd, False)
    size = 0
    with suppress(BlockingIOError):
        while True:
            size += os.write(fd, b"x" * 4096)
    os.set_blocking(fd, True)
    return size


class Pipe:
    """A pipe and the writers that were made for it."""

    def __init__(self) -> None:
        self.ours, self.theirs = os.pipe()
        self._writers: list[LineWriter] = []

    def writer(self, **bounds: int) -> LineWriter:
        made = LineWriter(self.theirs, dropped_line, **bounds)
        self._writers.append(made)
        return made

    def close(self) -> None:
        """Without a reader every write ends at once: then no thread is left that writes to this number."""
        os.close(self.ours)
        for writer in self._writers:
            writer.flush(LIMIT_S)
        os.close(self.theirs)


@pytest.fixture
def pipe():
    """A pipe of the test's own."""
    made = Pipe()
    yield made
    made.close()


def read_bytes(fd: int, size: int) -> None:
    """Empty a pipe of so many bytes."""
    while size:
        size -= len(os.read(fd, size))


def test_what_a_full_pipe_does_not_take_is_dropped_and_told_once(pipe):
    """As many lines as the bound says come later, in order, and then how many did not."""
    size = fill(pipe.theirs)
    writer = pipe.writer(lines_max=10)
    for number in range(100):
        writer.write(b"%d\n" % number)
    assert writer.dropped == 90
    read_bytes(pipe.ours, size)
    until(lambda: writer._lines == 0)
    writer.write(b"later\n")
    writer.flush(LIMIT_S)
    lines = os.read(pipe.ours, 4096).splitlines()
    assert [line for line in lines if line.isdigit()] == [b"%d" % number for number in range(10)]
    assert [line for line in lines if not line.isdigit()] == [b"dropped 90", b"later"]
    assert writer.dropped == 90


def test_the_bytes_that_wait_are_bounded_too(pipe):
    """Few long lines are as bad as many short ones."""
    fill(pipe.theirs)
    writer = pipe.writer(bytes_max=1000)
    for _ in range(10):
        writer.write(b"x" * 299 + b"\n")
    assert writer.dropped == 7


def test_a_flush_ends_even_if_nothing_can_be_written(pipe):
    """A process that ends must not hang in it."""
    fill(pipe.theirs)
    writer = pipe.writer()
    writer.write(b"one\n")
    writer.flush(0.01)


def test_lines_without_a_reader_are_counted_and_the_next_reader_is_told(tmp_path: Path):
    """A collector that is restarted finds the number, and then the lines."""
    fifo = tmp_path / "log"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    theirs = os.open(fifo, os.O_WRONLY)
    try:
        os.close(reader)
        writer = LineWriter(theirs, dropped_line)
        for _ in range(3):
            writer.write(b"lost\n")
        until(lambda: writer.dropped == 3)
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        writer.write(b"there\n")
        writer.flush(LIMIT_S)
        assert os.read(reader, 4096) == b"dropped 3\nthere\n"
    finally:
        os.close(theirs)
        os.close(reader)


def test_a_file_descriptor_that_is_closed_costs_lines_and_nothing_else():
    """EBADF."""
    writer = LineWriter(10**6, dropped_line)
    writer.write(b"lost\n")
    until(lambda: writer.dropped == 1)


def test_o_nonblock_of_somebody_else_loses_nothing(pipe):
    """A program that shares the pipe has set it: what does not fit now is written later, in one piece."""
    size = fill(pipe.theirs)
    os.set_blocking(pipe.theirs, False)
    writer = pipe.writer()
    writer.write(b"one\n")
    writer.write(b"two\n")
    writer.flush(0.2)
    read_bytes(pipe.ours, size)
    writer.flush(LIMIT_S)
    assert os.read(pipe.ours, 4096) == b"one\ntwo\n"
    assert writer.dropped == 0


def test_a_line_that_was_cut_short_does_not_spoil_the_next_one(tmp_path: Path):
    """The disk is full in the middle of a line, and later has room again."""
    script = """
        import resource, sys, time
        from seamless_wallet.observability.line_writer import LineWriter
        writer = LineWriter(1, lambda count: b"dropped %d\\n" % count)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, resource.RLIM_INFINITY))
        writer.write(b"12345\\n")
        writer.write(b"67890\\n")
        writer.write(b"12345\\n")
        writer.flush(20)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        writer.write(b"again\\n")
        writer.flush(20)
    """
    with (tmp_path / "log").open("wb") as log:
        subprocess.run([sys.executable, "-c", textwrap.dedent(script)], stdout=log, timeout=30, check=True)
    assert (tmp_path / "log").read_bytes() == b"12345\n6789\ndropped 2\nagain\n"


def test_a_destructor_may_log_at_any_point(pipe):
    """The garbage collector runs where it likes, also within `write`."""
    fill(pipe.theirs)
    writer = pipe.writer(lines_max=100)

    class Cycle:
        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            writer.write(b"gone\n")

    def write_much() -> None:
        for _ in range(300):
            Cycle()
            writer.write(b"line\n")

    before = gc.get_threshold()
    gc.set_threshold(1)
    try:
        threads = [threading.Thread(target=write_much, daemon=True) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LIMIT_S)
            assert not thread.is_alive()
    finally:
        gc.set_threshold(*before)
    gc.collect()
    assert writer.dropped == 1200 - 100


def test_without_a_thread_to_be_had_lines_wait(pipe, monkeypatch):
    """The system is out of threads: the next line that finds one takes the others along."""
    writer = pipe.writer()

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        writer.write(b"one\n")
    writer.write(b"two\n")
    writer.flush(LIMIT_S)
    assert os.read(pipe.ours, 4096) == b"one\ntwo\n"
