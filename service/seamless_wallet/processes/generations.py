"""SIGHUP for a process that has no parent: the parts are made again from new settings, beside those that work.

The next generation gets ready first, and then takes over from the one before. So no call is refused, and nothing is
lost if the settings are wrong. They share the listening socket.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from seamless_wallet.observability import logs
from seamless_wallet.observability.process_counters import ProcessCounters
from seamless_wallet.processes.lifetime import Generation, Lifetime
from seamless_wallet.processes.provider_accounts import load_checked_settings
from seamless_wallet.settings import Settings
from seamless_wallet.settings.changes import without_restart
from seamless_wallet.settings.loading import load_in_time
from seamless_wallet.supervisor.reload_outcome import NEVER_READY, report_refused, report_reloaded

READY_LIMIT_S: Final = 30.0
"""How long a generation that replaces another one may take to get ready."""

Main = Callable[[Settings, Generation, ProcessCounters], Awaitable[None]]
"""Builds the parts of a process from settings, and runs them until the generation ends."""

log = structlog.get_logger()


class Generations:
    """Runs `main`, one generation after the other, until the process has to end."""

    def __init__(self, lifetime: Lifetime, main: Main, counters: ProcessCounters, *, needs_only_turn: bool) -> None:
        """`counters` are those of this process.

        `needs_only_turn`: the next generation cannot be ready before the one before has ended.
        """
        self._lifetime = lifetime
        self._main = main
        self._counters = counters
        self._needs_only_turn = needs_only_turn

    async def run(self, settings: Settings, *, standby: bool) -> None:
        """Run until SIGTERM or SIGINT, the end of the parent, or the end of a generation. Raises what `main` raises.

        `standby`: another process works until the parent says so.
        """
        lifetime = self._lifetime
        if not standby:
            lifetime.take_over.set()
        generation, task = self._begin(settings, lifetime.take_over)
        stop = asyncio.create_task(lifetime.stop.wait())
        announce = asyncio.create_task(self._announce(generation))
        try:
            while await self._is_hang_up(task, stop):
                lifetime.manager.reloading()
                settings, generation, task = await self._reload(settings, generation, task, stop)
                lifetime.manager.ready("ready")
            lifetime.manager.stopping()
            generation.end(last=True)
            await task
        finally:
            for waiting in (task, stop, announce):
                waiting.cancel()

    def _begin(self, settings: Settings, take_over: asyncio.Event) -> tuple[Generation, asyncio.Task[None]]:
        generation = Generation(self._lifetime, take_over)

        async def run() -> None:
            await self._main(settings, generation, self._counters)

        return generation, asyncio.create_task(run())

    async def _announce(self, generation: Generation) -> None:
        await generation.turns.wait()
        self._lifetime.manager.ready("not ready yet")
        await generation.ready.wait()
        self._lifetime.manager.status("ready")

    async def _is_hang_up(self, task: asyncio.Task[None], stop: asyncio.Task[bool]) -> bool:
        """Wait for SIGHUP. False if the process has to end."""
        hang_up = asyncio.create_task(self._lifetime.hang_up.wait())
        await asyncio.wait({task, stop, hang_up}, return_when=asyncio.FIRST_COMPLETED)
        hang_up.cancel()
        self._lifetime.hang_up.clear()
        return not task.done() and not stop.done()

    async def _reload(
        self, settings: Settings, generation: Generation, task: asyncio.Task[None], stop: asyncio.Task[bool]
    ) -> tuple[Settings, Generation, asyncio.Task[None]]:
        """What is in force afterwards. Whatever is wrong with the new settings is one line in the log."""
        try:
            read = await load_in_time(load_checked_settings)
            wanted = without_restart(settings, read)
        except Exception as error:  # noqa: BLE001 - logged; nothing that goes wrong with new settings stops what runs
            report_refused(error)
            return settings, generation, task
        logs.configure_logging(wanted.log_level)
        successor, next_task = self._begin(wanted, asyncio.Event())
        if not await self._is_fit(successor, next_task, generation, stop):
            next_task.cancel()
            (outcome,) = await asyncio.gather(next_task, return_exceptions=True)
            logs.configure_logging(settings.log_level)
            if not stop.done():
                report_refused(outcome if isinstance(outcome, Exception) else NEVER_READY)
            return settings, generation, task
        successor.take_over.set()
        generation.end(last=False)
        await task
        report_reloaded(settings, read, wanted)
        return wanted, successor, next_task

    async def _is_fit(
        self, successor: Generation, task: asyncio.Task[None], before: Generation, stop: asyncio.Task[bool]
    ) -> bool:
        """Whether the next generation can take over, when that is known."""
        only_turn = self._needs_only_turn or not before.ready.is_set()
        awaited = successor.turns if only_turn else successor.ready
        fit = asyncio.create_task(awaited.wait())
        await asyncio.wait({fit, task, stop}, timeout=READY_LIMIT_S, return_when=asyncio.FIRST_COMPLETED)
        fit.cancel()
        return awaited.is_set() and not task.done() and not stop.done()
