"""What the ledger is like, as metrics: its size, disk and clock, who owes, who plays, and the trial balance."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from seamless_wallet.ledger.ports import LedgerReader
from seamless_wallet.ledger.records import PlayersQuery
from seamless_wallet.observability import metrics
from seamless_wallet.ports import Clock
from seamless_wallet.processes.clock_difference import tell_clock_difference
from seamless_wallet.stores.ledger import Ledger

OWING_MAX: Final = 1_001
"""More players are not counted."""

READ_REST_FACTOR: Final = 100
"""Who reads much rests for so many times as long as it took: while it reads, the ledger's log cannot be reset."""


class LedgerGauges:
    """Asks the ledger for its size and for who owes, and looks at the disk that has `directory`."""

    def __init__(self, directory: Path, ledger: Ledger, clock: Clock) -> None:
        self._directory = directory
        self._ledger = ledger
        self._clock = clock

    async def measure(self) -> None:
        """Measure once. Raises OSError or StoreError."""
        for of, size in (await self._ledger.sizes()).items():
            metrics.LEDGER_BYTES.labels(of).set(size)
        disk = await asyncio.to_thread(shutil.disk_usage, self._directory)
        metrics.DISK_BYTES.labels("size").set(disk.total)
        metrics.DISK_BYTES.labels("free").set(disk.free)
        asked_ms = self._clock.now_ms()
        there_ms = await self._ledger.clock_ms()
        tell_clock_difference("ledger", asked_ms, there_ms, self._clock.now_ms())
        owing = await self._ledger.players(PlayersQuery(owing=True, limit=OWING_MAX))
        metrics.PLAYERS_OWING.set(len(owing))


class PlayGauges:
    """Counts open bets by their index, and open sessions by a look at every player's wallet."""

    def __init__(self, ledger: Ledger, clock: Clock, session_ms: int, providers: Iterable[str]) -> None:
        self._ledger = ledger
        self._clock = clock
        self._session_ms = session_ms
        self._sessions = {provider: metrics.OPEN_SESSIONS.labels(provider) for provider in providers}

    async def measure_bets(self) -> None:
        """Count once. Raises StoreError."""
        found = await self._ledger.open_bets()
        metrics.OPEN_BETS.set(found.count)
        metrics.OLDEST_OPEN_BET_TIMESTAMP.set(found.oldest_ms / 1000)

    async def measure_sessions(self) -> None:
        """Count once. Raises StoreError."""
        found = await self._ledger.open_sessions(self._clock.now_ms() - self._session_ms)
        for provider, series in self._sessions.items():
            series.set(found.get(provider, 0))


class TrialBalanceGauges:
    """Computes the trial balance. It reads the whole ledger."""

    def __init__(self, ledger: LedgerReader, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock

    async def measure(self) -> None:
        """Compute it. Raises StoreError."""
        begun_ms = self._clock.now_ms()
        for currency, sums in (await self._ledger.trial_balance()).items():
            for account, amount in sums.items():
                metrics.LEDGER_ACCOUNTS.labels(currency, account).set(amount)
            metrics.LEDGER_IMBALANCE.labels(currency).set(abs(sum(sums.values())))
        metrics.LEDGER_BALANCED_TIMESTAMP.set(begun_ms / 1000)
