"""One call for all who ask for the same at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from seamless_wallet.errors import WalletError
from seamless_wallet.observability import metrics
from seamless_wallet.observability.rate_limited_log import RateLimitedLog

K = TypeVar("K")
T = TypeVar("T")


class _SharedCall(Generic[T]):
    """A call under way, and how many wait for it."""

    def __init__(self, task: asyncio.Task[T]) -> None:
        self.task = task
        self.waiting = 0


class SharedCalls(Generic[K, T]):
    """Calls by key. Each has a limit of its own, which is nobody's deadline.

    Whoever gives up leaves the call to the others, and to those who come later: a wallet that takes longer than a
    deadline to load is there for the next try. A call that hangs ends at its limit. An exception that nobody waits for
    any more is logged.
    """

    def __init__(self, name: str, limit_s: float) -> None:
        self._name = name
        self._limit_s = limit_s
        self._calls: dict[K, _SharedCall[T]] = {}
        self._rate_limited_log = RateLimitedLog(monotonic_s=lambda: asyncio.get_running_loop().time())

    def __bool__(self) -> bool:
        """Whether a call is under way."""
        return bool(self._calls)

    async def join(self, key: K, start: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result of the call for `key`: the one under way, or else a new one. Raises what it raises.

        TimeoutError if the call hangs.
        """
        call = self._calls.get(key)
        if call is None:
            call = self._start(key, start)
        call.waiting += 1
        try:
            await asyncio.wait((call.task,))  # a cancellation of this caller does not reach the task
        finally:
            call.waiting -= 1
        return call.task.result()

    async def close(self) -> None:
        """End all calls."""
        tasks = [call.task for call in self._calls.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, key: K, start: Callable[[], Coroutine[Any, Any, T]]) -> _SharedCall[T]:
        call = self._calls[key] = _SharedCall(asyncio.create_task(self._run(start)))
        call.task.add_done_callback(lambda _: self._end(key))
        return call

    async def _run(self, start: Callable[[], Coroutine[Any, Any, T]]) -> T:
        async with asyncio.timeout(self._limit_s):
            return await start()

    def _end(self, key: K) -> None:
        call = self._calls.pop(key)
        error = None if call.task.cancelled() else call.task.exception()
        if error is None or call.waiting:
            return
        if not isinstance(error, WalletError | TimeoutError):
            metrics.UNEXPECTED_ERRORS.labels(self._name).inc()
        self._rate_limited_log.error(
            "abandoned_call_failed",
            call=self._name,
            error=f"{type(error).__name__}: {error}",
            remedy="none if Redis or the ledger was away: whoever asked was answered R1 at the deadline",
        )
