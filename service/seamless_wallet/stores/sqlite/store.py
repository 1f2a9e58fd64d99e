"""`SqliteLedger`: the asynchronous face of a ledger in one SQLite file. The work is done in threads (`threads.py`)."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import threading
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from seamless_wallet.ledger.conflicts import Displaced
from seamless_wallet.ledger.entry import Entry
from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.ledger.records import LeaseTable
from seamless_wallet.stores.audit import Finding
from seamless_wallet.stores.increment_audit import Checkpoint, Increment
from seamless_wallet.stores.known import KnownState
from seamless_wallet.stores.ledger_info import LedgerInfo
from seamless_wallet.stores.sqlite import leases, reads
from seamless_wallet.stores.sqlite.commit import commit_batches
from seamless_wallet.stores.sqlite.database import BUSY_TIMEOUT_MS, connect, transaction
from seamless_wallet.stores.sqlite.increments import verify_increment
from seamless_wallet.stores.sqlite.lease import WriterLease
from seamless_wallet.stores.sqlite.ledger_reads import LedgerReads
from seamless_wallet.stores.sqlite.setup import read_checked
from seamless_wallet.stores.sqlite.sql import WRITE_SQL
from seamless_wallet.stores.sqlite.threads import DatabaseThreads, MakeExecutor
from seamless_wallet.stores.sqlite.verification import Progress, verify

READERS: Final = 2
"""Threads that read. SQLite lets go of the interpreter's lock while it works; more than cores are no use."""

CHECKPOINT_WAIT_MS: Final = 1_000
"""How long the last act of a writer waits for readers."""

STOP_EVERY: Final = 10_000
"""Steps of SQLite's virtual machine after which a verification looks whether it was stopped."""


class SqliteLedger(LedgerReads):
    """A LedgerStore in one SQLite file. Any number of processes read it, one writes: that with the lease.

    `uuid`, `shards` and `scales` (currency → decimal digits) are as of the opening. Every method raises StoreError
    when the database is away.
    """

    def __init__(
        self, path: Path, info: LedgerInfo, readers: int, busy_timeout_ms: int, make_executor: MakeExecutor
    ) -> None:
        self.path = path
        self.place = str(path)
        self.warnings: Sequence[str] = ()
        self.uuid = info.uuid
        self.shards = info.shards
        self.scales: Mapping[str, int] = info.scales
        self._lease: WriterLease | None = None
        self._known = KnownState()
        self._nonce = ""
        self._taken: set[int] = set()
        self._make_executor = make_executor
        super().__init__(DatabaseThreads(path, readers, busy_timeout_ms, make_executor))

    @classmethod
    def open(
        cls,
        path: Path | str,
        shards: int | None = None,
        currencies: Mapping[str, int] | None = None,
        *,
        readers: int = READERS,
        busy_timeout_ms: int = BUSY_TIMEOUT_MS,
        make_executor: MakeExecutor = ThreadPoolExecutor,
    ) -> Self:
        """Open a ledger that `init` made; blocks for a few ms. Give the settings to have them compared with it.

        Raises StoreError if there is none, it is of another schema, or contradicts the settings.
        """
        path = Path(path)
        return cls(path, read_checked(path, shards, currencies), readers, busy_timeout_ms, make_executor)

    def acquire_lease(self) -> WriterLease:
        """Become the one writer, until the lease is released or the store closed. Raises LeaseHeld."""
        self._lease = WriterLease(self.path)
        return self._lease

    async def sizes(self) -> Mapping[str, int]:
        """Bytes of the `file`, and of the write-ahead `log` beside it."""
        return await self._threads.read(_sizes, self.path)

    async def close(self) -> None:
        """Finish what was begun, then end all threads, close all connections and give up the lease.

        A writer moves its log into the ledger's file first, if it can: then that file alone is the whole ledger.
        """
        if self._threads.closed:
            return
        await self._threads.close(_checkpoint if self._has_lease else None)
        if self._lease:
            self._lease.release()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    # ------------------------------------------------------------------ verification

    async def verify(self, progress: Progress = lambda _done, _total: None) -> AsyncGenerator[Finding]:
        """Everything in the ledger that does not fit, as of now, in a thread of its own for as long as it runs.

        `progress(done, total)`, in rows, is called in that thread. To stop early close the generator.

        Raises StoreError.
        """
        if self._threads.closed:
            raise StoreError("the ledger is closed")
        loop = asyncio.get_running_loop()
        executor = self._make_executor(1, "ledger-verify")
        stopped = threading.Event()
        connection = connect(self.path, write=False)
        connection.set_progress_handler(stopped.is_set, STOP_EVERY)
        findings = verify(connection, self.path, progress)
        try:
            while finding := await loop.run_in_executor(executor, next, findings, None):
                yield finding
        finally:
            stopped.set()
            await asyncio.shield(loop.run_in_executor(executor, findings.close))
            executor.shutdown()
            connection.close()

    async def verify_since(self, checkpoint: Checkpoint, limit: int) -> Increment:
        """Verify up to `limit` entries after a checkpoint. Raises CheckpointRefused."""
        return await self._threads.read(verify_increment, checkpoint, limit)

    # ------------------------------------------------------------------ writes

    async def take_over(self, nonce: str, shards: Collection[int], now_ms: int) -> None:
        """Name a nonce, and write these shards under it from now on, with the lease, which it acquires if need be.

        Raises LeaseHeld, or StoreError, also for a nonce that was named before.
        """
        if not self._has_lease and not self._threads.closed:
            self.acquire_lease()
        await self._threads.write(leases.take_over, nonce, shards, now_ms)
        self._known.forget()
        self._nonce, self._taken = nonce, set(shards)

    async def renew_leases(self, length_ms: int, take: Collection[int], release: Collection[int]) -> LeaseTable:  # noqa: ARG002 - the kernel ends this lease, no clock
        """The one lease is over all shards, and has no end: whoever has the lock may take whatever it does not hold.

        Raises Displaced if somebody else has taken a shard in spite of the lock; StoreError.
        """
        self._check_lease()
        self._check_taken_over()
        held = await self._threads.write(leases.move, self._nonce, self._taken, take, release)
        if not self._taken.issuperset(held):
            self._known.forget()
        self._taken = held
        return LeaseTable([self._nonce if shard in held else "" for shard in range(self.shards)], (self._nonce,))

    async def retire(self) -> None:
        """Release what this writer holds; the lock goes when the store is closed. Raises StoreError."""
        if self._nonce and self._has_lease:
            await self._threads.write(leases.release_all, self._nonce)
            self._taken = set()

    async def commit(self, batches: Sequence[Sequence[Entry]]) -> None:
        """Commit entries of several shards, each batch gapless, in one transaction; needs the lease.

        Raises EntriesRefused, LedgerConflict, EpochMoved or Displaced, and then nothing was committed; or StoreError,
        and then the outcome is unknown: send the same again.
        """
        self._check_lease()
        self._check_taken_over()
        await self._threads.write(commit_batches, self.shards, self._nonce, batches, self._known)

    async def open_epoch(
        self, shard: int, expected: int, epoch: int, run_id: str, replid: str, token: str
    ) -> int | None:
        """Compare-and-swap the epoch of a shard, which its first entry follows by `token`; needs the lease.

        Returns the shard's seq, or None if its epoch is not `expected` any more. Raises Displaced, StoreError, and
        ValueError for an epoch that is not a later one.
        """
        self._check_lease()
        self._check_taken_over()
        if epoch <= expected:
            raise ValueError("an epoch only grows")
        return await self._threads.write(_open_epoch, self._nonce, shard, expected, (epoch, run_id, replid, token))

    async def register_scripts(self, scripts: Mapping[str, str], now_ms: int) -> None:
        """Register SHA → text; any process may. Raises ValueError for a text that is not of its SHA."""
        for sha, text in scripts.items():
            if hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest() != sha:
                raise ValueError(f"{sha} is not the SHA-1 of its script")
        registered = await self.registered_scripts()
        new = {sha: text for sha, text in scripts.items() if sha not in registered}
        if new:
            await self._threads.write(_register_scripts, new, now_ms)

    @property
    def _has_lease(self) -> bool:
        return self._lease is not None and self._lease.held

    def _check_lease(self) -> None:
        if not self._has_lease:
            raise StoreError("only the holder of the writer's lease may write entries and epochs")

    def _check_taken_over(self) -> None:
        if not self._nonce:
            raise StoreError("a writer has to take its shards over before it writes entries and epochs")


def _sizes(_: sqlite3.Connection, path: Path) -> Mapping[str, int]:
    log = path.with_name(f"{path.name}-wal")
    return {"file": path.stat().st_size, "log": log.stat().st_size if log.exists() else 0}


def _checkpoint(connection: sqlite3.Connection) -> None:
    """Leave all in the one file, where readers allow it: what a stopped service leaves can be copied so."""
    connection.execute(f"PRAGMA busy_timeout = {CHECKPOINT_WAIT_MS}")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _open_epoch(
    connection: sqlite3.Connection, nonce: str, shard: int, expected: int, after: tuple[int, str, str, str]
) -> int | None:
    with transaction(connection, "IMMEDIATE"):
        swapped = connection.execute(WRITE_SQL["open_epoch"], (*after, shard, expected, nonce)).fetchone()
        if swapped is not None:
            return int(swapped[0])
        if connection.execute(WRITE_SQL["present_writer"], (shard,)).fetchone() != (nonce,):
            raise Displaced(f"the ledger names another writer of shard {shard}")
        return None


def _register_scripts(connection: sqlite3.Connection, scripts: Mapping[str, str], now_ms: int) -> None:
    with transaction(connection, "IMMEDIATE"):
        registered = reads.registered_scripts(connection)
        rows = [(sha, text, now_ms) for sha, text in sorted(scripts.items()) if sha not in registered]
        connection.executemany(WRITE_SQL["insert_script"], rows)
