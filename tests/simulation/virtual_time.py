"""An event loop whose clock stands still while there is work, and what else a simulation puts in place of a machine."""

from __future__ import annotations

import asyncio
import random
import selectors
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

START_MS = 1_700_000_000_000


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time jumps to the next timer when nothing is ready."""

    def __init__(self) -> None:
        self._now_s = 0.0
        super().__init__(_Selector(self._jump))

    def _jump(self, seconds: float) -> None:
        self._now_s += seconds

    def time(self) -> float:
        return self._now_s


class _Selector(selectors.DefaultSelector):
    """Where others sleep, it moves the clock."""

    def __init__(self, jump: Callable[[float], None]) -> None:
        super().__init__()
        self._jump = jump

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "nothing is ready and no timer is set: this would wait for ever"
            self._jump(timeout)
        return ready


class LoopClock:
    """The Clock of the running loop."""

    def now_ms(self) -> int:
        return START_MS + int(self.monotonic_s() * 1000)

    def monotonic_s(self) -> float:
        return asyncio.get_running_loop().time()


class SeededRandomness(random.Random):
    """The Randomness of a seed."""

    def token(self, size: int) -> str:
        return self.random_bytes(size).hex()

    def random_bytes(self, size: int) -> bytes:
        return self.randbytes(size)

    def below(self, bound: int) -> int:
        return self.randrange(bound)


class InlineExecutor(Executor):
    """Runs each job at once, in the thread that submits it."""

    def __init__(self, _threads: int, _name: str) -> None:
        super().__init__()

    def submit(self, job: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(job(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - whoever waits gets it
            future.set_exception(error)
        return future
