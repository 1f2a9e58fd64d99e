"""The counters of all processes of a run directory together. The admin process collects them.

Each process is asked at its socket. What a process has counted stays in the totals when it ends: until it was last
asked, or until its orderly end. The totals are kept in a file, so that they outlive this process, too.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from seamless_wallet.observability import metrics, run_directory
from seamless_wallet.observability.exposition import exposition
from seamless_wallet.observability.process_counters import ProcessCounters
from seamless_wallet.observability.rate_limited_log import RateLimitedLog
from seamless_wallet.observability.run_directory import RunFile
from seamless_wallet.observability.snapshots import Snapshot, Totals

COLLECT_EVERY_S: Final = 5.0
"""Of a process that is killed, at most so many seconds are not counted, however rare scrapes are."""

ANSWER_LIMIT_S: Final = 2.0
"""A process that does not answer for so long is left out, and shown by `wallet_process_up`."""

SAVE_LIMIT_S: Final = 1.0
"""A scrape waits no longer for the disk."""

ANSWER_BYTES_MAX: Final = 16 * 2**20
EXPECTED_ROLES: Final = ("writer", "worker", "admin")

_ENDED: Final = b""
_FAULTS: Final = metrics.UNEXPECTED_ERRORS.labels("metrics")
_log: Final = RateLimitedLog(every_s=60, monotonic_s=time.monotonic)


class _Round(NamedTuple):
    """What came of asking every process once."""

    answered: list[Snapshot]
    unanswered: set[tuple[str, int]]  # role and pid of processes that run and did not answer
    ended: bool  # whether some process has ended since the last time
    farewells: list[Path]  # of processes that have ended, and are in the totals
    totals: bytes


class Collector:
    """Collects the counters of all processes. `own` are those of this process, which need not be asked for."""

    def __init__(self, run_dir: Path, own: ProcessCounters) -> None:
        self._run_dir = run_dir
        self._own = own
        self._totals = Totals(metrics.ALL)
        self._is_owner = False
        self._lock: int | None = None  # the file descriptor by which the totals are ours
        self._saving: asyncio.Task[None] | None = None
        self._collecting = asyncio.Lock()
        self._scrape: asyncio.Task[bytes] | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Ask now and then within the context, also if nobody scrapes."""
        task = asyncio.create_task(self._collect_for_ever())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            if self._lock is not None:
                os.close(self._lock)
            self._lock, self._is_owner = None, False

    async def _collect_for_ever(self) -> None:
        while True:
            await asyncio.sleep(COLLECT_EVERY_S)
            try:
                async with self._collecting:
                    await self._collect(save=False)
            except Exception:  # noqa: BLE001 - counted and logged; the next round asks again
                _FAULTS.inc()
                _log.exception("counters_not_collected", remedy="Report it. Nothing else is affected.")

    async def exposition(self) -> bytes:
        """All together in the text format of Prometheus. Whoever asks during a scrape gets what it finds."""
        if self._scrape is None or self._scrape.done():
            self._scrape = asyncio.create_task(self._collected_text())
        return await asyncio.shield(self._scrape)

    async def _collected_text(self) -> bytes:
        async with self._collecting:
            found = await self._collect(save=True)
            return await asyncio.to_thread(self._render, found)

    async def _collect(self, *, save: bool) -> _Round:
        """Ask every process. What needs CPU is done in a thread.

        With `save`, totals are written to the file in any case: what a scraper has seen must not be lost.
        """
        own = await self._own.snapshot()
        try:
            found = await asyncio.to_thread(run_directory.sockets, self._run_dir)
        except OSError:
            return await asyncio.to_thread(self._take_own, own)
        others = [file for file in found if (file.role, file.pid) != (own.role, own.pid)]
        answers = await asyncio.gather(*(_ask(file.path) for file in others))
        taken = await asyncio.to_thread(self._take, own, dict(zip(others, answers, strict=True)))
        if self._is_owner and (save or taken.ended):
            await self._save(taken)
        return taken

    def _take(self, own: Snapshot, answers: dict[RunFile, bytes | None]) -> _Round:
        if not self._is_owner:
            self._become_owner()
            self._restore()
        answered, unanswered = [own], set()
        for file, answer in answers.items():
            if answer == _ENDED:
                if self._is_owner:
                    _remove(file.path)
                continue
            snapshot = _read(answer)
            if snapshot is None:
                unanswered.add((file.role, file.pid))
            else:
                answered.append(snapshot)
        running = {(file.role, file.pid) for file, answer in answers.items() if answer != _ENDED}
        try:
            farewells = self._farewells() if self._is_owner else {}
        except OSError:
            return self._take_own(own)
        self._totals.keep_farewells(farewells.values(), running)
        for farewell in farewells.values():
            self._totals.end(farewell)
        ended = self._totals.update(answered, unanswered) or bool(farewells)
        done = [path for path, farewell in farewells.items() if (farewell.role, farewell.pid) not in running]
        return _Round(answered, unanswered, ended, done, self._totals.to_json())

    def _take_own(self, own: Snapshot) -> _Round:
        """Without the directory, as when no more files can be opened, nobody knows who has ended: nobody has."""
        others = self._totals.processes() - {(own.role, own.pid)}
        self._totals.update([own], others)
        return _Round([own], others, ended=False, farewells=[], totals=self._totals.to_json())

    async def _save(self, taken: _Round) -> None:
        """Write the totals, then remove the farewells in them. A disk that hangs must not hide the counters."""
        if self._saving is None or self._saving.done():
            self._saving = asyncio.create_task(asyncio.to_thread(_write, self._run_dir, taken))
            await asyncio.wait({self._saving}, timeout=SAVE_LIMIT_S)

    def _farewells(self) -> dict[Path, Snapshot]:
        """What processes have left behind at their end. Raises OSError."""
        found = {}
        for file in run_directory.farewells(self._run_dir):
            with suppress(OSError):
                snapshot = _read(file.path.read_bytes())
                if snapshot is None:
                    _remove(file.path)
                else:
                    found[file.path] = snapshot
        return found

    def _become_owner(self) -> None:
        """Keep the totals from now on, unless another admin process does: two follow each other when one is replaced.

        If the directory cannot be opened, nobody can share it, and they are kept in memory.
        """
        try:
            handle = os.open(self._run_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            self._is_owner = True
            return
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
        else:
            self._lock, self._is_owner = handle, True

    def _restore(self) -> None:
        """Go on from the totals of an admin process that has ended. While it has not, show what it has saved."""
        self._totals = Totals(metrics.ALL)
        with suppress(OSError, ValueError):
            self._totals.restore((self._run_dir / run_directory.TOTALS_FILE).read_bytes())

    def _render(self, found: _Round) -> bytes:
        values = self._totals.values(found.answered)
        silent = {role for role, _ in found.unanswered}
        running = {snapshot.role for snapshot in found.answered}
        values[metrics.PROCESS_UP.name] = {
            (role,): int(role in running - silent) for role in sorted({*EXPECTED_ROLES, *running, *silent})
        }
        return exposition(metrics.ALL, values)


async def _ask(path: Path) -> bytes | None:
    """The counters of the process at this socket. None if it does not answer in time, `_ENDED` if nobody is there."""
    try:
        async with asyncio.timeout(ANSWER_LIMIT_S):
            reader, writer = await asyncio.open_unix_connection(path)
            try:
                writer.write(b"GET /counters HTTP/1.1\r\n\r\n")
                answer = bytearray()
                while (part := await reader.read(65_536)) and len(answer) < ANSWER_BYTES_MAX:
                    answer += part
            finally:
                writer.transport.abort()
    except (ConnectionRefusedError, FileNotFoundError):
        return _ENDED
    except (OSError, TimeoutError):
        return None
    _, _, body = bytes(answer).partition(b"\r\n\r\n")
    return body or None


def _write(run_dir: Path, taken: _Round) -> None:
    try:
        run_directory.write_file(run_dir / run_directory.TOTALS_FILE, taken.totals)
    except OSError as error:
        _log.error("totals_not_saved", error=str(error), remedy="Make room on the disk.")
    else:
        for path in taken.farewells:
            _remove(path)


def _read(text: bytes | None) -> Snapshot | None:
    """The snapshot in a text. None if there is none."""
    if text is None:
        return None
    try:
        return Snapshot.from_json(text)
    except ValueError:
        return None


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()
