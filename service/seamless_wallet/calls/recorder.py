"""From whoever answers calls to a thread that writes: nobody waits for it, and nobody fails by it.

    recorder = Recorder(spool, now_ms)
    recorder.record(call)      # returns at once, never raises

The queue between them is bounded, and so is what one thread may hold. What does not fit is dropped and counted.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

from seamless_wallet.calls.record import CallRecord, encode_batch
from seamless_wallet.calls.spool import Spool, SpoolFull
from seamless_wallet.calls.strangers import Strangers
from seamless_wallet.commands import Code
from seamless_wallet.observability import metrics
from seamless_wallet.observability.rate_limited_log import RateLimitedLog

QUEUE_CALLS_MAX: Final = 10_000
QUEUE_BYTES_MAX: Final = 16 * 2**20
"""Bounds of what waits to be written, by number and by the bytes of its requests and replies."""

BATCH_MAX: Final = 256
"""Calls in one file: encoding them holds up the event loop for a fraction of a millisecond."""

FLUSH_S: Final = 0.25
"""How long the first call of a batch waits for others."""

END_LIMIT_S: Final = 1.0
"""At its end, a process waits so long for what is still to be written."""

LOG_EVERY_S: Final = 60.0


class Recorder:
    """The queue, and the thread behind it. `monotonic_s` is the clock of the log."""

    def __init__(self, spool: Spool, now_ms: Callable[[], int], monotonic_s: Callable[[], float]) -> None:
        self._spool = spool
        self._now_ms = now_ms
        self._waiting: deque[CallRecord] = deque()
        self._bytes_in = 0  # only the event loop adds to this one,
        self._bytes_out = 0  # and only the thread to this one: so neither needs a lock
        self._strangers = Strangers()
        self._wake = threading.Event()
        self._end = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._log = RateLimitedLog(LOG_EVERY_S, monotonic_s=monotonic_s)
        self._written = metrics.CALLS_RECORDED.labels()
        dropped = ("queue", "disk", "strangers")
        self._queue_full, self._disk, self._left_out = (metrics.CALLS_DROPPED.labels(cause) for cause in dropped)

    def record(self, call: CallRecord) -> None:
        """Keep a call, or drop and count it."""
        if call.code == Code.R2 and not self._strangers.is_kept(call.peer, call.received_ms):
            self._left_out.inc()
            return
        size = len(call.request) + len(call.reply)
        if len(self._waiting) >= QUEUE_CALLS_MAX or self._bytes_in - self._bytes_out + size > QUEUE_BYTES_MAX:
            self._queue_full.inc()
            return
        self._bytes_in += size
        self._waiting.append(call)
        if not self._wake.is_set():
            self._wake.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Write until the context ends, and then what is left, for at most `END_LIMIT_S`."""
        self._loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        thread = threading.Thread(target=self._write_until_end, args=(ended,), name="calls", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._end.set()
            self._wake.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(END_LIMIT_S):
                    await ended.wait()

    def _write_until_end(self, ended: asyncio.Event) -> None:
        while not self._end.is_set():
            self._wake.wait()
            self._end.wait(FLUSH_S)
            self._wake.clear()
            self._write_waiting()
        self._write_waiting()
        self._tell(ended.set)

    def _write_waiting(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(BATCH_MAX, len(self._waiting)))]
            try:
                self._spool.write(encode_batch(batch), self._now_ms())
            except Exception as error:  # noqa: BLE001 - whatever is wrong with a batch, the next one is written
                self._tell(self._disk.inc, len(batch))
                self._tell(self._report, error)
            else:
                self._tell(self._written.inc, len(batch))
            self._bytes_out += sum(len(call.request) + len(call.reply) for call in batch)

    def _report(self, error: Exception) -> None:
        remedy = "See that the admin process runs." if isinstance(error, SpoolFull) else "See that the disk has room."
        self._log.warning("calls_dropped", error=str(error), remedy=remedy)

    def _tell(self, function: Callable[..., object], *arguments: object) -> None:
        """Only the thread of the event loop counts and logs."""
        with suppress(RuntimeError):  # the loop is closed by now
            if self._loop is not None:
                self._loop.call_soon_threadsafe(function, *arguments)
