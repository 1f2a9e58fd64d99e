"""Connections to the ledger's file, with the settings that its durability rests on.

The stdlib's sqlite3 and threads of our own rather than aiosqlite: that has one thread per connection and hands it
every execute and fetch through a queue, each a switch of threads; here a whole snapshot or commit is one.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from seamless_wallet.ledger.ports import StoreAway, StoreError
from seamless_wallet.trusted_paths import UntrustedPath, check_directory, check_entries, check_file

BUSY_TIMEOUT_MS: Final = 5_000
"""How long a write waits for another process's short one (a registration of scripts)."""

CACHE_KIB: Final = 8 * 1024
"""Pages that the writer's connection keeps: those of the last commits, and the inner ones of the trees.

More would cost more. When a page was split, SQLite walks through all it keeps as the transaction ends: half a
millisecond with 64 MB. What is missing is read from the system's cache, in 2 µs a page.
"""

LOG_PAGES: Final = 4_000
"""Pages of the log (16 MB) before they are moved into the file. Many of them were written again by then."""

SIDE_FILES: Final = ("-wal", "-shm", "-journal", ".writer.lock")
"""Ends of the names of files beside a ledger: SQLite's, and the lock of the writer."""

RESTORING: Final = ".restoring"
"""End of the name of a restored ledger, complete and verified, that is about to take the place of the ledger."""

KEEP_LOG_TRIES: Final = 20
"""Each waits for BUSY_TIMEOUT_MS at most."""

SQLITE_MIN: Final = (3, 37, 0)
"""STRICT tables."""


_making: Final = threading.Lock()

PASSING: Final = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
}
"""What SQLite reports of a database with which nothing is wrong. Its extended codes have these in the lowest byte."""


def store_error(text: str, error: sqlite3.Error) -> StoreError:
    """What SQLite has raised, as an error of the store: a StoreAway if it passes by itself."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)  # it is missing from those of the module itself
    return StoreAway(text) if code & 0xFF in PASSING else StoreError(text)


def make_file(path: Path, mode: int) -> None:
    """Make a file of SQLite's with a mode, unless it is there. One that may be open in this process is not closed.

    A process loses the locks of a file, all of its connections', when it closes any descriptor of it: another process
    would take itself for the last one, and remove the log under those who write. Raises OSError.
    """
    with _making, suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode))


def keep_log(connection: sqlite3.Connection) -> None:
    """Have the file of this connection keep a log (WAL), for ever. Raises sqlite3.Error.

    For this SQLite does not wait while others use the file, as two that make it at once do. A transaction waits.
    """
    for tries_left in reversed(range(KEEP_LOG_TRIES)):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or not tries_left:
                raise
            with transaction(connection, "IMMEDIATE"):
                pass
        else:
            return


def check_files(path: Path, *, restoring: bool = False) -> None:
    """Whether nobody else could have written a ledger, or what SQLite keeps beside it. Raises StoreError.

    A file that is not there yet is for whoever opens it to tell. Between the first and the last rename of a restore
    there may be a ledger without its log, or none: it is refused then, but for the restore itself.
    """
    beside = tuple(f"{path.name}{suffix}" for suffix in ("", *SIDE_FILES))
    real = path.resolve()  # SQLite follows links, and keeps its files beside the real one
    if not restoring and os.path.lexists(f"{real}{RESTORING}"):
        raise StoreError(f"the restore of the ledger {path} was interrupted: run `wallet restore` again")
    try:
        for directory in {path.absolute().parent, real.parent}:
            check_directory(directory)
        check_entries(path.parent, beside)
        check_entries(real.parent, tuple(f"{real.name}{suffix}" for suffix in ("", *SIDE_FILES)))
        check_file(path)  # and the way to it, link by link
    except UntrustedPath as error:
        raise StoreError(f"the ledger {path} is not safe: {error}") from None
    except OSError:
        return


def connect(
    path: Path, *, write: bool, busy_timeout_ms: int = BUSY_TIMEOUT_MS, immutable: bool = False
) -> sqlite3.Connection:
    """A connection in autocommit mode to a file that must exist. Raises StoreError.

    `immutable`: a file that nobody changes, and that is all there is: it is read without locks and without a log.

    A reader, too, makes and maps the `-shm` file beside the ledger: it needs a directory it may write.
    `check_same_thread` is off only so that the closing thread may close what a pool thread opened.
    """
    if sqlite3.sqlite_version_info < SQLITE_MIN:
        raise StoreError(f"SQLite {sqlite3.sqlite_version} is too old; use a Python with SQLite 3.37 or newer")
    check_files(path)
    uri = f"{path.absolute().as_uri()}?mode={'rw' if write else 'ro'}{'&immutable=1' if immutable else ''}"
    try:
        connection = sqlite3.connect(
            uri, uri=True, timeout=busy_timeout_ms / 1000, isolation_level=None, check_same_thread=False
        )
    except sqlite3.Error as error:
        raise store_error(f"cannot open the ledger {path}: {error}", error) from error
    try:
        # recursive_triggers: without it REPLACE deletes past the trigger that keeps entries.
        for pragma in ("foreign_keys", "recursive_triggers", "cell_size_check"):
            connection.execute(f"PRAGMA {pragma} = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA temp_store = MEMORY")
        if write:
            connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
            connection.execute("PRAGMA synchronous = FULL")  # in WAL mode: an fsync before every commit returns
            connection.execute("PRAGMA fullfsync = ON")  # where fsync alone is no barrier (macOS)
        connection.execute("SELECT 1 FROM sqlite_schema").fetchall()
    except sqlite3.Error as error:
        connection.close()
        raise store_error(
            f"cannot read the ledger {path}: {error}; check that the file is a ledger and that this user may write in "
            "its directory",
            error,
        ) from error
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection, mode: str = "DEFERRED") -> Iterator[None]:
    """One transaction; DEFERRED ones that only read are one snapshot. Nothing of it stays after an exception."""
    connection.execute(f"BEGIN {mode}")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
