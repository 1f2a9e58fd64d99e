"""How long a process and its parts live: signals, the parent, and the generations that follow each other on SIGHUP."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import structlog

from seamless_wallet.supervisor.parent_socket import HEARTBEAT_S, SURPLUS, TAKE_OVER, ParentSocket
from seamless_wallet.supervisor.service_manager import ServiceManager
from seamless_wallet.supervisor.terminal import deliver_hang_up

log = structlog.get_logger()


class Lifetime:
    """The lifetime of this process. `parent_fd`: see `seamless_wallet.supervisor.parent_socket`; None: no parent."""

    def __init__(self, parent_fd: int | None) -> None:
        self.stop = asyncio.Event()
        """SIGTERM or SIGINT came, or the parent has ended."""
        self.hang_up = asyncio.Event()
        """SIGHUP came: whoever reloads clears it."""
        self.take_over = asyncio.Event()
        """The parent has given this process the role of the one that it replaces."""
        self.parent_message = b""
        """What the parent sent last of its children."""
        self.parent_message_s = 0.0
        """When that was, by the clock of the loop."""
        self.connections: Callable[[], int] = lambda: 0
        """How many connections this process serves."""
        self.on_surplus: Callable[[int], None] = lambda _: None
        """Called with how many of them the parent would rather see at another process."""
        self.manager = ServiceManager()
        self._parent = None if parent_fd is None else ParentSocket(parent_fd)
        self._is_ready = False

    @property
    def has_parent(self) -> bool:
        """Whether this process is a child of `wallet up`."""
        return self._parent is not None

    def states(self) -> Mapping[str, str]:
        """Whether the process does its work, for its own `/readyz`."""
        return {"process": "ok" if self._is_ready else "not ready"}

    def begin(self) -> None:
        """Listen to signals and watch the parent. Call it in the running loop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._on_hang_up)
        deliver_hang_up()
        if self._parent is not None:
            self.parent_message_s = loop.time()
            self._parent.watch(on_message=partial(self._pass_on, loop))

    def beat(self, *, ready: bool) -> None:
        """Tell whoever watches this process that it turns, and whether it is ready."""
        self._is_ready = ready
        if self._parent is not None:
            self._parent.beat(ready=ready, connections=self.connections())
        else:
            self.manager.alive()

    def _pass_on(self, loop: asyncio.AbstractEventLoop, message: bytes) -> None:
        """Bring a message from the thread that reads it to the loop."""
        with suppress(RuntimeError):  # the loop is closed by now
            loop.call_soon_threadsafe(self._take, message)

    def _take(self, message: bytes) -> None:
        if message == TAKE_OVER:
            self.take_over.set()
        elif message.startswith(SURPLUS):
            self.on_surplus(int(message.removeprefix(SURPLUS)))
        else:
            self.parent_message, self.parent_message_s = message, asyncio.get_running_loop().time()

    def _on_hang_up(self) -> None:
        if self.has_parent:
            log.warning("reload_ignored", remedy="Send SIGHUP to the parent, `wallet up`.")
        else:
            self.hang_up.set()


class Generation:
    """One run of a process's parts with one set of settings.

    `take_over` is set when it need not leave the work to the generation or process before it any more.
    """

    def __init__(self, lifetime: Lifetime, take_over: asyncio.Event) -> None:
        self.lifetime = lifetime
        self.take_over = take_over
        self.turns = asyncio.Event()
        """It has begun its work, or stands by for it."""
        self.ready = asyncio.Event()
        """It was ready at least once."""
        self._end = asyncio.Event()
        self._is_last = False

    def end(self, *, last: bool) -> None:
        """Have it end. `last`: no other one follows in this process."""
        self._is_last = last
        self._end.set()

    async def run_until_ended(
        self,
        becoming_ready: Coroutine[Any, Any, object],
        is_ready: Callable[[], bool] = lambda: True,
        on_last: Callable[[], None] = lambda: None,
    ) -> None:
        """Return when this generation has to end. Until then tell that it turns, and whether it is ready.

        It is ready when `becoming_ready` is done and `is_ready` is true. Raises what `becoming_ready` raises. Calls
        `on_last` at the end if no other generation follows.
        """
        ready, ended = asyncio.create_task(becoming_ready), asyncio.create_task(self._end.wait())
        beating = asyncio.create_task(self._beat_for_ever(lambda: ready.done() and is_ready()))
        self.turns.set()
        try:
            await asyncio.wait({ready, ended}, return_when=asyncio.FIRST_COMPLETED)
            if ready.done():
                ready.result()
                self.ready.set()
                self.lifetime.beat(ready=is_ready())
                await ended
        finally:
            for task in (ready, ended, beating):
                task.cancel()
            await asyncio.gather(ready, ended, beating, return_exceptions=True)
        if self._is_last:
            on_last()

    async def _beat_for_ever(self, is_ready: Callable[[], bool]) -> None:
        while True:
            self.lifetime.beat(ready=is_ready())
            await asyncio.sleep(HEARTBEAT_S)
