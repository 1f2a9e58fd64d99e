"""From whoever answers calls to a thread that writes: nobody waits for it, and nobody fails by it.

    recorder = Recorder(spool, now_ms)
    recorder.record(call)      # returns at once

A call is encoded where it is handed over, into the batch that will be a file. A timer of the event loop hands each
batch to the thread: so the thread holds the interpreter for a few system calls a file and for nothing else. What is
not written yet is bounded. What does not fit is dropped and counted.
"""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from queue import SimpleQueue
from typing import Final

from seamless_wallet.calls.record import CallBatch, CallRecord
from seamless_wallet.calls.spool import DiskShort, Spool, SpoolFull
from seamless_wallet.calls.strangers import Strangers
from seamless_wallet.commands import Code
from seamless_wallet.observability import metrics
from seamless_wallet.observability.rate_limited_log import RateLimitedLog

QUEUE_BYTES_MAX: Final = 16 * 2**20
"""Of what waits to be written."""

BATCH_BYTES_MAX: Final = 2**20
"""A batch that has so many is handed over before its time."""

FLUSH_S: Final = 1.0
"""How long the first call of a batch waits for others: each file wakes the thread, and has a dozen system calls."""

END_LIMIT_S: Final = 1.0
"""At its end, a process waits so long for what is still to be written."""

LOG_EVERY_S: Final = 60.0


class Recorder:
    """The batch of now, and the thread behind it. For one event loop. `monotonic_s` is the clock of the log."""

    def __init__(self, spool: Spool, now_ms: Callable[[], int], monotonic_s: Callable[[], float]) -> None:
        self._spool = spool
        self._now_ms = now_ms
        self._batch = CallBatch()
        self._written_to = SimpleQueue[CallBatch | None]()
        self._handed_bytes = 0  # of batches that the thread has,
        self._handed_calls = 0  # and calls
        self._timer: asyncio.TimerHandle | None = None
        # Whoever has a provider's key has the quota of that provider: strangers cannot use it up.
        self._unauthorized = defaultdict[str, Strangers](Strangers)
        self._log = RateLimitedLog(LOG_EVERY_S, monotonic_s=monotonic_s)
        self._written = metrics.CALLS_RECORDED.labels()
        dropped = ("queue", "disk", "strangers")
        self._queue_full, self._disk, self._left_out = (metrics.CALLS_DROPPED.labels(cause) for cause in dropped)

    def record(self, call: CallRecord) -> None:
        """Keep a call, or drop and count it. Raises only for a text that nobody could write: a bug of the caller."""
        if call.code == Code.R2:
            of = call.provider if call.key_slot else ""
            if not self._unauthorized[of].is_kept(call.peer, call.received_ms):
                self._left_out.inc()
                return
        batch = self._batch
        size = len(batch.content)
        if self._handed_bytes + size > QUEUE_BYTES_MAX:
            self._queue_full.inc()
            return
        batch.add(call)
        if size > BATCH_BYTES_MAX:
            self._hand_over()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_S, self._hand_over)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Write until the context ends, and then what is left, for at most `END_LIMIT_S`."""
        loop, ended = asyncio.get_running_loop(), asyncio.Event()

        def tell(function: Callable[..., object], *arguments: object) -> None:
            with suppress(RuntimeError):  # the loop is closed by now
                loop.call_soon_threadsafe(function, *arguments)

        def write_until_end() -> None:
            while (batch := self._written_to.get()) is not None:
                tell(self._conclude, batch, self._write(batch))
            tell(ended.set)

        threading.Thread(target=write_until_end, name="calls", daemon=True).start()
        try:
            yield
        finally:
            self._hand_over()
            self._written_to.put(None)
            with suppress(TimeoutError):
                async with asyncio.timeout(END_LIMIT_S):
                    await ended.wait()
            self._disk.inc(self._handed_calls)  # a disk that hangs has them, if anybody ever will

    def _hand_over(self) -> None:
        """Give the thread the batch of now, and begin another one."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        batch = self._batch
        if batch.calls:
            self._batch = CallBatch()
            self._handed_bytes += len(batch.content)
            self._handed_calls += batch.calls
            self._written_to.put(batch)

    def _write(self, batch: CallBatch) -> Exception | None:
        """In the thread. Whatever is wrong with a batch, the next one is written."""
        try:
            self._spool.write(batch.finish(), self._now_ms())
        except Exception as error:  # noqa: BLE001 - told in the event loop
            return error
        return None

    def _conclude(self, batch: CallBatch, error: Exception | None) -> None:
        """Only the thread of the event loop counts and logs."""
        self._handed_bytes -= len(batch.content)
        self._handed_calls -= batch.calls
        if error is None:
            self._written.inc(batch.calls)
            return
        self._disk.inc(batch.calls)
        remedy = error.remedy if isinstance(error, SpoolFull) else DiskShort.remedy
        self._log.warning("calls_dropped", error=str(error), remedy=remedy)
