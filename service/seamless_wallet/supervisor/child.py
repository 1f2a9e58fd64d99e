"""One child: started, watched, restarted with back-off, stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from asyncio.subprocess import DEVNULL
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from seamless_wallet.exit_status import EXIT_CONFIG, EXIT_NOT_STARTED, EXIT_SOFTWARE, EXIT_TEMPFAIL
from seamless_wallet.observability import metrics
from seamless_wallet.settings.handover import settings_file
from seamless_wallet.supervisor.parent_socket import BEAT_BYTES_MAX, HEARTBEAT_S, READY, TAKE_OVER, socket_pair
from seamless_wallet.supervisor.pid_files import remove_pid_file, write_pid_file

if TYPE_CHECKING:
    import socket
    from asyncio.subprocess import Process
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from seamless_wallet.settings import Settings

BACKOFF_FIRST_S: Final = 0.1
BACKOFF_MAX_S: Final = 5.0
HEALTHY_S: Final = 10.0
"""Once a child has been ready for this long, its earlier exits no longer count."""
EXITS_BEFORE_READY_MAX: Final = 5
"""A child that exits so many times before it was ever ready is not started again."""
READY_POLL_S: Final = 0.02

SILENT_BEATS: Final = 6
"""A child that sent nothing for so many heartbeats does not respond."""
KILLED_BEATS: Final = 60
"""A child that sent nothing for so many heartbeats is killed, and started again."""

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
    """Called in a thread, again and again: whether it responds. None: the child gets `--parent-fd`, and says so."""
    settings: Settings | None = None
    """What the child gets by `--settings-fd`, whenever it starts."""
    trial: tuple[str, ...] = ("--standby",)
    """What its command line has more while another process fills the role."""
    environ: tuple[tuple[str, str], ...] = ()
    """Variables of the child, unless they are set for this process already."""


def backoff_s(exits: int) -> float:
    """Seconds before the next start after so many exits in a row: 0 at first, then 0.1 s, doubling to 5 s."""
    return 0.0 if exits <= 1 else min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2 ** min(exits - 2, 10))


class Child:
    """Keeps one role filled until it is stopped. Calls `on_failure` with an exit status if that cannot succeed.

    `on_change` is called whenever it becomes ready, or is not any more. A child that is made `on_trial` is not started
    again until `keep` is called: `failed` is set if it ends before.
    """

    def __init__(
        self,
        role: Role,
        environ: Mapping[str, str],
        pid_dir: Path,
        on_failure: Callable[[int], None],
        on_change: Callable[[], None],
        *,
        on_trial: bool = False,
    ) -> None:
        self.role = role
        self.ready = asyncio.Event()  # was ready at least once
        self.failed = asyncio.Event()
        self._on_trial = on_trial
        self._environ = environ
        self._pid_file = pid_dir / (f"next-{role.name}" if on_trial else role.name)
        self._on_failure = on_failure
        self._on_change = on_change
        self._exits = metrics.PROCESS_EXITS.labels(role.kind)
        self._stopping = asyncio.Event()
        self._killed = False
        self._process: Process | None = None
        self._ready_at_s: float | None = None
        self._socket: socket.socket | None = None  # to the process, while it runs
        self._last_beat, self.connections = b"", 0  # both of the process, by what it told last
        self._silent_beats = 0
        self._task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Of the process that fills the role now."""
        return self._process.pid if self._process and self._process.returncode is None else None

    @property
    def turns(self) -> bool:
        """Whether its process has sent a heartbeat, and did not fall silent since."""
        return self._last_beat != b"" and self._silent_beats < SILENT_BEATS

    @property
    def is_ready(self) -> bool:
        """Whether it is ready now, by its last heartbeat."""
        return self.turns and self._last_beat == READY

    @property
    def state(self) -> str:
        """`ok` if it is ready, or why it is not."""
        if self.pid is None:
            return "is not running"
        if not self._last_beat:
            return "is starting"
        if not self.turns:
            return f"has not responded for {self._silent_beats * HEARTBEAT_S:g} s"
        return "ok" if self.is_ready else "is not ready"

    def start(self) -> None:
        """Begin to keep the role filled."""
        self._task = asyncio.create_task(self._watch(), name=f"watch {self.role.name}")

    def keep(self) -> None:
        """The trial is over: have it take over, and from now on start it again if it ends."""
        self._on_trial = False
        self.send(TAKE_OVER)
        draft, self._pid_file = self._pid_file, self._pid_file.with_name(self.role.name)
        with suppress(OSError):  # the file is for the next parent, and nothing depends on it
            draft.replace(self._pid_file)

    def count_silence(self) -> None:
        """Call it every HEARTBEAT_S. Counting calls, not time: a machine that was paused is no reason to kill.

        A process that has been silent for too long is killed. That leads to its restart.
        """
        if not self._last_beat or self.pid is None:
            return
        self._silent_beats += 1
        if self._silent_beats in {SILENT_BEATS, KILLED_BEATS}:
            what_next = "kill and restart it" if self._silent_beats == KILLED_BEATS else "wait"
            silent_s = self._silent_beats * HEARTBEAT_S
            log.warning("process_silent", child=self.role.name, pid=self.pid, silent_s=silent_s, next=what_next)
            self._on_change()
        if self._silent_beats == KILLED_BEATS:
            self._signal(signal.SIGKILL)

    def send(self, message: bytes) -> None:
        """Send the process a message, if it is there and reads. Never blocks."""
        if self._socket is not None:
            with suppress(OSError):
                self._socket.send(message)

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
            too_often = exits >= EXITS_BEFORE_READY_MAX and status != EXIT_TEMPFAIL
            failed = not self.ready.is_set() and (status == EXIT_CONFIG or too_often)
            if self._on_trial:
                self._report(status, "keep the one that it should replace")
                self.failed.set()
                self._on_change()
                return
            self._report(status, "stop everything" if failed else f"restart in {backoff_s(exits):g} s")
            if failed:
                self._on_failure(status)
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), backoff_s(exits))

    async def _run_once(self) -> int:
        """Run one process from start to exit. Returns its exit status, negative for a signal."""
        self._process = self._ready_at_s = None
        ours, theirs = socket_pair()
        with ours:
            with theirs:
                try:
                    self._process = await self._spawn(theirs.fileno())
                except OSError as error:
                    log.error("process_not_started", child=self.role.name, error=str(error))
                    return EXIT_NOT_STARTED
            self._socket = ours
            try:
                write_pid_file(self._pid_file, self._process.pid)
            except OSError as error:
                log.warning("pid_file_not_written", child=self.role.name, error=str(error))
            if self._stopping.is_set():  # while it was being started
                self._signal(signal.SIGKILL if self._killed else signal.SIGTERM)
            listening = asyncio.create_task(self._listen(ours))
            status = await self._process.wait()
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            self._socket = None
        self._note(b"")
        remove_pid_file(self._pid_file, self._process.pid)
        return status

    async def _spawn(self, parent_fd: int) -> Process:
        """Start the process, in a session of its own: Ctrl-C in a terminal reaches the parent only, which stops all."""
        role = self.role
        command, fds = (*role.command, *(role.trial if self._on_trial else ())), role.fds
        output: int | None = DEVNULL  # a child that may outlive the parent must not keep the parent's output open
        with ExitStack() as stack:
            if role.settings is not None:
                handle = settings_file(role.settings)
                stack.callback(os.close, handle)
                command, fds = (*command, "--settings-fd", str(handle)), (*fds, handle)
            if role.ready_check is None:
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

    async def _listen(self, child_socket: socket.socket) -> None:
        """Note what the process tells of itself, or ask it, as its role says."""
        if self.role.ready_check is not None:
            while True:
                if await asyncio.to_thread(self.role.ready_check):
                    self._note(READY)
                await asyncio.sleep(HEARTBEAT_S if self._last_beat else READY_POLL_S)
        loop = asyncio.get_running_loop()
        with suppress(OSError):
            while beat := await loop.sock_recv(child_socket, BEAT_BYTES_MAX):
                self._note(beat)

    def _note(self, beat: bytes) -> None:
        """A heartbeat, or b"" at the end of the process."""
        before = self.is_ready
        silent = not self.turns
        self._last_beat, self.connections, self._silent_beats = beat[:1], int(beat[1:] or 0), 0
        if self.is_ready and not before:
            self._ready_at_s = self._ready_at_s or time.monotonic()
            self.ready.set()
        if self.is_ready != before or silent:
            self._on_change()

    def _report(self, status: int, what_next: str) -> None:
        pid = self._process.pid if self._process else None
        how = {"exit_code": status} if status >= 0 else {"signal": _signal_name(-status)}
        log.warning("process_exited", child=self.role.name, pid=pid, next=what_next, **how)
        self._exits.inc()


def _signal_name(number: int) -> str:
    """A signal's name, or its number: real-time signals have no name."""
    return signal.Signals(number).name if number in set(signal.Signals) else str(number)
