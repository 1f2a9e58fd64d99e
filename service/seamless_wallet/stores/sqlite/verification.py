"""`wallet verify` on SQLite: the file itself, then every check of `audit` and `player_audit`, in one snapshot.

Memory is bounded, whatever the ledger holds: rows come one by one, and a player's marks in slices. The snapshot keeps
the write-ahead log from being reset while it lasts: on a busy ledger that file grows meanwhile.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Generator, Iterable, Iterator
from itertools import groupby
from operator import itemgetter, methodcaller
from pathlib import Path
from typing import Any, Final

from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.stores.audit import ChainCheck, Finding, check_totals
from seamless_wallet.stores.player_audit import END, HELD_MAX, MarkCheck, PlayerCheck
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

LENIENT: Final = methodcaller("decode", "utf-8", "backslashreplace")
"""How a text that may be none is read: a finding, not a crash. It costs twice as much as `str`."""

PLAYER_COLUMN: Final = EntryRow._fields.index("player")


def verify(
    connection: sqlite3.Connection, path: Path, progress: Progress, held_max: int = HELD_MAX
) -> Generator[Finding]:
    """Everything that does not fit, with so many marks of a player in memory. Raises StoreError if it cannot be read.

    The connection is the caller's, for this alone.
    """
    connection.text_factory = LENIENT
    try:
        connection.execute("PRAGMA temp_store = FILE")  # what is sorted may be larger than the memory
        with transaction(connection):
            for (text,) in connection.execute("PRAGMA integrity_check"):
                if text != "ok":
                    yield Finding(None, None, f"the file is damaged: {text}")
            yield from _Verification(connection, progress, held_max).findings()
    except sqlite3.OperationalError as error:
        raise StoreError(f"the ledger {path} failed: {error}") from error
    except sqlite3.DatabaseError as error:
        yield Finding(None, None, f"the file is damaged: {error}")


class _Verification:
    """The checks of one snapshot."""

    def __init__(self, connection: sqlite3.Connection, progress: Progress, held_max: int) -> None:
        self._connection = connection
        self._progress = progress
        self._held_max = held_max
        self._texts: Callable[[bytes], str] = str  # until a text is none
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
        try:
            yield from self._chained(chains)
        except sqlite3.OperationalError:
            if self._texts is LENIENT:
                raise
            self._texts = LENIENT  # what was raised stays, unless it was a text that is none
            yield from self._chained(chains)
        heads = {shard: (epoch, seq, chain) for shard, epoch, seq, chain in self._rows("heads")}
        yield from chains.check_heads(heads, self._shards)

    def _chained(self, chains: ChainCheck) -> Iterator[Finding]:
        for *row, user_id in self._counted("by_id", chains.last_id):
            yield from chains.check(EntryRow(*row), user_id)

    def _players(self) -> Iterator[Finding]:
        """Player by player. The marks of one who has very many are checked slice by slice."""
        self._connection.execute(VERIFY_SQL["make_story"])
        self._connection.execute(VERIFY_SQL["fill_story"])
        for player, rows in groupby(self._counted("by_player"), key=itemgetter(PLAYER_COLUMN)):
            stored = self._connection.execute(VERIFY_SQL["wallet"], (player,)).fetchone()
            if stored is None:
                continue  # the check of the chains has told of each such entry
            user_id = stored[1]
            signposts = iter(self._rows("signposts", player))
            checked = PlayerCheck(player, user_id, self._shards, signposts, self._held_max, has_fingerprints=False)
            for row in rows:
                yield from checked.check(EntryRow(*row))
            yield from checked.check_wallet(stored)
            yield from self._marks(player, checked.marks)
            marks = checked.marks
            while marks.end != END:
                marks = MarkCheck(player, user_id, self._shards, marks.end, self._held_max, has_fingerprints=False)
                for row in self._rows("of_player", player):
                    yield from marks.check(EntryRow(*row))
                yield from self._marks(player, marks)

    def _marks(self, player: int, checked: MarkCheck) -> Iterator[Finding]:
        """The marks of a slice."""
        yield from checked.check_marks(self._rows("marks", player, checked.first, checked.end))

    def _rows_without_entries(self) -> Iterator[Finding]:
        """What no entry explains."""
        for player, user_id, seq in self._rows("wallets_without_entries"):
            yield Finding(player % self._shards, seq, f"{user_id}: a wallet whose newest entry is not there")
        for what in ("marks_of_nobody", "signposts_of_nobody"):
            for (player,) in self._rows(what):
                yield Finding(None, None, f"{what.replace('_', ' ')}: there is no player {player}")

    def _rows(self, name: str, *values: int | bytes) -> Iterable[Row]:
        return self._connection.execute(VERIFY_SQL[name], values)

    def _counted(self, name: str, *values: int) -> Iterator[Row]:
        rows = self._connection.execute(VERIFY_SQL[name], values)
        while some := self._fetch(rows):
            yield from some
            self._done += len(some)
            self._progress(min(self._done, self._total), self._total)

    def _fetch(self, rows: sqlite3.Cursor) -> list[Row]:
        """The next rows. The first pass meets every text of the second one."""
        self._connection.text_factory = self._texts
        try:
            return rows.fetchmany(PROGRESS_EVERY)
        finally:
            self._connection.text_factory = LENIENT
