"""Verifies new entries every few minutes, beside everything else: what does not fit is told in the log and a metric.

A part of it is one short snapshot. After each part it rests several times as long as that took.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import structlog

from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.observability.metrics import (
    LEDGER_FINDINGS,
    LEDGER_VERIFIED,
    LEDGER_VERIFIED_ENTRIES,
    LEDGER_VERIFY_INTERVAL,
    UNEXPECTED_ERRORS,
)
from seamless_wallet.ports import Clock
from seamless_wallet.stores.increment_audit import Checkpoint, CheckpointRefused, Increment
from seamless_wallet.stores.ledger import Ledger
from seamless_wallet.stores.sqlite.checkpoint_file import CheckpointFile

PART_ENTRIES: Final = 250
REST_TIMES: Final = 3
"""How many times as long it rests as a part took: it has a quarter of a processor at most."""

LOGGED_MAX: Final = 20
"""Findings of one part that are logged, one line each."""

_FAULTS: Final = UNEXPECTED_ERRORS.labels("verify")

log = structlog.get_logger(__name__)


class LedgerWatch:
    """Goes on from the checkpoint beside the ledger's path, and keeps a new one there while nothing was found."""

    def __init__(self, ledger: Ledger, path: Path, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._file = CheckpointFile(path, ledger.uuid)
        self._checkpoint: Checkpoint | None = None
        self._found = False

    @asynccontextmanager
    async def running(self, every_s: float) -> AsyncIterator[None]:
        """Verify what is new, again and again, within the context."""
        LEDGER_VERIFY_INTERVAL.set(every_s)
        task = asyncio.create_task(self._run(every_s))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self, every_s: float) -> None:
        while True:
            try:
                await self.verify_new()
            except StoreError as error:
                log.warning("ledger_not_verified", reason=str(error), remedy="check the disk and its permissions")
            except Exception:
                _FAULTS.inc()
                log.exception("ledger_watch_error", remedy="Report it. Nothing else is affected.")
            await asyncio.sleep(every_s)

    async def verify_new(self) -> None:
        """Verify up to the newest entry, part by part. Raises StoreError."""
        at_end = False
        while not at_end:
            began_s = self._clock.monotonic_s()
            part = await self._next_part()
            self._checkpoint, at_end = part.checkpoint, part.at_end
            LEDGER_VERIFIED_ENTRIES.inc(part.entries)
            self._tell(part)
            if not at_end:
                await asyncio.sleep(REST_TIMES * (self._clock.monotonic_s() - began_s))
        LEDGER_VERIFIED.set(self._clock.now_ms() / 1000)
        if not self._found and self._checkpoint is not None:
            await asyncio.to_thread(self._file.write, self._checkpoint)

    async def _next_part(self) -> Increment:
        try:
            if self._checkpoint is None:
                self._checkpoint = await asyncio.to_thread(self._file.read)
            return await self._ledger.verify_since(self._checkpoint, PART_ENTRIES)
        except CheckpointRefused as error:
            log.warning("ledger_verified_anew", reason=str(error), remedy="None after a restore; else `wallet verify`.")
            return await self._ledger.verify_since(Checkpoint(self._ledger.uuid), PART_ENTRIES)

    def _tell(self, part: Increment) -> None:
        if not part.findings:
            return
        self._found = True
        LEDGER_FINDINGS.inc(len(part.findings))
        for finding in part.findings[:LOGGED_MAX]:
            log.error(
                "ledger_finding",
                shard=finding.shard,
                seq=finding.seq,
                reason=finding.text,
                remedy="Run `wallet verify`, and see `wallet docs operations`.",
            )
