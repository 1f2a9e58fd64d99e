"""`wallet copy-ledger`: from a SQLite file into an empty PostgreSQL database, for those who outgrow one machine.

All is one transaction of the server, from making the tables to the last comparison: a copy that is not complete and
verified is not there. The copy has a UUID of its own: a Redis that serves the file is refused as foreign. It names
neither a writer nor a Redis server, so its first writer opens new epochs.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from datetime import UTC, date, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import msgspec

from seamless_wallet.exit_status import EXIT_FAILURE
from seamless_wallet.ledger.entry import payload_fingerprint
from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.stores.audit import READ_ERRORS
from seamless_wallet.stores.postgres import reads as postgres_reads
from seamless_wallet.stores.postgres.primary import (
    WITHOUT_LIMITS,
    Connection,
    ImpossibleRow,
    connect,
    place_of,
    store_errors,
)
from seamless_wallet.stores.postgres.row_forms import entry_row_of
from seamless_wallet.stores.postgres.setup import init_within
from seamless_wallet.stores.postgres.sql import IMPORT_SQL
from seamless_wallet.stores.postgres.verification import Bars, verify_snapshot
from seamless_wallet.stores.rows import EntryRow
from seamless_wallet.stores.sqlite import reads as sqlite_reads
from seamless_wallet.stores.sqlite.database import connect as connect_file
from seamless_wallet.stores.sqlite.database import transaction
from seamless_wallet.stores.sqlite.lease import WriterLease
from seamless_wallet.stores.sqlite.setup import check_payloads, read_checked, read_info
from seamless_wallet.stores.sqlite.sql import EXPORT_SQL

ROWS_AT_A_TIME: Final = 1_000
"""That are read, or told, at a time."""

COPIED_TABLES: Final = {
    "wallet": ("player", "user_id", "currency", "status", "version", "seq", "balance", "debt", "sessions"),
    "mark": ("player", "digest", "bet_index", "entry", "fingerprint", "state"),
    "signpost": ("player", "seq", "received_ms"),
    "script": ("sha", "text", "registered_ms"),
}
"""What is copied as it is, with its columns."""

ENTRY_COLUMNS: Final = (
    "id", "epoch", "player", "previous", "kind", "provider", "transaction_id", "game_no", "received_ms", "version",
    "balance", "debt", "balance_delta", "debt_delta", "effects", "payload", "chain", "month",
)  # fmt: skip

_pack = msgspec.msgpack.Encoder().encode


class CopyFailed(StoreError):
    """A copy that was refused, or is not what it should be: nothing of it was kept. One line that says what to do."""

    exit_status = EXIT_FAILURE


class CopiedLedger(msgspec.Struct, frozen=True):
    """What the copy holds. `seqs`: the last entry of each shard; `months`: those that have entries."""

    uuid: str
    seqs: tuple[int, ...]
    months: tuple[str, ...]
    trial_balance: Mapping[str, Mapping[str, int]]


async def copy_ledger(path: Path, url: str, bars: Bars) -> CopiedLedger:
    """Copy the ledger of a file that nobody writes into an empty database, and verify it there.

    Raises LeaseHeld, CopyFailed or StoreError, and then the database is as it was.
    """
    read_checked(path, None, None)
    with WriterLease(path), closing(connect_file(path, write=False)) as source, transaction(source):
        connection = await connect(url)
        try:
            with store_errors(place_of(url)):
                async with connection.transaction(isolation="repeatable_read"):
                    return await _Copy(source, path, connection, place_of(url), bars).run()
        except sqlite3.Error as error:
            raise CopyFailed(f"cannot read {path}: {error}; run `wallet verify`") from error
        finally:
            connection.terminate()


class _Copy:
    """One copy, within a transaction on each side."""

    def __init__(self, source: sqlite3.Connection, path: Path, connection: Connection, place: str, bars: Bars) -> None:
        self._source = source
        self._path = path
        self._connection = connection
        self._place = place
        self._bars = bars
        self._used_months: set[date] = set()
        self._months: dict[int, date] = {}
        """By shard the month of its newest entry: months never go back."""

    async def run(self) -> CopiedLedger:
        self._source.create_function("payload_fingerprint", 1, _fingerprint, deterministic=True)
        info = read_info(self._source)
        check_payloads(self._source, self._path)
        await self._connection.execute(WITHOUT_LIMITS)
        uuid = await init_within(self._connection, self._place, info.shards, info.scales)
        if await self._connection.fetchval(IMPORT_SQL["is_used"]):
            raise CopyFailed(f"the ledger {self._place} is not empty: name an empty database")
        await self._connection.execute(IMPORT_SQL["commit_durably"])
        if uuid == info.uuid:
            raise CopyFailed(f"the ledger {self._place} has the UUID of {self._path}: name an empty database")
        digests = await self._copy_entries(info.shards)
        for table, columns in COPIED_TABLES.items():
            digests[table] = await self._copy_table(table, columns, info.shards)
        digests["shard"] = await self._copy_heads()
        await self._connection.execute(IMPORT_SQL["analyze"])
        await self._verify()
        await self._compare(digests, info.shards)
        seqs = tuple(row[2] for row in self._source.execute(EXPORT_SQL["shard"]))
        months = tuple(sorted({f"{month:%Y-%m}" for month in self._used_months}))
        return CopiedLedger(uuid, seqs, months, sqlite_reads.trial_balance(self._source))

    # ------------------------------------------------------------------ there

    async def _copy_entries(self, shards: int) -> dict[str, str]:
        """Each into the month in which it was received, or that of its shard's entry before, if that is later."""
        present = await self._connection.fetchval(IMPORT_SQL["present_month"])
        for (first,) in self._source.execute(EXPORT_SQL["months"]):
            if date.fromisoformat(first) < present:
                await self._connection.execute(IMPORT_SQL["add_month"], date.fromisoformat(first))
        (total,) = self._source.execute(EXPORT_SQL["entry_count"]).fetchone()
        digests = ShardDigests()

        def records() -> Iterator[tuple[object, ...]]:
            for row in self._rows("entries", "Copying entries", total, shards):
                entry = EntryRow(*row)
                received = datetime.fromtimestamp(entry.received_ms / 1000, UTC).date().replace(day=1)
                month = max(self._months.get(entry.shard, date.min), min(received, present))
                self._months[entry.shard] = month
                self._used_months.add(month)
                digests.add(entry)
                yield (entry.id, *entry[3:], month)

        await self._copy_records("entry", ENTRY_COLUMNS, records())
        return {"entries": digests.digest()}

    async def _copy_table(self, table: str, columns: Sequence[str], shards: int) -> str:
        digest = RowsDigest()
        (total,) = self._source.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 - a name of ours
        values = (shards,) if table == "mark" else ()
        rows = digest.through(self._rows(table, f"Copying {table}s", total, *values))
        await self._copy_records(table, columns, rows)
        return digest.hexdigest()

    async def _copy_records(self, table: str, columns: Sequence[str], records: Iterable[tuple[object, ...]]) -> None:
        try:
            await self._connection.copy_records_to_table(table, schema_name="ledger", columns=columns, records=records)
        except ImpossibleRow as error:
            raise CopyFailed(
                f"{self._path} has a row of {table} that cannot be, and nothing of it was kept: {error.args[0]}; "
                "run `wallet verify`"
            ) from error

    async def _copy_heads(self) -> str:
        digest = RowsDigest()
        for row in digest.through(self._source.execute(EXPORT_SQL["shard"])):
            month = self._months.get(row[0], date.min)
            await self._connection.execute(IMPORT_SQL["set_shard"], *row, month)
        return digest.hexdigest()

    def _rows(self, name: str, title: str, total: int, *values: int) -> Iterator[tuple[Any, ...]]:
        tell = self._bars(title)
        for done, row in enumerate(self._source.execute(EXPORT_SQL[name], values)):
            if not done % ROWS_AT_A_TIME:
                tell(done, total)
            yield row
        tell(total, total)

    # ------------------------------------------------------------------ and proven

    async def _verify(self) -> None:
        async for finding in verify_snapshot(self._connection, self._bars("Checking the copy")):
            raise CopyFailed(
                f"the copy of {self._path} does not hold together, and nothing of it was kept: {finding.text}; "
                "run `wallet verify`"
            )

    async def _compare(self, digests: Mapping[str, str], shards: int) -> None:
        """Row by row, in digests, and the sums of all accounts. Raises CopyFailed."""
        entries = ShardDigests()
        tell, done = self._bars("Comparing"), 0
        total = await self._connection.fetchval("SELECT count(*) FROM ledger.entry")
        async for record in self._connection.cursor(IMPORT_SQL["entries"], prefetch=ROWS_AT_A_TIME):
            entries.add(entry_row_of(record, shards))
            done += 1
            if not done % ROWS_AT_A_TIME:
                tell(done, total)
        there = {"entries": entries.digest()}
        for name in (*COPIED_TABLES, "shard"):
            digest = RowsDigest()
            async for record in self._connection.cursor(IMPORT_SQL[name], prefetch=ROWS_AT_A_TIME):
                digest.add(record)
            there[name] = digest.hexdigest()
        differ = sorted(name for name, digest in digests.items() if there[name] != digest)
        sums = sqlite_reads.trial_balance(self._source), await postgres_reads.trial_balance(self._connection)
        if sums[0] != sums[1]:
            differ.append("sums")
        if differ:
            raise CopyFailed(f"{', '.join(differ)} of the copy are not those of {self._path}; nothing of it was kept")


def _fingerprint(payload: bytes | None) -> bytes | None:
    """None for an entry that is not there, or cannot be read: the check of the copy tells of it."""
    with suppress(*READ_ERRORS):
        return payload_fingerprint(payload) if payload is not None else None
    return None


class RowsDigest:
    """A digest over rows in order, and over their number."""

    def __init__(self) -> None:
        self._digest = blake2b(digest_size=16)

    def add(self, row: Iterable[object]) -> None:
        """One more row."""
        self._digest.update(_pack(tuple(row)))

    def through(self, rows: Iterable[Any]) -> Iterator[Any]:
        """The rows, each added on its way."""
        for row in rows:
            self.add(row)
            yield row

    def hexdigest(self) -> str:
        """Of all so far."""
        return self._digest.hexdigest()


class ShardDigests:
    """A digest over the entries of each shard: two stores may have the shards side by side in different ways."""

    def __init__(self) -> None:
        self._shards: dict[int, RowsDigest] = {}

    def add(self, row: EntryRow) -> None:
        """One more entry."""
        self._shards.setdefault(row.shard, RowsDigest()).add(row)

    def digest(self) -> str:
        """Of all so far."""
        return " ".join(f"{shard}:{digest.hexdigest()}" for shard, digest in sorted(self._shards.items()))
