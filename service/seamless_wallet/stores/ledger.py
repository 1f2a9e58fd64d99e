"""A ledger as a process opens it, whatever it is kept in: the ports, and what only commands and processes ask for."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self

from seamless_wallet.ledger.ports import LedgerHistory, LedgerStore
from seamless_wallet.stores.audit import Finding
from seamless_wallet.stores.increment_audit import Checkpoint, Increment


class Ledger(LedgerStore, LedgerHistory, Protocol):
    """The whole ledger. `scales`: currency → decimal digits. `place` says where it is, without a password."""

    uuid: str
    shards: int
    scales: Mapping[str, int]
    place: str
    warnings: Sequence[str]
    """What an operator should change; nothing of it keeps the ledger from working."""

    def verify(self, progress: Callable[[int, int], None] = ...) -> AsyncGenerator[Finding]:
        """Everything that does not fit. Raises StoreError."""

    async def verify_since(self, checkpoint: Checkpoint, limit: int) -> Increment:
        """Verify up to `limit` entries after a checkpoint. Raises CheckpointRefused or StoreError."""

    async def sizes(self) -> Mapping[str, int]:
        """What it is kept in → bytes. Raises StoreError."""

    async def open_sessions(self, since_ms: int) -> Mapping[str, int]:
        """Provider → sessions that are not closed, and were renewed since then. Looks at every wallet.

        Raises StoreError.
        """

    async def clock_ms(self) -> int | None:
        """Epoch milliseconds by the clock of the ledger's server; None: that is this machine's. Raises StoreError."""

    async def close(self) -> None:
        """Finish what was begun."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...
