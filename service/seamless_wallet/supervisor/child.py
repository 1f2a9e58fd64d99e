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

from seamless_wallet.exit_status import EXIT_CONFIG, EXIT_NOT_STARTED, EXIT_SOFTWARE
from seamless_wallet.observability import metrics
from seamless_wallet.supervisor.pid_files import write_pid_file

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Callable, Mapping
    from pathlib import Path

BACKOFF_FIRST_S: Final = 0.1
BACKOFF_MAX_S: Final = 5.0
HEALTHY_S: Final = 10.0
"""Once a child has been ready for this long, its earlier exits no longer count."""
EXITS_BEFORE_READY_MAX: Final = 5
"""A child that exits so many times before it was ever ready is not started again."""
READY_POLL_S: Final = 0.02

log = structlog.get_logger()


@dataclass(frozen=True)
class Role:
    """What a child is for. `name` stands in logs and names its pid file. `kind` is its label in metrics."""

    name: str
    kind: str
    command: tuple[str, ...]
    fds: tuple[int, ...] = ()
    """File descriptors that the child inherits."""
    stop_limit_s: float = 5.0
    ready_check: Callable[[], bool] | None = None
    """Called in a thread until it is true. None: the child gets `--parent-fd` and says itself when it is ready."""


def backoff_s(exits: int) -> float:
    """Seconds before the next start after so many exits in a row: 0 at first, then 0.1 s, doubling to 5 s."""
    return 0.0 if exits <= 1 else min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2 ** min(exits - 2, 10))


class Child:
    """Keeps one role filled until it is stopped. Calls `on_failure` with an exit status if that cannot succeed."""

    def __init__(
        self,
        role: Role,
        environ: Mapping[str, str],
        pid_dir: Path,
        on_failure: Callable[[int], None],
    ) -> None:
        self.role = role
        self.ready = asyncio.Event()  # was ready at least once
        self._environ = environ
        self._pid_file = pid_dir / role.name
        self._on_failure = on_failure
        self._exits = metrics.PROCESS_EXITS.labels(role.kind)
        self._stopping = asyncio.Event()
        self._killed = False
        self._process: Process | None = None
        self._ready_at_s: float | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def is_ready(self) -> bool:
        """Whether the process that fills the role now is ready."""
        return self._ready_at_s is not None and self.pid is not None

    @property
    def pid(self) -> int | None:
        """Of the process that fills the role now."""
        return self._process.pid if self._process and self._process.returncode is None else None

    def start(self) -> None:
        """Begin to keep the role filled."""
        self._task = asyncio.create_task(self._watch(), name=f"watch {self.role.name}")

    async def stop(self) -> bool:
        """End it: SIGTERM, then SIGKILL after the role's limit. False if it had to be killed."""
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
        """Send SIGKILL now. The child is not started again."""
        self._killed = True
        self._stopping.set()
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def _watch(self) -> None:
        """Start and restart. A bug in here must not leave a child that is not watched."""
        try:
            await self._restart_until_stopped()
        except Exception:
            log.exception("supervisor_error", child=self.role.name)
            self.kill()
            self._on_failure(EXIT_SOFTWARE)

    async def _restart_until_stopped(self) -> None:
        exits = 0
        while not self._stopping.is_set():
            status = await self._run_once()
            if self._stopping.is_set():
                return
            if self._ready_at_s is not None and time.monotonic() - self._ready_at_s >= HEALTHY_S:
                exits = 0
            exits += 1
            failed = not self.ready.is_set() and (status == EXIT_CONFIG or exits >= EXITS_BEFORE_READY_MAX)
            self._report(status, "stop everything" if failed else f"restart in {backoff_s(exits):g} s")
            if failed:
                self._on_failure(status)
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), backoff_s(exits))

    async def _run_once(self) -> int:
        """Run one process from start to exit. Returns its exit status, negative for a signal."""
        self._process = self._ready_at_s = None
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with ours:
            with theirs:
                try:
                    self._process = await self._spawn(theirs.fileno())
                except OSError as error:
                    log.error("process_not_started", child=self.role.name, error=str(error))
                    return EXIT_NOT_STARTED
            try:
                write_pid_file(self._pid_file, self._process.pid)
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

    async def _spawn(self, parent_fd: int) -> Process:
        """Start the process, in a session of its own: Ctrl-C in a terminal reaches the parent only, which stops all."""
        command, fds = self.role.command, self.role.fds
        output: int | None = DEVNULL  # a child that may outlive the parent must not keep the parent's output open
        if self.role.ready_check is None:
            command, fds = (*command, "--parent-fd", str(parent_fd)), (*fds, parent_fd)
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

    async def _wait_until_ready(self, child_socket: socket.socket) -> None:
        if self.role.ready_check is None:
            try:
                told = await asyncio.get_running_loop().sock_recv(child_socket, 1)
            except OSError:
                return
            if not told:
                return
        else:
            while not await asyncio.to_thread(self.role.ready_check):  # noqa: ASYNC110 - a server that sets no event
                await asyncio.sleep(READY_POLL_S)
        self._ready_at_s = time.monotonic()
        self.ready.set()

    def _report(self, status: int, what_next: str) -> None:
        pid = self._process.pid if self._process else None
        how = {"exit_code": status} if status >= 0 else {"signal": _signal_name(-status)}
        log.warning("process_exited", child=self.role.name, pid=pid, next=what_next, **how)
        self._exits.inc()


def _signal_name(number: int) -> str:
    """A signal's name, or its number: real-time signals have no name."""
    return signal.Signals(number).name if number in set(signal.Signals) else str(number)
