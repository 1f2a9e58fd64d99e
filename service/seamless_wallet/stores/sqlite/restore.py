"""A backup in the place of the ledger. Everything is made and verified beside the ledger, which is then moved away.

Two files (the ledger and its log) cannot be exchanged in one step. So the new ledger first gets the name that ends in
`RESTORING`: while it is there, nothing but a restore opens the ledger. Whatever a kill leaves, the next restore ends.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.stores.ledger_info import NEWER, check_currencies, check_shards
from seamless_wallet.stores.sqlite.backup import LedgerCopy, check_copy
from seamless_wallet.stores.sqlite.database import RESTORING, check_files, connect
from seamless_wallet.stores.sqlite.lease import WriterLease
from seamless_wallet.stores.sqlite.new_file import CopyRefused, NewFile, refusing, sync_directory
from seamless_wallet.stores.sqlite.setup import init, read_info, schema_version
from seamless_wallet.stores.sqlite.sql import BACKUP_SQL, SCHEMA_VERSION
from seamless_wallet.stores.sqlite.verification import Progress
from seamless_wallet.trusted_paths import UntrustedPath, open_trusted

CHUNK_BYTES: Final = 1 << 24

LOGS: Final = ("-wal", "-journal")
"""What SQLite keeps beside a ledger and may hold a part of it."""

_SHARED_FIRST: Final = 0x40000002
_SHARED_SIZE: Final = 510
"""The bytes that every connection to an SQLite file in WAL mode holds a shared lock on."""


class Restored(msgspec.Struct, frozen=True):
    """What is in the place of the ledger now. `kept`: the old one, if there was one."""

    copy: LedgerCopy
    kept: Path | None


@contextmanager
def opened_backup(backup: Path, ledger: Path) -> Iterator[int]:
    """A descriptor of a backup to read, which may be a pipe. Raises CopyRefused."""
    try:
        descriptor = open_trusted(backup)
    except FileNotFoundError:
        raise CopyRefused(f"there is no backup at {backup}: correct the path") from None
    except UntrustedPath as error:
        raise CopyRefused(f"the backup {backup} is not safe: {error}") from None
    except OSError as error:
        raise CopyRefused(f"cannot read {backup}: {error.strerror}; correct the path or its permissions") from None
    try:
        if ledger.exists() and os.path.samestat(os.fstat(descriptor), ledger.stat()):
            raise CopyRefused(f"{backup} is the ledger itself: name a backup of it")
        for log in (Path(f"{backup}{suffix}") for suffix in LOGS):
            if log.exists() and log.stat().st_size:
                raise CopyRefused(
                    f"{backup} is in use, or was not closed in order: a part of it is in {log.name}; set "
                    "WALLET_LEDGER_URL to it, make a backup of it with `wallet backup`, and restore that"
                )
        yield descriptor
    finally:
        os.close(descriptor)


def restore(
    source: int,
    backup: Path,
    ledger: Path,
    *,
    shards: int,
    currencies: Mapping[str, int],
    new_uuid: str,
    replace: bool,
    copying: Progress,
    checking: Progress,
) -> Restored:
    """Put what is read from `source` in the place of the ledger, under another UUID, with today's tables.

    `copying` is told bytes, `checking` rows. Raises CopyRefused or StoreError; then the ledger is as it was, or it is
    refused until a restore has ended.
    """
    check_files(ledger, restoring=True)
    real = ledger.resolve()
    with refusing(f"cannot restore {ledger}"), WriterLease(ledger), _used_by_nobody(real):
        if real.exists() and not replace:
            raise CopyRefused(
                f"there is a ledger at {ledger}: pass --replace to put the backup in its place; the old one is kept"
            )
        with NewFile(Path(f"{real}{RESTORING}"), replace=True) as new:
            _copy_bytes(source, new, copying)
            _check_backup(new.path, backup, shards, currencies)
            with _naming(backup):
                _begin_anew(new.path, shards, currencies, new_uuid)
            found = check_copy(new, backup, checking)
            new.publish()
        kept = _take_place(real)
    return Restored(found, kept)


@contextmanager
def _used_by_nobody(path: Path) -> Iterator[None]:
    """Hold SQLite's own lock: it is free if no process has the file open, and while it is held none opens it."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        yield
        return
    try:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, _SHARED_SIZE, _SHARED_FIRST)
        except OSError as error:
            if error.errno not in {errno.EACCES, errno.EAGAIN}:
                raise
            raise CopyRefused(
                f"a process has the ledger {path} open: stop workers, back office and every `wallet verify`"
            ) from None
        yield
    finally:
        os.close(descriptor)


def _copy_bytes(source: int, new: NewFile, progress: Progress) -> None:
    total = os.fstat(source).st_size

    def chunks() -> Iterator[bytes]:
        done = 0
        while chunk := os.read(source, CHUNK_BYTES):
            yield chunk
            done += len(chunk)
            progress(done, max(done, total))

    with new.path.open("r+b", buffering=0) as file:
        for chunk in chunks():
            rest = memoryview(chunk)
            while rest:
                rest = rest[file.write(rest) :]


def _check_backup(path: Path, backup: Path, shards: int, currencies: Mapping[str, int]) -> None:
    """Whether a copy of the backup is a ledger of these settings. Raises CopyRefused or StoreError."""
    with _naming(backup), closing(connect(path, write=False, immutable=True)) as connection:
        version = schema_version(connection, backup)
        if version > SCHEMA_VERSION:
            raise CopyRefused(f"the backup {backup} {NEWER}")
        if version == 0:
            raise CopyRefused(f"{backup} is not a backup of a ledger: correct the path")
        info = read_info(connection)
    check_shards(info, backup, shards)
    check_currencies(info, backup, {name: digits for name, digits in currencies.items() if name in info.used})


@contextmanager
def _naming(backup: Path) -> Iterator[None]:
    """Name the backup in whatever SQLite says of its copy. Raises CopyRefused."""
    try:
        yield
    except (StoreError, sqlite3.Error, TypeError, ValueError) as error:  # also rows that are not there, or no text
        why = error.__cause__ if isinstance(error, StoreError) else error
        if why is None:
            raise
        if isinstance(why, sqlite3.OperationalError):
            raise CopyRefused(f"cannot restore {backup}: {why}; make room on that disk if it is full") from error
        raise CopyRefused(f"the backup {backup} is damaged: {why}; restore another one") from error


def _begin_anew(path: Path, shards: int, currencies: Mapping[str, int], new_uuid: str) -> None:
    """As `wallet init` does: today's tables, the currencies of the settings. And another name for another history.

    Raises CopyRefused, StoreError and sqlite3.Error.
    """
    init(path, shards, currencies)
    with closing(connect(path, write=True)) as connection:
        connection.execute(BACKUP_SQL["rename_ledger"], (new_uuid,))
    if any(Path(f"{path}{suffix}").exists() for suffix in LOGS):  # the last connection moves all of it into the file
        raise CopyRefused(f"cannot finish the ledger {path}: a part of it stayed in its log; make room on that disk")


def _take_place(real: Path) -> Path | None:
    """Move the old ledger away with its log, then the new one in its place. Whatever was done already is left out."""
    kept = None
    logs = [log for suffix in LOGS if (log := Path(f"{real}{suffix}")).exists() and log.stat().st_size]
    old = [*logs, *filter(Path.exists, [real])]  # the ledger last: a later run makes the same name of it
    if old:
        kept = _kept_name(old[-1], real.name)
        for path in old:
            path.rename(f"{kept}{path.name.removeprefix(real.name)}")
    for suffix in ("-shm", *LOGS):
        Path(f"{real}{suffix}").unlink(missing_ok=True)
    sync_directory(real.parent)
    Path(f"{real}{RESTORING}").rename(real)
    sync_directory(real.parent)
    return kept


def _kept_name(path: Path, name: str) -> Path:
    """A name beside a replaced file that tells when something was last written into it. Raises CopyRefused."""
    written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    kept = path.with_name(f"{name}.replaced-{written:%Y%m%dT%H%M%S.%fZ}")
    if kept.exists():
        raise CopyRefused(f"{kept} exists already: move it elsewhere")
    return kept
