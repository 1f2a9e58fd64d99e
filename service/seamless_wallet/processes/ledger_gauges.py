"""What the ledger is like, as metrics: its size, the disk, who owes, and the trial balance."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Final

from seamless_wallet.ledger.ports import LedgerReader
from seamless_wallet.ledger.records import PlayersQuery
from seamless_wallet.observability import metrics
from seamless_wallet.ports import Clock
from seamless_wallet.stores.ledger import Ledger

OWING_MAX: Final = 1_001
"""More players are not counted."""

BALANCE_REST_FACTOR: Final = 100
"""A trial balance rests for so many times as long as it took: while it reads, the ledger's log cannot be reset."""


class LedgerGauges:
    """Asks the ledger for its size and for who owes, and looks at the disk that has `directory`."""

    def __init__(self, directory: Path, ledger: Ledger) -> None:
        self._directory = directory
        self._ledger = ledger

    async def measure(self) -> None:
        """Measure once. Raises OSError or StoreError."""
        for of, size in (await self._ledger.sizes()).items():
            metrics.LEDGER_BYTES.labels(of).set(size)
        disk = await asyncio.to_thread(shutil.disk_usage, self._directory)
        metrics.DISK_BYTES.labels("size").set(disk.total)
        metrics.DISK_BYTES.labels("free").set(disk.free)
        owing = await self._ledger.players(PlayersQuery(owing=True, limit=OWING_MAX))
        metrics.PLAYERS_OWING.set(len(owing))


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
