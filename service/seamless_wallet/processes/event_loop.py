"""How every process of the service runs: its log, its event loop, its garbage collector, its exit status."""

from __future__ import annotations

import asyncio
import gc
import sys
from typing import Final

import uvloop

from seamless_wallet.errors import SettingsError, WalletError
from seamless_wallet.exit_status import EXIT_CONFIG, EXIT_TEMPFAIL
from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.observability import logs
from seamless_wallet.processes.generations import Generations, Main
from seamless_wallet.processes.health_service import served_health
from seamless_wallet.processes.lifetime import Lifetime
from seamless_wallet.settings import Settings

GC_THRESHOLD: Final = 20_000
"""Allocations between two collections. Requests leave no cycles, so Python's 700 would search in vain, and often."""


class Unstartable(WalletError):
    """This process cannot do its work as it is set up. One line that says what to change."""

    exit_status = EXIT_CONFIG


class Superseded(Unstartable):
    """Another process does the work of this one. One line that says which, and what to do if that is wrong."""

    exit_status = EXIT_TEMPFAIL


def run_process(
    name: str,
    settings: Settings,
    main: Main,
    parent_fd: int | None,
    *,
    standby: bool = False,
    needs_only_turn: bool = False,
) -> int:
    """Run `main` on uvloop to its end, and serve its health meanwhile. `name` stands in log and metrics.

    Returns the exit status.

    SIGHUP replaces what runs: see `generations`, also for `standby` and `needs_only_turn`. The status is 0, or that of
    the error after one line on standard error if `main` raises SettingsError, StoreError or Unstartable, alone or in a
    group: 75 if it may pass by itself, else 78. Whatever else `main` raises is a bug, and is raised.
    """
    logs.configure_logging(settings.log_level, name)

    async def run() -> None:
        _relieve_the_collector()
        lifetime = Lifetime(parent_fd)
        lifetime.begin()
        async with served_health(name, settings, lifetime) as counters:
            generations = Generations(lifetime, main, counters, needs_only_turn=needs_only_turn)
            await generations.run(settings, standby=standby)

    status = 0
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run())
    except* (SettingsError, StoreError, Unstartable) as group:
        error = first_error(group)
        sys.stderr.write(f"wallet: {error}\n")
        status = (isinstance(error, WalletError) and error.exit_status) or EXIT_CONFIG
    return status


def first_error(group: BaseException) -> BaseException:
    """The first error in a group of groups."""
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return group


def _relieve_the_collector() -> None:
    """Exempt what is loaded by now, as it stays, and collect the other objects less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)
