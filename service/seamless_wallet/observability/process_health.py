"""What a process tells about itself, to whoever asks at its socket in the run directory, or at a TCP port.

    health = ProcessHealth("worker", directory, states)
    async with health.served(listener):
        ...

`/livez` answers as long as the event loop turns. `/readyz` is 200 if the process does its work, else 503. `/metrics`
has this process's counters for Prometheus, `/counters` for the admin process, which adds up those of all processes.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import Final, NamedTuple

import orjson

from seamless_wallet.errors import WalletError
from seamless_wallet.observability import run_directory
from seamless_wallet.observability.exposition import CONTENT_TYPE
from seamless_wallet.observability.health_server import HealthAnswer, HealthServer
from seamless_wallet.observability.process_counters import ProcessCounters
from seamless_wallet.observability.structlog_import import structlog

BIND_AGAIN_S: Final = 5.0
JSON: Final = "application/json"
OK: Final = "ok"

ComponentStates = Callable[[], Mapping[str, str]]
"""The state of each component now: its name → `ok`, or why it is not ok. No secrets: anybody may read it."""

log = structlog.get_logger(__name__)


class RunDirectory(NamedTuple):
    """The run directory, and how to make it, and to remove it if it is empty. Both may raise OSError or WalletError."""

    path: Path
    make: Callable[[], object]
    remove: Callable[[], object]


class ProcessHealth:
    """Health and counters of this process, served. `states` decides whether it is ready."""

    def __init__(self, role: str, directory: RunDirectory, states: ComponentStates) -> None:
        self.counters: Final = ProcessCounters(role)
        self._directory = directory
        self._states = states
        self._path: Path | None = None  # of the socket in the run directory
        self._server = HealthServer(
            {
                "/livez": self._live,
                "/readyz": self._ready,
                "/metrics": self._metrics,
                "/counters": self._counters,
            }
        )

    @asynccontextmanager
    async def served(self, listener: socket.socket | None = None) -> AsyncIterator[None]:
        """Serve within the context, on a socket in the run directory, and on `listener`.

        A socket that cannot be had, as on a full disk, is tried again and again: the process works without it.
        """
        if listener is not None:
            await self._server.listen(listener)
        error = await self._bind()
        tasks = [
            asyncio.create_task(self.counters.measure_lag_for_ever()),
            asyncio.create_task(self._bind_again_until_bound(error)),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self._path is not None:
                self._say_farewell()
            self._server.close()
            if self._path is not None:
                with suppress(OSError, WalletError):
                    self._path.unlink()
                    self._directory.remove()

    async def _bind_again_until_bound(self, error: str) -> None:
        if error:
            log.warning(
                "health_socket_unavailable",
                error=error,
                remedy="Make room on the disk, and see that this user may write there.",
            )
        while error:
            await asyncio.sleep(BIND_AGAIN_S)
            error = await self._bind()

    async def _bind(self) -> str:
        """Serve in the run directory. Returns why that is not possible now, or nothing."""
        try:
            listener, self._path = self._bound_socket()
        except (OSError, WalletError) as error:
            return str(error)
        try:
            await self._server.listen(listener)
        except BaseException:
            listener.close()
            raise
        return ""

    def _bound_socket(self) -> tuple[socket.socket, Path]:
        try:
            self._directory.make()
            return run_directory.bind_socket(self._directory.path, self.counters.role)
        except FileNotFoundError:  # another process has removed the empty directory meanwhile
            self._directory.make()
            return run_directory.bind_socket(self._directory.path, self.counters.role)

    def _say_farewell(self) -> None:
        """Leave what was counted for an admin process, if another one than this is there to take it."""
        last = self.counters.snapshot_now()
        with suppress(OSError):
            files = run_directory.sockets(self._directory.path)
            if any(file.role == "admin" and file.pid != last.pid for file in files):
                run_directory.write_file(self._directory.path / f"{last.role}-{last.pid}.json", last.to_json())

    async def _live(self) -> HealthAnswer:
        return HealthAnswer(HTTPStatus.OK, JSON, orjson.dumps({"status": OK}))

    async def _ready(self) -> HealthAnswer:
        states = dict(self._states())
        ready = all(state == OK for state in states.values())
        status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
        return HealthAnswer(status, JSON, orjson.dumps({"status": OK if ready else "not ready", "components": states}))

    async def _metrics(self) -> HealthAnswer:
        return HealthAnswer(HTTPStatus.OK, CONTENT_TYPE, await self.counters.exposition())

    async def _counters(self) -> HealthAnswer:
        return HealthAnswer(HTTPStatus.OK, JSON, (await self.counters.snapshot()).to_json())
