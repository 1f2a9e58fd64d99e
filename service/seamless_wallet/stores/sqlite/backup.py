"""A copy of the ledger while it is in use, verified before it has its name.

The online backup API, and not VACUUM INTO, which builds each table anew: that takes several times as long, and for so
long a reader keeps the write-ahead log from being reset. The API alone begins again whenever somebody commits between
two steps. Here all steps are within one read transaction: they see one snapshot, and nothing makes them begin again.
The writer commits meanwhile; the log grows by what it commits. `python -m benchmarks.ledger_backup` compares the three.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

import msgspec

from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.stores.ledger_info import NEWER, LedgerInfo
from seamless_wallet.stores.sqlite import reads
from seamless_wallet.stores.sqlite.database import SIDE_FILES, check_files, connect, transaction
from seamless_wallet.stores.sqlite.new_file import CopyRefused, NewFile, check_writable_directory, refusing
from seamless_wallet.stores.sqlite.setup import read_info, schema_version
from seamless_wallet.stores.sqlite.sql import BACKUP_SQL, SCHEMA_VERSION
from seamless_wallet.stores.sqlite.verification import Progress, verify

PAGES_PER_STEP: Final = 4_096
"""16 MiB. After each step the progress is told and the disk is waited for, so that the kernel
never has much to write at once: that would hold up the writer's own fsync.
"""


class LedgerCopy(msgspec.Struct, frozen=True):
    """What a verified copy holds. `seqs`: the last entry of each shard; `last_ms`: when the newest one came in."""

    uuid: str
    seqs: tuple[int, ...]
    last_ms: int | None
    size_bytes: int


def back_up(ledger: Path, target: Path, *, replace: bool, copying: Progress, checking: Progress) -> LedgerCopy:
    """Save the ledger as it is now to a file that then is a whole ledger of mode 0600.

    `copying` is told pages, `checking` rows. Raises CopyRefused, and then nothing is there that was not there before;
    or StoreError, if there is no ledger that can be read.
    """
    _check_target(target, ledger)
    if not ledger.exists():
        check_files(ledger)
        raise StoreError(f"there is no ledger at {ledger}: run `wallet init`")
    new_file = NewFile(target, replace=replace)
    with refusing(f"cannot write {target}"), closing(connect(ledger, write=False)) as source, new_file as new:
        _copy(source, ledger, new, copying)
        found = check_copy(new, ledger, checking)
        new.publish()
    return found


def _check_target(target: Path, ledger: Path) -> None:
    check_writable_directory(target)
    place = target.absolute().parent.resolve() / target.name
    real = ledger.resolve()
    if place in {each.with_name(f"{each.name}{suffix}") for each in (ledger, real) for suffix in ("", *SIDE_FILES)}:
        raise CopyRefused(f"{target} is the ledger itself, or belongs to it: choose another name")
    if target.is_symlink() or (target.exists() and not target.is_file()):
        raise CopyRefused(f"{target} is no plain file: choose another name")


def _copy(source: sqlite3.Connection, ledger: Path, new: NewFile, progress: Progress) -> None:
    """Copy one snapshot, page by page. Raises CopyRefused, StoreError and OSError."""

    def told(status: int, remaining: int, total: int) -> None:
        if status in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:  # it would be tried again for ever
            raise CopyRefused(f"cannot copy {ledger}: it is locked; try again")
        new.sync()
        progress(total - remaining, total)

    with closing(sqlite3.connect(new.path, isolation_level=None)) as target:
        target.execute("PRAGMA journal_mode = OFF")  # nothing of it is needed if it is not completed
        target.execute("PRAGMA synchronous = OFF")
        try:
            with transaction(source):
                check_schema(source, ledger)  # from this first read on it is one snapshot
                source.backup(target, pages=PAGES_PER_STEP, progress=told)
        except sqlite3.Error as error:
            raise CopyRefused(
                f"cannot copy {ledger} to {new.target}: {error}; make room on that disk if it is full, else run "
                "`wallet verify`"
            ) from error


def check_schema(connection: sqlite3.Connection, path: Path) -> None:
    """Raises StoreError unless it is a ledger whose tables this version knows."""
    version = schema_version(connection, path)
    if version == 0:
        raise StoreError(f"{path} is not a ledger: correct the path")
    if version > SCHEMA_VERSION:
        raise StoreError(f"the ledger {path} {NEWER}")
    if version < SCHEMA_VERSION:
        raise StoreError(
            f"the ledger {path} has schema {version}, not {SCHEMA_VERSION}: back it up with the version that made it, "
            "or stop the service in order and copy the file"
        )


def check_copy(new: NewFile, name: Path, progress: Progress) -> LedgerCopy:
    """Check a copy that nobody writes as `wallet verify` does; `name` is what it is a copy of. Raises CopyRefused."""
    with closing(connect(new.path, write=False, immutable=True)) as connection:
        first, count = "", 0
        for finding in verify(connection, name, progress):
            count += 1
            where = "" if finding.shard is None else f"shard {finding.shard}, entry {finding.seq}: "
            first = first or f"{where}{finding.text}"
    if count:
        raise CopyRefused(
            f"{name} does not hold together, and no copy of it was kept: {count} findings, the first is: {first}; "
            "see `wallet docs operations`"
        )
    with closing(connect(new.path, write=False, immutable=True)) as connection:
        info, seqs, last_ms = _read_ends(connection)
    return LedgerCopy(info.uuid, seqs, last_ms, new.size_bytes)


def _read_ends(connection: sqlite3.Connection) -> tuple[LedgerInfo, tuple[int, ...], int | None]:
    (last_ms,) = connection.execute(BACKUP_SQL["last_received"]).fetchone()
    return read_info(connection), tuple(head.seq for head in reads.heads(connection)), last_ms
