"""What the ledger is like, as metrics: its size, the disk, who owes, and the trial balance."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Final

from seamless_wallet.ledger.ports import LedgerHistory, LedgerReader
from seamless_wallet.ledger.records import PlayersQuery
from seamless_wallet.observability import metrics
from seamless_wallet.ports import Clock

OWING_MAX: Final = 1_001
"""More players are not counted."""

BALANCE_REST_FACTOR: Final = 100
"""A trial balance rests for so many times as long as it took: while it reads, the ledger's log cannot be reset."""


class LedgerGauges:
    """Looks at the ledger's file, if it is one, and asks it who owes. A server's disk is watched by its own means."""

    def __init__(self, path: Path | None, history: LedgerHistory) -> None:
        self._path = path
        self._history = history

    async def measure(self) -> None:
        """Measure once. Raises OSError or StoreError."""
        if self._path is not None:
            await asyncio.to_thread(_look_at_files, self._path)
        owing = await self._history.players(PlayersQuery(owing=True, limit=OWING_MAX))
        metrics.PLAYERS_OWING.set(len(owing))


def _look_at_files(path: Path) -> None:
    log = path.with_name(f"{path.name}-wal")
    metrics.LEDGER_BYTES.labels("file").set(path.stat().st_size)
    metrics.LEDGER_BYTES.labels("log").set(log.stat().st_size if log.exists() else 0)
    disk = shutil.disk_usage(path.parent)
    metrics.DISK_BYTES.labels("size").set(disk.total)
    metrics.DISK_BYTES.labels("free").set(disk.free)


class TrialBalanceGauges:
    """Computes the trial balance every now and then. It reads the whole ledger."""

    def __init__(self, ledger: LedgerReader, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._due_s = 0.0

    async def measure(self) -> None:
        """Compute it, unless the last one took so long that this one has to wait. Raises StoreError."""
        begun_s, begun_ms = self._clock.monotonic_s(), self._clock.now_ms()
        if begun_s < self._due_s:
            return
        for currency, sums in (await self._ledger.trial_balance()).items():
            for account, amount in sums.items():
                metrics.LEDGER_ACCOUNTS.labels(currency, account).set(amount)
            metrics.LEDGER_IMBALANCE.labels(currency).set(abs(sum(sums.values())))
        metrics.LEDGER_BALANCED_TIMESTAMP.set(begun_ms / 1000)
        ended_s = self._clock.monotonic_s()
        self._due_s = ended_s + BALANCE_REST_FACTOR * (ended_s - begun_s)
