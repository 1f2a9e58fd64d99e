"""Everything that this process counts, and what the system counts for it: CPU, memory, open files, the loop's lag."""

from __future__ import annotations

import asyncio
import os
import platform
import secrets
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Final

from seamless_wallet import __version__
from seamless_wallet.observability import logs, metrics
from seamless_wallet.observability.exposition import exposition
from seamless_wallet.observability.snapshots import Snapshot

LAG_EVERY_S: Final = 0.5
LAG_KEPT: Final = 20
"""The loop's lag is the largest of so many measurements, together ten seconds."""

PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
OWN_FILES: Final = Path("/proc/self/fd")
OWN_MEMORY: Final = Path("/proc/self/statm")


class ProcessCounters:
    """The counters of this process. `role` labels those of the system: supervisor, writer, worker, admin."""

    def __init__(self, role: str) -> None:
        self.role: Final = role
        self._token = secrets.token_hex(8)
        self._cpu = metrics.PROCESS_CPU_SECONDS.labels(role)
        self._memory = metrics.PROCESS_RESIDENT_MEMORY_BYTES.labels(role)
        self._files = metrics.PROCESS_OPEN_FDS.labels(role)
        self._lag = metrics.PROCESS_LOOP_LAG_SECONDS.labels(role)
        metrics.PROCESS_START_TIME_SECONDS.labels(role).set(time.time())
        metrics.BUILD_INFO.labels(__version__, platform.python_version()).set(1)

    async def snapshot(self) -> Snapshot:
        """What was counted so far. Asks the system in a thread: a process may have many thousands of open files."""
        with suppress(OSError):  # no /proc
            self._files.set(await asyncio.to_thread(_count, OWN_FILES))
        return self.snapshot_now()

    def snapshot_now(self) -> Snapshot:
        """The same without waiting; the number of open files is that of the last time."""
        self._cpu.value = time.process_time()
        with suppress(OSError, ValueError, IndexError):
            self._memory.set(int(OWN_MEMORY.read_text().split()[1]) * PAGE_BYTES)
        metrics.LOG_LINES_DROPPED.labels().value = logs.STDERR.dropped + logs.STDOUT.dropped
        values = {metric.name: dict(metric.values()) for metric in metrics.ALL}
        return Snapshot(self.role, os.getpid(), self._token, values)

    async def exposition(self) -> bytes:
        """The counters in the text format of Prometheus. Written in a thread, as it takes milliseconds."""
        return await asyncio.to_thread(exposition, metrics.ALL, (await self.snapshot()).values)

    async def measure_lag_for_ever(self) -> None:
        """Look how much later than asked for the event loop calls back."""
        loop, lags = asyncio.get_running_loop(), deque([0.0], LAG_KEPT)
        while True:
            due_s = loop.time() + LAG_EVERY_S
            await asyncio.sleep(LAG_EVERY_S)
            lags.append(max(0.0, loop.time() - due_s))
            self._lag.set(max(lags))


def _count(directory: Path) -> int:
    return sum(1 for _ in directory.iterdir()) - 1  # without the one that is open for counting
