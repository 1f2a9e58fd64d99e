"""When a process is ready, and when it has to end: SIGTERM, SIGINT, or the end of its parent."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine, Mapping
from typing import Any

from seamless_wallet.supervisor.parent_socket import tell_ready, watch_parent


class Lifetime:
    """The lifetime of this process. `parent_fd`: see `seamless_wallet.supervisor.parent_socket`; None: no parent."""

    def __init__(self, parent_fd: int | None) -> None:
        self._parent_fd = parent_fd
        self._stop = asyncio.Event()
        self._is_ready = False

    @property
    def has_parent(self) -> bool:
        """Whether this process is a child of `wallet up`."""
        return self._parent_fd is not None

    def states(self) -> Mapping[str, str]:
        """Whether the process does its work, for its own `/readyz`."""
        return {"process": "ok" if self._is_ready else "not ready"}

    def begin(self) -> None:
        """Listen to signals and watch the parent. Call it in the running loop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        if self._parent_fd is not None:
            watch_parent(self._parent_fd)

    async def run_until_stopped(self, becoming_ready: Coroutine[Any, Any, object]) -> None:
        """Tell the parent when `becoming_ready` is done, and return when the process has to end, which may be earlier.

        Raises what `becoming_ready` raises.
        """
        ready, ended = asyncio.create_task(becoming_ready), asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({ready, ended}, return_when=asyncio.FIRST_COMPLETED)
            if ready.done():
                ready.result()
                self._is_ready = True
                if self._parent_fd is not None:
                    tell_ready(self._parent_fd)
                await ended
        finally:
            ready.cancel()
            ended.cancel()
            await asyncio.gather(ready, ended, return_exceptions=True)
