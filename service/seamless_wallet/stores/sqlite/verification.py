"""`wallet verify` on SQLite: the file itself, then every check of `seamless_wallet.stores.audit`, in one snapshot.

The snapshot keeps the write-ahead log from being reset while it lasts: on a busy ledger that file grows meanwhile.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Generator, Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.stores.audit import ChainCheck, Finding, PlayerCheck, check_totals
from seamless_wallet.stores.rows import EntryRow
from seamless_wallet.stores.sqlite.database import transaction
from seamless_wallet.stores.sqlite.reads import trial_balance
from seamless_wallet.stores.sqlite.setup import read_info
from seamless_wallet.stores.sqlite.sql import VERIFY_SQL

Row = tuple[Any, ...]
Progress = Callable[[int, int], None]
"""Rows done, rows in all."""

PROGRESS_EVERY: Final = 1_000
PASSES: Final = 2
"""In the order of commits, and player by player."""


def verify(connection: sqlite3.Connection, path: Path, progress: Progress) -> Generator[Finding]:
    """Everything that does not fit. Raises StoreError if the ledger cannot be read at all."""
    connection.text_factory = lambda raw: raw.decode("utf-8", "backslashreplace")
    try:
        connection.execute("PRAGMA temp_store = FILE")  # what is sorted may be larger than the memory
        with transaction(connection):
            for (text,) in connection.execute("PRAGMA integrity_check"):
                if text != "ok":
                    yield Finding(None, None, f"the file is damaged: {text}")
            yield from _Verification(connection, progress).findings()
    except sqlite3.OperationalError as error:
        raise StoreError(f"the ledger {path} failed: {error}") from error
    except sqlite3.DatabaseError as error:
        yield Finding(None, None, f"the file is damaged: {error}")


class _Verification:
    """The checks of one snapshot."""

    def __init__(self, connection: sqlite3.Connection, progress: Progress) -> None:
        self._connection = connection
        self._progress = progress
        self._shards = read_info(connection).shards
        self._total = PASSES * connection.execute(VERIFY_SQL["entry_count"]).fetchone()[0]
        self._done = 0

    def findings(self) -> Iterator[Finding]:
        yield from self._chains()
        yield from self._players()
        yield from self._rows_without_entries()
        wallets = {currency: (balance, debt) for currency, balance, debt in self._rows("wallet_totals")}
        yield from check_totals(trial_balance(self._connection), wallets)
        for sha, text in self._rows("scripts"):
            if hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest() != sha:
                yield Finding(None, None, f"the script {sha} is not that of its SHA-1")
        self._progress(self._total, self._total)

    def _chains(self) -> Iterator[Finding]:
        chains = ChainCheck()
        for *row, user_id in self._counted("by_id", 0):
            yield from chains.check(EntryRow(*row), user_id)
        heads = {shard: (epoch, seq, chain) for shard, epoch, seq, chain in self._rows("heads")}
        yield from chains.check_heads(heads, self._shards)

    def _players(self) -> Iterator[Finding]:
        for player, places in groupby(self._counted("by_player"), key=itemgetter(0)):
            stored = self._one("wallet", player)
            if stored is None:
                continue  # the check of the chains has told of each such entry
            checked = PlayerCheck(player, stored[1], self._shards)
            for _, entry_id in places:
                yield from checked.check(EntryRow(*self._one("entry", entry_id) or ()))
            yield from checked.check_wallet(stored)
            yield from checked.check_marks(self._rows("marks", player))
            yield from checked.check_signposts(self._rows("signposts", player))

    def _rows_without_entries(self) -> Iterator[Finding]:
        """What no entry explains."""
        for player, user_id, seq in self._rows("wallets_without_entries"):
            yield Finding(player % self._shards, seq, f"{user_id}: a wallet whose newest entry is not there")
        for what in ("marks_of_nobody", "signposts_of_nobody"):
            for (player,) in self._rows(what):
                yield Finding(None, None, f"{what.replace('_', ' ')}: there is no player {player}")

    def _rows(self, name: str, *values: int) -> Iterable[Row]:
        return self._connection.execute(VERIFY_SQL[name], values)

    def _counted(self, name: str, *values: int) -> Iterator[Row]:
        for row in self._rows(name, *values):
            self._done += 1
            if self._done % PROGRESS_EVERY == 0:
                self._progress(min(self._done, self._total), self._total)
            yield row

    def _one(self, name: str, key: int) -> Row | None:
        row: Row | None = self._connection.execute(VERIFY_SQL[name], (key,)).fetchone()
        return row
