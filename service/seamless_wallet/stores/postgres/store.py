"""`PostgresLedger`: the asynchronous face of a ledger in a PostgreSQL database."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from types import TracebackType
from typing import Final, Self

import asyncpg
import structlog

from seamless_wallet.ledger.conflicts import Displaced
from seamless_wallet.ledger.entry import Entry
from seamless_wallet.ledger.ports import LeaseHeld, StoreError, WriterOutdated
from seamless_wallet.ledger.records import LeaseTable
from seamless_wallet.stores.audit import Finding
from seamless_wallet.stores.increment_audit import Checkpoint, Increment
from seamless_wallet.stores.postgres.commit import OTHER_SERVER, MonthMissing, WriterState, commit_batches
from seamless_wallet.stores.postgres.connections import Connections
from seamless_wallet.stores.postgres.hosts import first_line
from seamless_wallet.stores.postgres.increments import verify_increment
from seamless_wallet.stores.postgres.ledger_reads import LedgerReads
from seamless_wallet.stores.postgres.primary import LOST, Connection, connect, place_of, store_errors
from seamless_wallet.stores.postgres.reads import database_size
from seamless_wallet.stores.postgres.setup import ServerLedgerInfo, read_checked
from seamless_wallet.stores.postgres.sql import WRITE_SQL
from seamless_wallet.stores.postgres.verification import Progress, verify

log = structlog.get_logger(__name__)

READERS: Final = 4
"""Connections of a process that read."""

RESTED: Final = False
"""A writer that has not written for months asks the owner of the tables."""

PREPARE_EVERY_S: Final = 60.0
"""How often to try, if the tables of the next months cannot be made."""

HELD: Final = "WL004"
DISPLACED: Final = "WL005"
"""SQLSTATEs that `migrations` raise."""


class PostgresLedger(LedgerReads):
    """A LedgerStore in a PostgreSQL database. Any number of processes read it, and several write, by lease.

    `uuid`, `shards` and `scales` (currency → decimal digits) are as of the opening. `warnings` has what an operator
    should change. Every method raises StoreError when the database is away.
    """

    def __init__(self, url: str, info: ServerLedgerInfo, readers: int, *, replicated: bool) -> None:
        self._url = url
        self.place = place_of(url)
        self.uuid = info.uuid
        self.scales: Mapping[str, int] = info.scales
        self.warnings: Sequence[str] = info.warnings
        self._writer = WriterState()
        super().__init__(Connections(url, readers, replicated=replicated), info.shards)

    @classmethod
    def open(
        cls,
        url: str,
        shards: int | None = None,
        currencies: Mapping[str, int] | None = None,
        *,
        readers: int = READERS,
        replicated: bool = True,
    ) -> Self:
        """Open a ledger that `init` made; blocks for a few ms. Give the settings to have them compared with it.

        `replicated`: a new connection is used once standbys have all that it can see. Who tells players needs that; who
        reports to people has to work while a standby is away.

        Raises StoreError if there is none, it is of another schema, or contradicts the settings.
        """
        return cls(url, read_checked(url, shards, currencies), readers, replicated=replicated)

    async def sizes(self) -> Mapping[str, int]:
        """Bytes of the `database`, with whatever else is in it."""
        return await self._connections.read(database_size)

    async def close(self) -> None:
        """Finish what was begun, then close all connections. A commit that waits for a standby is left to itself."""
        if not self._connections.closed:
            await self._connections.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    # ------------------------------------------------------------------ verification

    async def verify(self, progress: Progress = lambda _done, _total: None) -> AsyncGenerator[Finding]:
        """Everything in the ledger that does not fit, as of now, over a connection of its own.

        `progress(done, total)` is in rows. To stop early close the generator. Raises StoreError.
        """
        if self._connections.closed:
            raise StoreError("the ledger is closed")
        connection = await connect(self._url)
        try:
            with store_errors(self.place):
                async for finding in verify(connection, progress):
                    yield finding
        finally:
            connection.terminate()

    async def verify_since(self, checkpoint: Checkpoint, limit: int) -> Increment:
        """Verify up to `limit` entries after a checkpoint. Raises CheckpointRefused."""
        return await self._connections.read_snapshot(verify_increment, checkpoint, limit)

    # ------------------------------------------------------------------ writes

    async def take_over(self, nonce: str, shards: Collection[int], now_ms: int) -> None:
        """Name a nonce, and write these shards under it from now on.

        Raises LeaseHeld if another writer has a lease, or StoreError, also for a nonce that was named before.
        """
        await self._connections.write(self._take_over, nonce, sorted(shards), now_ms)

    async def _take_over(self, connection: Connection, nonce: str, shards: Sequence[int], now_ms: int) -> None:
        before = self._writer
        self._writer = WriterState()  # whatever comes of it, the one before is no more to be used
        await connection.execute(WRITE_SQL["add_months"], RESTED)
        try:
            started = await connection.fetchval(WRITE_SQL["take_over"], nonce, before.nonce, shards, now_ms)
        except asyncpg.PostgresError as error:
            if error.sqlstate == HELD:
                raise LeaseHeld("another writer of the ledger holds a lease of these shards") from error
            raise
        self._writer = WriterState(nonce, started)

    async def renew_leases(self, length_ms: int, take: Collection[int], release: Collection[int]) -> LeaseTable:
        """Renew what this writer holds, release and take shards in the same step; returns what holds then.

        Raises WriterOutdated or StoreError.
        """
        self._check_taken_over()
        return await self._connections.write(self._renew, length_ms, sorted(take), sorted(release))

    async def _renew(
        self, connection: Connection, length_ms: int, take: Sequence[int], release: Sequence[int]
    ) -> LeaseTable:
        writer, length = self._writer, timedelta(milliseconds=length_ms)
        if take or release:
            writer.forget()
        with _judged():
            row = await connection.fetchrow(
                WRITE_SQL["renew_leases"], writer.nonce, writer.started, length, take, release
            )
        return LeaseTable(row["holders"], row["writers"] or ())

    async def retire(self) -> None:
        """Release all that this writer holds, and count among the living no more. Raises StoreError."""
        if self._writer.nonce:
            await self._connections.write(self._retire)

    async def _retire(self, connection: Connection) -> None:
        await connection.execute(WRITE_SQL["retire"], self._writer.nonce)
        self._writer.forget()

    async def commit(self, batches: Sequence[Sequence[Entry]]) -> None:
        """Commit entries of several shards, each batch gapless, in one statement. It has no time-out.

        Raises EntriesRefused, LedgerConflict, EpochMoved or Displaced, and then nothing was committed; or StoreError,
        and then the outcome is unknown: send the same again.
        """
        self._check_taken_over()
        await self._connections.write(self._commit, batches)

    async def _commit(self, connection: Connection, batches: Sequence[Sequence[Entry]]) -> None:
        writer = self._writer
        try:
            await commit_batches(connection, self.shards, batches, writer)
        except MonthMissing:
            await connection.execute(WRITE_SQL["add_months"], RESTED)
            raise  # the next attempt finds it
        await _prepare_months(connection, writer)

    async def open_epoch(
        self, shard: int, expected: int, epoch: int, run_id: str, replid: str, token: str
    ) -> int | None:
        """Compare-and-swap the epoch of a shard, which its first entry follows by `token`.

        Returns the shard's seq, or None if its epoch is not `expected` any more. Raises Displaced, StoreError, and
        ValueError for an epoch that is not a later one.
        """
        self._check_taken_over()
        if epoch <= expected:
            raise ValueError("an epoch only grows")
        return await self._connections.write(self._open_epoch, shard, expected, epoch, run_id, replid, token)

    async def _open_epoch(self, connection: Connection, shard: int, *swap: int | str) -> int | None:
        writer = self._writer
        writer.heads.pop(shard, None)
        try:
            with _judged():
                seq: int | None = await connection.fetchval(
                    WRITE_SQL["open_epoch"], writer.nonce, writer.started, shard, *swap
                )
        except asyncpg.PostgresError as error:
            if error.sqlstate == DISPLACED:
                raise Displaced(f"the ledger names another writer of shard {shard}") from error
            raise
        return seq

    async def register_scripts(self, scripts: Mapping[str, str], now_ms: int) -> None:
        """Register SHA → text; any process may. Raises ValueError for a text that is not of its SHA."""
        for sha, text in scripts.items():
            if hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest() != sha:
                raise ValueError(f"{sha} is not the SHA-1 of its script")
        registered = await self.registered_scripts()
        new = sorted(scripts.keys() - registered.keys())
        if new:
            await self._connections.write(_register_scripts, new, [scripts[sha] for sha in new], now_ms)

    def _check_taken_over(self) -> None:
        if not self._writer.nonce:
            raise StoreError("a writer has to take its shards over before it writes entries and epochs")


async def _prepare_months(connection: Connection, writer: WriterState) -> None:
    """Have the tables of the months to come. This one is there: if that fails, it is no fault of what was committed."""
    now_s = asyncio.get_running_loop().time()
    if writer.month == writer.prepared or now_s < writer.prepare_after_s:
        return
    try:
        await connection.execute(WRITE_SQL["add_months"], RESTED)
    except (asyncpg.PostgresError, *LOST) as error:
        writer.prepare_after_s = now_s + PREPARE_EVERY_S
        remedy = "run `wallet init` as the owner of the tables before the month ends"
        log.warning("months_not_prepared", error=first_line(error), remedy=remedy)
    else:
        writer.prepared = writer.month


@contextmanager
def _judged() -> Iterator[None]:
    """Another server, or this one started anew, knows this writer no more."""
    try:
        yield
    except asyncpg.PostgresError as error:
        if error.sqlstate == OTHER_SERVER:
            raise WriterOutdated("the database was restarted, or failed over: another nonce is needed") from error
        raise


async def _register_scripts(connection: Connection, shas: Sequence[str], texts: Sequence[str], now_ms: int) -> None:
    await connection.execute(WRITE_SQL["insert_scripts"], shas, texts, now_ms)
