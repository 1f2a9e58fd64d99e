"""`wallet archive`: a month leaves the ledger for a file, and what has to stay of it stays. The writer goes on.

1. In one snapshot the whole ledger is verified; the month is written to a file, and the file is read and proven; the
   closing figures are written. With their commit the month is archived: from then on readers leave it out.
2. When no reader is left that began before, its partition is detached, which holds nobody up.
3. Its table is dropped, if that is wanted.
Killed anywhere, the same call goes on from there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec

from seamless_wallet.ledger.entry import CHAIN_START
from seamless_wallet.stores.archive_file import (
    ArchiveRefused,
    ArchiveWriter,
    Footer,
    Header,
    Proof,
    ends_text,
    prove_file,
    read_header,
)
from seamless_wallet.stores.audit import READ_ERRORS, ChainCheck, ChainEnd
from seamless_wallet.stores.bounds import DISORDER_MS
from seamless_wallet.stores.postgres.closing_month import keep_closings, keep_ends, keep_mark_sums
from seamless_wallet.stores.postgres.primary import (
    WHOLE_TABLES,
    WITHOUT_LIMITS,
    Connection,
    connect,
    place_of,
    store_errors,
)
from seamless_wallet.stores.postgres.row_forms import entry_row_of
from seamless_wallet.stores.postgres.setup import read_info
from seamless_wallet.stores.postgres.sql import ARCHIVE_SQL, READ_SQL
from seamless_wallet.stores.postgres.verification import Bars, verify_snapshot
from seamless_wallet.stores.sqlite.new_file import NewFile, refusing

ARCHIVE_LOCK: Final = 7_230_548_167_313
"""Of the advisory lock of who archives: a number of ours."""

POLL_S: Final = 0.1


class ArchivedFile(msgspec.Struct, frozen=True):
    """A month that is archived. `again`: it was before."""

    month: str
    entries: int
    digest: str
    again: bool
    dropped: bool


async def archive(url: str, month: date, file: Path, *, cold_ms: int, drop: bool, bars: Bars) -> ArchivedFile:
    """Archive a month. Raises ArchiveRefused, CopyRefused or StoreError.

    `cold_ms`: how long ago the newest entry of the month must have been received at least. `drop`: its table, too.
    """
    connection = await connect(url)
    try:
        with store_errors(place_of(url)):
            return await _Archiving(connection, month, file, cold_ms, bars).run(drop=drop)
    finally:
        connection.terminate()


class _Archiving:
    """One month, over a connection of its own."""

    def __init__(self, connection: Connection, month: date, file: Path, cold_ms: int, bars: Bars) -> None:
        self._connection = connection
        self._month = month
        self._name = f"{month:%Y-%m}"
        self._partition = f"ledger.entry_{month:%Y_%m}"
        self._file = file
        self._cold_ms = cold_ms
        self._bars = bars

    async def run(self, *, drop: bool) -> ArchivedFile:
        await self._be_alone()
        known = await self._connection.fetchrow(ARCHIVE_SQL["archive"], self._month)
        if known is None:
            await self._check_month()
            footer = await self._archive()
        else:
            footer = await self._prove_again(known)
        await self._detach()
        if drop and await self._has_table():
            await self._connection.execute(self._sql("drop"))
        dropped = not await self._has_table()
        return ArchivedFile(self._name, footer.entries, footer.digest, known is not None, dropped)

    def _sql(self, name: str) -> str:
        return ARCHIVE_SQL[name].replace("{partition}", self._partition)

    async def _be_alone(self) -> None:
        if not await self._connection.fetchval(READ_SQL["owner"]):
            raise ArchiveRefused("only the owner of the tables may archive: set WALLET_LEDGER_URL to that role's URL")
        await self._connection.execute("SET statement_timeout = 0; SET lock_timeout = 0")
        if not await self._connection.fetchval(ARCHIVE_SQL["try_lock"], ARCHIVE_LOCK):
            raise ArchiveRefused("another `wallet archive` is running: wait for it, or stop it")

    async def _has_table(self) -> bool:
        return bool(await self._connection.fetchval(ARCHIVE_SQL["has_table"], self._partition))

    # ------------------------------------------------------------------ 1. from the ledger to the file

    async def _check_month(self) -> None:
        """Whether it is this one's turn. Raises ArchiveRefused."""
        rows = await self._connection.fetch(ARCHIVE_SQL["months"])
        months = [row["month"] for row in rows]
        if self._month not in months:
            raise ArchiveRefused(f"the ledger has no month {self._name}; its oldest is {months[0]:%Y-%m}")
        if self._month >= rows[0]["present"]:
            raise ArchiveRefused(f"{self._name} is not over yet, by the server's clock: it stays")
        if months[0] != self._month:
            raise ArchiveRefused(f"months are archived in order: archive {months[0]:%Y-%m} first")
        newest_ms = await self._connection.fetchval(self._sql("newest")) or 0
        cold_ms = newest_ms + self._cold_ms + DISORDER_MS
        if cold_ms > await self._connection.fetchval(ARCHIVE_SQL["now_ms"]):
            moment = datetime.fromtimestamp(cold_ms / 1000, UTC)
            raise ArchiveRefused(
                f"{self._name} stays for now: entries of it are within two hot windows; "
                f"try again after {moment:%Y-%m-%dT%H:%M:%SZ}"
            )
        await self._connection.execute(ARCHIVE_SQL["close_month"], (self._month + timedelta(days=31)).replace(day=1))

    async def _archive(self) -> Footer:
        """With the commit of this transaction the month is archived."""
        with refusing(f"cannot write {self._file}"), self._new_file() as new:
            async with self._connection.transaction(isolation="repeatable_read"):
                await self._connection.execute(f"{WHOLE_TABLES}; {WITHOUT_LIMITS}")
                await self._connection.execute(ARCHIVE_SQL["commit_durably"])
                await self._check_ledger()
                proof, ends = await self._export(new)
                await self._keep(proof, ends)
                new.publish()
        return proof.footer

    async def _check_ledger(self) -> None:
        """Whether it holds together, and the month has no open bets. Raises ArchiveRefused."""
        await self._check_bets()
        async for finding in verify_snapshot(self._connection, self._bars("Checking the ledger")):
            raise ArchiveRefused(
                f"the ledger does not hold together, and nothing of it is archived: {finding.text}; run `wallet verify`"
            )

    async def _check_bets(self) -> None:
        shards = (await read_info(self._connection)).shards
        seqs = dict(await self._connection.fetch(self._sql("last_seqs"), shards))
        places = [seqs.get(shard, 0) * shards + shard for shard in range(shards)]
        row = await self._connection.fetchrow(ARCHIVE_SQL["open_bets"], places)
        if row is not None:
            count, user_id, bet_index, entry = row
            raise ArchiveRefused(
                f"{self._name} stays: {count} of its bets are open, the oldest is {bet_index} of {user_id} "
                f"(shard {entry % shards}, entry {entry // shards}); `wallet rounds {user_id} --open` shows it"
            )

    def _new_file(self) -> NewFile:
        """The file, in place of what an interrupted run has left under its name. Raises ArchiveRefused."""
        replace = self._file.exists()
        if replace and read_header(self._file).month != self._name:
            raise ArchiveRefused(f"{self._file} is the archive of another month: choose another name")
        return NewFile(self._file, replace=replace)

    async def _export(self, new: NewFile) -> tuple[Proof, Mapping[int, ChainEnd]]:
        """Write the month to the file, read it again, and prove that it has just the rows of the partition."""
        info = await read_info(self._connection)
        rows = await self._connection.fetch(ARCHIVE_SQL["ends_before"], self._month)
        begins: dict[int, ChainEnd] = dict.fromkeys(range(info.shards), (0, 0, CHAIN_START))
        begins |= {shard: (epoch, seq, chain) for shard, epoch, seq, chain in rows}
        header = Header(1, info.uuid, self._name, info.shards, info.scales, ends_text(begins, info.shards))
        self._check_file(new.target, header)
        chains = ChainCheck(begins)
        total = await self._connection.fetchval(self._sql("entry_count"))
        tell, done = self._bars(f"Writing {self._name}"), 0
        with new.path.open("r+b") as file:
            writer = ArchiveWriter(file, header)
            async for record in self._connection.cursor(self._sql("rows"), prefetch=1_000):
                row, user_id = entry_row_of(record, info.shards), record["user_id"] or ""
                for finding in chains.check(row, user_id):
                    raise ArchiveRefused(f"shard {finding.shard}, entry {finding.seq}: {finding.text}")
                writer.add(row, user_id, record["currency"] or "")
                done += 1
                if not done % 1_000:
                    tell(done, total)
            written = writer.finish(ends_text(chains.ends, info.shards))
        new.sync()
        proof = prove_file(new.path, self._bars("Reading it back"))
        if proof.header != header or proof.footer != written or written.entries != total:
            raise ArchiveRefused(f"what was read from {self._file} is not what was written: look at that disk")
        return proof, chains.ends

    def _check_file(self, target: Path, header: Header) -> None:
        if target.exists() and read_header(target).ledger != header.ledger:
            raise ArchiveRefused(f"{target} is the archive of another ledger: choose another name")

    async def _keep(self, proof: Proof, ends: Mapping[int, ChainEnd]) -> None:
        """The closing figures, which take effect together."""
        await self._connection.execute(self._sql("insert_sums"), self._month)
        rows = await self._connection.fetch(ARCHIVE_SQL["sums"], self._month)
        if {(row[0], row[1]): (row[2], row[3]) for row in rows} != dict(proof.sums):
            raise ArchiveRefused(f"the sums of {self._file} are not those of the ledger: report this")
        try:
            await keep_closings(
                self._connection, proof.header.shards, self._partition, self._bars("Keeping closing figures")
            )
        except READ_ERRORS as error:
            raise ArchiveRefused(f"an entry does not follow: {error}; run `wallet verify`") from error
        await keep_mark_sums(self._connection, proof.header.shards, ends)
        await keep_ends(self._connection, self._month, ends)
        digest = bytes.fromhex(proof.footer.digest)
        row = (self._month, str(self._file.absolute()), proof.footer.entries, digest)
        await self._connection.execute(ARCHIVE_SQL["insert_archive"], *row)

    async def _prove_again(self, known: Any) -> Footer:
        """That the file has what was archived. If it is gone, and the table is there, it is written again."""
        if self._file.exists():
            proof = prove_file(self._file, self._bars("Reading the archive"))
        elif await self._has_table():
            with refusing(f"cannot write {self._file}"), self._new_file() as new:
                async with self._connection.transaction(isolation="repeatable_read", readonly=True):
                    await self._connection.execute(f"{WHOLE_TABLES}; {WITHOUT_LIMITS}")
                    proof, _ = await self._export(new)
                self._check_known(proof, known)
                new.publish()
        else:
            raise ArchiveRefused(f"{self._name} is archived in {known['file']}, and there is no file {self._file}")
        self._check_known(proof, known)
        return proof.footer

    def _check_known(self, proof: Proof, known: Any) -> None:
        footer = proof.footer
        if (footer.entries, bytes.fromhex(footer.digest)) != (known["entries"], known["digest"]):
            raise ArchiveRefused(f"{self._file} is not what was archived of {self._name}, which is in {known['file']}")

    # ------------------------------------------------------------------ 2. out of the table

    async def _detach(self) -> None:
        """When every reader has gone that does not know yet that the month is archived."""
        rows = await self._connection.fetch(ARCHIVE_SQL["months"])
        pending = {row["month"]: row["pending"] for row in rows}
        if self._month not in pending:
            return
        tell = self._bars("Waiting for readers that began before")
        present = await self._connection.fetchval(ARCHIVE_SQL["transaction"])
        while count := await self._connection.fetchval(ARCHIVE_SQL["old_snapshots"], present):
            tell(0, count)
            await asyncio.sleep(POLL_S)
        await self._connection.execute(self._sql("finish_detaching" if pending[self._month] else "detach"))
