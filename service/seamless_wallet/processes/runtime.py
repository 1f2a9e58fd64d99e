"""What every process of the service has in common: its clock, its log, its ledger, its end."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import secrets
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

import structlog
import uvloop

from seamless_wallet.errors import WalletError
from seamless_wallet.observability import logs
from seamless_wallet.settings import Settings, SettingsError
from seamless_wallet.stores.errors import StoreError
from seamless_wallet.stores.sqlite import SqliteLedger
from seamless_wallet.supervisor.parent_socket import tell_ready, watch_lifeline

EXIT_CONFIG: Final = os.EX_CONFIG
"""Exit status of a process that must not be started again before somebody changes a setting."""


GC_THRESHOLD: Final = 20_000
"""Allocations between two collections. Requests leave no cycles, so the default of 700 looks for nothing, often."""


OPEN_FILES: Final = 65_536
"""What a process asks for, if the hard limit allows."""

SPARE_FILES: Final = 128
"""Of the open files, those that are not connections: database, Redis, log, and what a library may open."""


class SystemClock:
    """The machine's clocks."""

    def now_ms(self) -> int:
        """Epoch milliseconds."""
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()


class SystemRandomness:
    """The operating system's randomness."""

    def token(self, size: int) -> str:
        """`size` random bytes, in hexadecimal digits."""
        return secrets.token_hex(size)

    def below(self, bound: int) -> int:
        """A number from 0 to `bound` - 1."""
        return secrets.randbelow(bound)


def connections_max() -> int:
    """How many connections this process can hold, by the limit of open files, which it raises as far as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(soft, OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES))
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(1, wanted - SPARE_FILES)


def open_ledger(settings: Settings) -> SqliteLedger:
    """The ledger of these settings. Raises StoreError if there is none, or it contradicts them."""
    return SqliteLedger.open(settings.ledger_path, settings.shards, settings.currencies)


class Lifetime:
    """When this process is ready, and when it has to end: SIGTERM, SIGINT, or the end of its parent."""

    def __init__(self, lifeline_fd: int | None) -> None:
        self._lifeline_fd = lifeline_fd
        self._stop = asyncio.Event()

    def begin(self) -> None:
        """Listen to signals and to the parent. Within the running loop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        if self._lifeline_fd is not None:
            watch_lifeline(self._lifeline_fd)

    async def last(self, becoming_ready: Coroutine[Any, Any, object]) -> None:
        """Tell the parent once this process is ready, and wait for the end, which may come before.

        Raises what `becoming_ready` raises.
        """
        ready, ended = asyncio.create_task(becoming_ready), asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({ready, ended}, return_when=asyncio.FIRST_COMPLETED)
            if ready.done():
                ready.result()
                if self._lifeline_fd is not None:
                    tell_ready(self._lifeline_fd)
                await ended
        finally:
            ready.cancel()
            ended.cancel()
            await asyncio.gather(ready, ended, return_exceptions=True)


def run_process(
    name: str, settings: Settings, main: Callable[[Lifetime], Awaitable[None]], lifeline_fd: int | None
) -> int:
    """Run `main` on uvloop until its lifetime ends. Exit status 0, or 78 with one line for the operator."""
    logs.configure(settings.log_level)
    structlog.contextvars.bind_contextvars(process=name, pid=os.getpid())

    async def run() -> None:
        _spare_the_collector()
        lifetime = Lifetime(lifeline_fd)
        lifetime.begin()
        await main(lifetime)

    status = 0
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run())
    except* (SettingsError, StoreError, Unstartable) as group:
        sys.stderr.write(f"wallet: {first_of(group)}\n")
        status = EXIT_CONFIG
    return status


def _spare_the_collector() -> None:
    """What is loaded by now stays: never look at it again, and look at the rest less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)


def first_of(group: BaseException) -> BaseException:
    """The first error in a group of groups."""
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return group


class Unstartable(WalletError):
    """This process cannot do its work as it is set up. One line that says what to change."""
