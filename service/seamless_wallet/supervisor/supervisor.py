"""The parent of `wallet up`: holds the data directory and the listening sockets, and keeps all children running.

    status = await Supervisor(settings, on_ready).run()

The parent does no work of its own, so that nothing in it can fail but the starting and stopping of children.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from seamless_wallet.errors import SettingsError
from seamless_wallet.exit_status import EXIT_FAILURE
from seamless_wallet.http_server.listener import bind_listener, check_plain_http, url_of
from seamless_wallet.observability.process_health import ProcessHealth
from seamless_wallet.settings import Settings, load_settings
from seamless_wallet.settings.sources import PREFIX
from seamless_wallet.supervisor.child import Child, Role
from seamless_wallet.supervisor.data_directory import held, prepared, run_directory
from seamless_wallet.supervisor.embedded_valkey import ValkeyError
from seamless_wallet.supervisor.family import Family
from seamless_wallet.supervisor.parent_socket import HEARTBEAT_S
from seamless_wallet.supervisor.passed_sockets import PassedSockets
from seamless_wallet.supervisor.reload import reload
from seamless_wallet.supervisor.roles import default_roles
from seamless_wallet.supervisor.service_manager import OWN_VARIABLES, ServiceManager
from seamless_wallet.supervisor.terminal import deliver_hang_up, has_terminal

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence

SLOW_START_S: Final = 20.0
"""A start that takes longer is reported."""

log = structlog.get_logger()


@dataclass(frozen=True)
class ServiceUrls:
    """Where the service is reached, with the ports that it really has."""

    webhook: str
    admin: str


class Supervisor:
    """One run of `wallet up`.

    `on_ready` is called once, when every child is ready. `prepare` is called when the ports and the data directory are
    held, before any child starts: what it makes is only made if the service can start. It returns the settings of the
    children, who read none themselves. On SIGHUP, `load` reads and checks the settings again, and `on_reload` gets
    those that are in force then. `environ` is the environment of the children, without the variables of settings.
    `roles` gives the children for the settings and the file descriptors of both listening sockets. `in_terminal`:
    whether the process was started in a terminal, if the caller has looked before.
    """

    def __init__(
        self,
        settings: Settings,
        on_ready: Callable[[ServiceUrls], None] = lambda _: None,
        *,
        prepare: Callable[[Settings], Settings] = lambda settings: settings,
        load: Callable[[], Settings] = load_settings,
        on_reload: Callable[[Settings], None] = lambda _: None,
        environ: Mapping[str, str] = os.environ,
        roles: Callable[[Settings, int, int], Sequence[Role]] = default_roles,
        in_terminal: bool | None = None,
    ) -> None:
        self._settings = settings
        self._on_ready = on_ready
        self._prepare = prepare
        self._load = load
        self._on_reload = on_reload
        self._environ = environ
        self._roles = roles
        self._manager = ServiceManager(environ)
        self._has_terminal = has_terminal() if in_terminal is None else in_terminal
        self._family = Family()
        self._stop = asyncio.Event()
        self._reload = asyncio.Event()
        self._status = 0

    async def run(self) -> int:
        """Run until SIGTERM, SIGINT or the failure of a child to start. Returns the exit status, 0 after a clean stop.

        SIGHUP reloads the settings. A second signal to stop kills every child at once. Raises SettingsError before any
        child is started.
        """
        with ExitStack() as stack:
            webhook, admin = self._listen(stack)
            stack.enter_context(held(self._settings))
            self._settings = self._prepare(self._settings)
            stack.enter_context(prepared(self._settings))
            for role in self._roles_of(self._settings, webhook, admin):
                self._family.add(self._child(role))
            stack.enter_context(self._signals())
            health = ProcessHealth("supervisor", run_directory(self._settings), self._family.states)
            async with health.served():
                await self._run(webhook, admin)
        return self._status

    async def _run(self, webhook: socket.socket, admin: socket.socket) -> None:
        """Keep the children running until told to stop, and stop them, whatever happens. Raises what is a bug."""
        tasks = [
            self._task(self._family.start()),
            self._task(self._announce(self._urls(webhook, admin))),
            self._task(self._watch()),
            self._task(self._reload_for_ever(webhook, admin)),
        ]
        try:
            await self._stop.wait()
        finally:
            self._manager.stopping()
            for task in tasks:
                task.cancel()
            webhook.close()  # the workers close theirs: from here on no connection is accepted
            admin.close()
            if not await self._family.stop():
                self._status = self._status or EXIT_FAILURE
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome

    def _task(self, job: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """A part of the parent's own work. If it fails, the service stops: what nobody watches must not run on."""
        task = asyncio.create_task(job)
        task.add_done_callback(self._stop_if_failed)
        return task

    def _stop_if_failed(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self._stop.set()

    def _listen(self, stack: ExitStack) -> tuple[socket.socket, socket.socket]:
        """Take both ports from the service manager, or bind them. The sockets close with the stack."""
        settings, passed = self._settings, PassedSockets(self._environ)
        ports = [
            (settings.webhook_host, settings.webhook_port, "WALLET_WEBHOOK"),
            (settings.admin_host, settings.admin_port, "WALLET_ADMIN"),
        ]
        webhook, admin = (
            stack.enter_context(closing(passed.take(port) or bind_listener(host, port, setting)))
            for host, port, setting in ports
        )
        passed.check_all_taken("WALLET_WEBHOOK_PORT, WALLET_ADMIN_PORT")
        if not settings.may_be_plain:
            for listener, (_, _, setting) in zip((webhook, admin), ports, strict=True):
                check_plain_http(listener, setting)
        return webhook, admin

    def _roles_of(self, settings: Settings, webhook: socket.socket, admin: socket.socket) -> Sequence[Role]:
        """The children for these settings. Raises SettingsError."""
        try:
            return self._roles(settings, webhook.fileno(), admin.fileno())
        except ValkeyError as error:
            raise SettingsError(f"WALLET_REDIS_URL: {error}") from None

    def _child(self, role: Role, *, on_trial: bool = False) -> Child:
        inherited = {
            name: value
            for name, value in self._environ.items()
            if not name.startswith(PREFIX) and name not in OWN_VARIABLES
        }
        environ = {**dict(role.environ), **inherited}
        changed = self._family.changed.set
        return Child(role, environ, self._settings.pid_dir, self._on_child_failure, changed, on_trial=on_trial)

    def _urls(self, webhook: socket.socket, admin: socket.socket) -> ServiceUrls:
        scheme = self._settings.scheme
        return ServiceUrls(url_of(webhook, scheme), url_of(admin, scheme))

    async def _announce(self, urls: ServiceUrls) -> None:
        """Say once that all children are ready. The service manager is told already when all of them run."""
        slow = asyncio.get_running_loop().call_later(SLOW_START_S, _report_slow, self._family)
        told = False
        try:
            while not self._family.is_ready:
                self._family.tell_admin()
                if self._family.turns and not told:
                    self._manager.ready(self._family.status)
                    told = True
                await self._family.wait_for_change()
        finally:
            slow.cancel()
        self._family.tell_admin()
        self._manager.ready(self._family.status)
        self._on_ready(urls)
        while True:
            await self._family.wait_for_change()
            self._family.tell_admin()
            self._manager.status(self._family.status)

    async def _watch(self) -> None:
        """Notice children that fall silent, tell the admin process about all of them, and the service manager of us."""
        interval_s = min(HEARTBEAT_S, self._manager.watchdog_s or HEARTBEAT_S)
        loop = asyncio.get_running_loop()
        beat_at_s = loop.time()
        while True:
            self._manager.alive()
            if loop.time() >= beat_at_s:
                beat_at_s = loop.time() + HEARTBEAT_S
                self._family.beat()
            await asyncio.sleep(interval_s)

    async def _reload_for_ever(self, webhook: socket.socket, admin: socket.socket) -> None:
        while True:
            await self._reload.wait()
            self._reload.clear()
            self._manager.reloading()
            try:
                self._settings = await reload(
                    self._settings,
                    self._family,
                    load=self._load,
                    roles=lambda settings: self._roles_of(settings, webhook, admin),
                    make_child=self._child,
                )
                self._on_reload(self._settings)
            except Exception:
                log.exception("supervisor_error", remedy="report it, and restart the service when it suits")
            self._manager.ready(self._family.status)

    def _on_child_failure(self, status: int) -> None:
        self._status = status or EXIT_FAILURE
        self._stop.set()

    @contextmanager
    def _signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        handlers = {signal.SIGTERM: self._on_stop, signal.SIGINT: self._on_stop, signal.SIGHUP: self._on_hang_up}
        for number, handler in handlers.items():
            loop.add_signal_handler(number, handler, number)
        deliver_hang_up()
        try:
            yield
        finally:
            for number in handlers:
                loop.remove_signal_handler(number)

    def _on_stop(self, number: signal.Signals) -> None:
        if self._stop.is_set():
            self._family.kill()
        log.info("stopping", signal=number.name)
        self._stop.set()

    def _on_hang_up(self, number: signal.Signals) -> None:
        """SIGHUP: reload. If it came because our terminal was closed, there is nobody to serve any more: stop."""
        if self._has_terminal and not has_terminal():
            if not self._stop.is_set():
                self._on_stop(number)
        else:
            self._reload.set()


def _report_slow(family: Family) -> None:
    late = [child.role.name for child in family if not child.is_ready]
    log.warning("slow_start", children=late, waited_s=SLOW_START_S)
