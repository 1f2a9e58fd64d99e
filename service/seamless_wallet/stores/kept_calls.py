"""The history of calls as a process opens it, whatever it is kept in."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Final, Protocol, Self

from seamless_wallet.calls.ports import CallStore

COLLECTIONS_MAX: Final = 1_000
"""Transactions of one `collect`: workers may leave batches as fast as they are taken."""


class KeptCalls(CallStore, Protocol):
    """The calls that are kept, and the batches of this machine that wait for it. An asynchronous context manager."""

    async def collect(self, on_broken: Callable[[str], None] = ...) -> None:
        """Take the batches that are there. `on_broken` is told, in the loop, of each file that cannot be kept."""

    async def prune(self, before_ms: int, bytes_max: int) -> bool:
        """One step of deleting what is too old or too much. Returns whether there may be more to delete."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...
