"""The parent of `wallet up`: holds the data directory and the listening sockets, and keeps all children running.

    status = await Supervisor(settings, on_ready).run()

The parent does no work of its own, so that nothing in it can fail but the starting and stopping of children.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from seamless_wallet.errors import SettingsError
from seamless_wallet.exit_status import EXIT_FAILURE
from seamless_wallet.http_server.listener import bind_listener, url_of
from seamless_wallet.observability.process_health import OK, ProcessHealth
from seamless_wallet.observability.run_directory import remove_stale_files
from seamless_wallet.settings import admin_token
from seamless_wallet.settings.secret_files import create_data_dir
from seamless_wallet.supervisor.child import Child, Role
from seamless_wallet.supervisor.data_directory import locked, make_private_directory, run_directory
from seamless_wallet.supervisor.embedded_valkey import ValkeyError
from seamless_wallet.supervisor.pid_files import stop_stale_processes
from seamless_wallet.supervisor.roles import default_roles

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from seamless_wallet.settings import Settings

SLOW_START_S: Final = 20.0
"""A stage that takes longer to be ready is reported."""

log = structlog.get_logger()


@dataclass(frozen=True)
class ServiceUrls:
    """Where the service is reached, with the ports that it really has."""

    webhook: str
    admin: str


class Supervisor:
    """One run of `wallet up`.

    `on_ready` is called once, when every child is ready. `prepare` is called when the ports and the data directory are
    held, before any child starts: what it makes is only made if the service can start. `environ` is the environment of
    the children: pass the one that the settings were loaded from. `roles` gives the stages of children for the settings
    and the file descriptors of both listening sockets.
    """

    def __init__(
        self,
        settings: Settings,
        on_ready: Callable[[ServiceUrls], None] = lambda _: None,
        *,
        prepare: Callable[[], None] = lambda: None,
        environ: Mapping[str, str] = os.environ,
        roles: Callable[[Settings, int, int], list[Sequence[Role]]] = default_roles,
    ) -> None:
        self._settings = settings
        self._on_ready = on_ready
        self._prepare = prepare
        self._environ = environ
        self._roles = roles
        self._stages: list[list[Child]] = []
        self._stop = asyncio.Event()
        self._status = 0

    async def run(self) -> int:
        """Run until SIGTERM, SIGINT or the failure of a child to start. Returns the exit status, 0 after a clean stop.

        A second signal kills every child at once. Raises SettingsError before any child is started.
        """
        with ExitStack() as stack:
            webhook, admin = self._listen(stack)
            self._hold_data_directory(stack)
            try:
                stages = self._roles(self._settings, webhook.fileno(), admin.fileno())
            except ValkeyError as error:
                raise SettingsError(f"WALLET_REDIS_URL: {error}") from None
            self._stages = [[self._child(role) for role in stage] for stage in stages]
            stack.enter_context(self._signals())
            health = ProcessHealth("supervisor", run_directory(self._settings), self._states)
            async with health.served():
                starting = asyncio.create_task(self._start(ServiceUrls(url_of(webhook), url_of(admin))))
                starting.add_done_callback(self._stop_if_start_failed)
                await self._stop.wait()
                starting.cancel()
                webhook.close()  # the workers close theirs: from here on no connection is accepted
                admin.close()
                await self._stop_children()
                await asyncio.gather(starting, return_exceptions=True)
                if not starting.cancelled():
                    starting.result()
        return self._status

    def _states(self) -> dict[str, str]:
        """Of each child."""
        children = [child for stage in self._stages for child in stage]
        return {child.role.name: OK if child.is_ready else "not ready" for child in children}

    def _listen(self, stack: ExitStack) -> tuple[socket.socket, socket.socket]:
        """Bind both ports. The sockets close with the stack."""
        settings = self._settings
        webhook = bind_listener(settings.webhook_host, settings.webhook_port, "WALLET_WEBHOOK")
        stack.enter_context(closing(webhook))
        admin = bind_listener(settings.admin_host, settings.admin_port, "WALLET_ADMIN")
        stack.enter_context(closing(admin))
        return webhook, admin

    def _hold_data_directory(self, stack: ExitStack) -> None:
        """Lock the data directory until the stack ends, and make in it what the children need."""
        settings = self._settings
        create_data_dir(settings.data_dir)
        stack.enter_context(locked(settings.lock_path))
        self._prepare()
        settings.pid_dir.mkdir(mode=0o700, exist_ok=True)
        stop_stale_processes(settings.pid_dir)
        if settings.embedded_redis and settings.redis_socket_path.parent != settings.data_dir:
            make_private_directory(settings.redis_socket_path.parent, "for a socket, as its own path is too long")
        self._clear_run_directory()
        stack.callback(self._clear_run_directory)
        admin_token(settings)

    def _clear_run_directory(self) -> None:
        """Remove what killed processes have left there, and what was counted. Raises SettingsError."""
        directory = run_directory(self._settings)
        directory.make()
        remove_stale_files(directory.path)
        with suppress(OSError):
            directory.remove()

    def _child(self, role: Role) -> Child:
        return Child(role, self._environ, self._settings.pid_dir, self._on_child_failure)

    async def _start(self, urls: ServiceUrls) -> None:
        for stage in self._stages:
            for child in stage:
                child.start()
            slow = asyncio.get_running_loop().call_later(SLOW_START_S, _report_slow, stage)
            try:
                for child in stage:
                    await child.ready.wait()
            finally:
                slow.cancel()
        self._on_ready(urls)

    def _stop_if_start_failed(self, starting: asyncio.Task[None]) -> None:
        if not starting.cancelled() and starting.exception() is not None:
            self._stop.set()

    def _on_child_failure(self, status: int) -> None:
        self._status = status or EXIT_FAILURE
        self._stop.set()

    async def _stop_children(self) -> None:
        for stage in reversed(self._stages):
            if not all(await asyncio.gather(*(child.stop() for child in stage))):
                self._status = self._status or EXIT_FAILURE

    @contextmanager
    def _signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        numbers = (signal.SIGTERM, signal.SIGINT)
        for number in numbers:
            loop.add_signal_handler(number, self._on_signal, number)
        try:
            yield
        finally:
            for number in numbers:
                loop.remove_signal_handler(number)

    def _on_signal(self, number: signal.Signals) -> None:
        if self._stop.is_set():
            for child in (child for stage in self._stages for child in stage):
                child.kill()
        log.info("stopping", signal=number.name)
        self._stop.set()


def _report_slow(stage: Sequence[Child]) -> None:
    late = [child.role.name for child in stage if not child.ready.is_set()]
    log.warning("slow_start", children=late, waited_s=SLOW_START_S)
