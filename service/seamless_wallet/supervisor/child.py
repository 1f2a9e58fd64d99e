"""One child: started, watched, restarted with back-off, stopped."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from asyncio.subprocess import DEVNULL
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from seamless_wallet.supervisor.exit_counts import count_death
from seamless_wallet.supervisor.pid_files import record

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Callable, Mapping
    from pathlib import Path

BACKOFF_FIRST_S: Final = 0.1
BACKOFF_MAX_S: Final = 5.0
HEALTHY_S: Final = 10.0
"""Ready for this long, a child's earlier deaths are forgotten."""
START_DEATHS_MAX: Final = 5
"""A child that never was ready is given up after so many deaths."""
READY_POLL_S: Final = 0.02
EX_CONFIG: Final = 78
"""Exit status of a child that refuses its settings (sysexits.h): another try cannot help."""
EX_SOFTWARE: Final = 70
EX_OSERR: Final = 71
"""Stands for the exit status of a child that could not even be started."""

log = structlog.get_logger()


@dataclass(frozen=True)
class Role:
    """What a child is for. `name` stands in logs and names its pid file; `kind` is its label in metrics."""

    name: str
    kind: str
    command: tuple[str, ...]
    fds: tuple[int, ...] = ()
    stop_limit_s: float = 5.0
    answers: Callable[[], bool] | None = None
    """Asked, in a thread, until it is ready. None: the child gets `--lifeline-fd` and tells by itself."""


def backoff_s(deaths: int) -> float:
    """Seconds before the next try after so many deaths in a row: at once, then 0.1 s, doubling to 5 s."""
    return 0.0 if deaths <= 1 else min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2 ** min(deaths - 2, 10))


class Child:
    """Keeps one role filled until it is stopped. `give_up` is told the exit status if that cannot succeed."""

    def __init__(
        self, role: Role, environ: Mapping[str, str], pid_dir: Path, metrics_dir: Path, give_up: Callable[[int], None]
    ) -> None:
        self.role = role
        self.ready = asyncio.Event()  # was ready at least once
        self._environ = environ
        self._pid_file = pid_dir / role.name
        self._metrics_dir = metrics_dir
        self._give_up = give_up
        self._stopping = asyncio.Event()
        self._killed = False
        self._process: Process | None = None
        self._ready_at_s: float | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Of the process that fills the role now."""
        return self._process.pid if self._process and self._process.returncode is None else None

    def start(self) -> None:
        """Begin to keep the role filled."""
        self._task = asyncio.create_task(self._keep_or_give_up(), name=f"keep {self.role.name}")

    async def stop(self) -> bool:
        """End it: SIGTERM, then SIGKILL after the role's limit. Whether it went by itself."""
        self._stopping.set()
        self._signal(signal.SIGTERM)
        if self._task is None:
            return True
        await asyncio.wait({self._task}, timeout=self.role.stop_limit_s)
        if not self._task.done():
            log.warning("process_killed", child=self.role.name, pid=self.pid, limit_s=self.role.stop_limit_s)
            self.kill()
        await self._task
        return not self._killed

    def kill(self) -> None:
        """SIGKILL, now; it does not come back."""
        self._killed = True
        self._stopping.set()
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def _keep_or_give_up(self) -> None:
        """A fault of our own must not leave a child that nobody watches."""
        try:
            await self._keep()
        except Exception:
            log.exception("supervisor_error", child=self.role.name)
            self.kill()
            self._give_up(EX_SOFTWARE)

    async def _keep(self) -> None:
        deaths = 0
        while not self._stopping.is_set():
            status = await self._live_once()
            if self._stopping.is_set():
                return
            if self._ready_at_s is not None and time.monotonic() - self._ready_at_s >= HEALTHY_S:
                deaths = 0
            deaths += 1
            hopeless = not self.ready.is_set() and (status == EX_CONFIG or deaths >= START_DEATHS_MAX)
            self._report(status, "everything is stopped" if hopeless else f"again in {backoff_s(deaths):g} s")
            if hopeless:
                self._give_up(status)
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), backoff_s(deaths))

    async def _live_once(self) -> int:
        """From start to death; the exit status, negative for a signal."""
        self._process = self._ready_at_s = None
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with ours:
            with theirs:
                try:
                    self._process = await self._spawn(theirs.fileno())
                except OSError as error:
                    log.error("process_not_started", child=self.role.name, error=str(error))
                    return EX_OSERR
            try:
                record(self._pid_file, self._process.pid)
            except OSError as error:
                log.warning("pid_file_not_written", child=self.role.name, error=str(error))
            if self._stopping.is_set():  # while it was being started
                self._signal(signal.SIGKILL if self._killed else signal.SIGTERM)
            waiting = asyncio.create_task(self._wait_until_ready(ours))
            status = await self._process.wait()
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        self._pid_file.unlink(missing_ok=True)
        return status

    async def _spawn(self, lifeline: int) -> Process:
        """In a session of its own: Ctrl-C in a terminal reaches the parent alone, which then stops in order."""
        command, fds = self.role.command, self.role.fds
        output: int | None = DEVNULL  # what may outlive us must not hold on to the pipe that somebody reads us by
        if self.role.answers is None:
            command, fds = (*command, "--lifeline-fd", str(lifeline)), (*fds, lifeline)
            output = None
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=fds,
            start_new_session=True,
            env=self._environ,
        )

    async def _wait_until_ready(self, lifeline: socket.socket) -> None:
        if self.role.answers is None:
            try:
                told = await asyncio.get_running_loop().sock_recv(lifeline, 1)
            except OSError:
                return
            if not told:
                return
        else:
            while not await asyncio.to_thread(self.role.answers):  # noqa: ASYNC110 - nobody to set an event
                await asyncio.sleep(READY_POLL_S)
        self._ready_at_s = time.monotonic()
        self.ready.set()

    def _report(self, status: int, what_next: str) -> None:
        pid = self._process.pid if self._process else None
        how = {"exit_code": status} if status >= 0 else {"signal": _name_of(-status)}
        log.warning("process_exited", child=self.role.name, pid=pid, next=what_next, **how)
        count_death(self.role.kind, pid, self._metrics_dir)


def _name_of(number: int) -> str:
    """A signal's name, or its number: real-time signals have none."""
    return signal.Signals(number).name if number in set(signal.Signals) else str(number)
