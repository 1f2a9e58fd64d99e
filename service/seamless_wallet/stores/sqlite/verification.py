"""`wallet verify` on SQLite: the file itself, then every check of `seamless_wallet.stores.audit`, in one snapshot.

The snapshot keeps the write-ahead log from being reset while it lasts: on a busy ledger that file grows meanwhile.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from seamless_wallet.ledger.entry import Entry
from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.stores.audit import Finding, check_chain, check_rounds, check_totals, check_wallets, is_first_seen
from seamless_wallet.stores.rows import EntryRow, WalletRow
from seamless_wallet.stores.sqlite.database import transaction
from seamless_wallet.stores.sqlite.reads import trial_balance
from seamless_wallet.stores.sqlite.setup import read_info
from seamless_wallet.stores.sqlite.sql import READ_SQL, VERIFY_SQL

Row = tuple[Any, ...]
Progress = Callable[[int, int], None]
"""Rows done, rows in all."""

PROGRESS_EVERY: Final = 1_000
PASSES: Final = 4
"""By shard, by player, by round, and the bets."""


def verify(connection: sqlite3.Connection, path: Path, progress: Progress) -> Generator[Finding]:
    """Everything that does not fit. Raises StoreError if the ledger cannot be read at all."""
    connection.text_factory = lambda raw: raw.decode("utf-8", "backslashreplace")
    try:
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
        heads = {shard: (epoch, seq, chain) for shard, epoch, seq, chain in self._rows("heads")}
        by_seq = ((EntryRow(*row[:-1]), row[-1]) for row in self._counted("by_seq"))
        yield from check_chain(by_seq, heads, self._shards)
        by_user = ((user, currency, Entry(*rest)) for user, currency, *rest in self._counted("by_user"))
        yield from check_wallets(by_user, self._wallet, self._shards)
        yield from check_rounds(self._counted("by_round"), self._round, self._bet)
        yield from self._rows_without_entries()
        wallets = {currency: (balance, debt) for currency, balance, debt in self._rows("wallet_totals")}
        yield from check_totals(trial_balance(self._connection), wallets)
        for sha, text in self._rows("scripts"):
            if hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest() != sha:
                yield Finding(None, None, f"the script {sha} is not that of its SHA-1")
        self._progress(self._total, self._total)

    def _rows_without_entries(self) -> Iterator[Finding]:
        """What no entry explains."""
        for shard, seq in self._rows("wallets_without_entries"):
            yield Finding(shard, seq, "a wallet without entries")
        for (digest,) in self._rows("rounds_without_entries"):
            yield Finding(None, None, f"the round {digest} has no entries")
        for bet, shard, seq, epoch, payload, decided in self._counted("bets"):
            entry = None if payload is None else Entry(shard, epoch, seq, payload, decided)
            if not is_first_seen(bet, entry):
                yield Finding(shard, seq, f"did not place the bet {bet.hex()}, which points to it")

    def _rows(self, name: str) -> Iterable[Row]:
        return self._connection.execute(VERIFY_SQL[name])

    def _counted(self, name: str) -> Iterator[Row]:
        for row in self._rows(name):
            self._done += 1
            if self._done % PROGRESS_EVERY == 0:
                self._progress(min(self._done, self._total), self._total)
            yield row

    def _one(self, name: str, key: str | bytes) -> Row | None:
        row: Row | None = self._connection.execute(VERIFY_SQL[name], (key,)).fetchone()
        return row

    def _wallet(self, user_id: str) -> tuple[int, WalletRow] | None:
        row = self._connection.execute(READ_SQL["wallet"], (user_id,)).fetchone()
        shard = self._one("wallet_shard", user_id)
        return (shard[0], row) if row and shard else None

    def _round(self, digest: bytes) -> tuple[str, int] | None:
        return self._one("round", digest)

    def _bet(self, digest: bytes) -> tuple[int, int, str] | None:
        return self._one("bet", digest)
