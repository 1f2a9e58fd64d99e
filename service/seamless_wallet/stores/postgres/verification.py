"""`wallet verify` on PostgreSQL: every check of `audit` and `player_audit`, in one snapshot.

Memory is bounded, whatever the ledger holds: rows come a few at a time, and a player's marks in slices. While it lasts,
the server keeps the rows that were there at its beginning. Whether its files are damaged pg_amcheck tells.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final

from seamless_wallet.commands import DIGEST_BYTES
from seamless_wallet.stores.archived_marks import Closing
from seamless_wallet.stores.audit import ChainCheck, Finding, check_totals
from seamless_wallet.stores.player_audit import END, HELD_MAX, MarkCheck, MarkRow, PlayerCheck
from seamless_wallet.stores.postgres.closings import ArchivedTo, read_closings, read_ends
from seamless_wallet.stores.postgres.primary import WHOLE_TABLES, Connection
from seamless_wallet.stores.postgres.reads import trial_balance
from seamless_wallet.stores.postgres.row_forms import entry_row_of, wallet_row_of
from seamless_wallet.stores.postgres.setup import read_info
from seamless_wallet.stores.postgres.sql import VERIFY_SQL

Progress = Callable[[int, int], None]
"""Rows done, rows in all."""

Bars = Callable[[str], Progress]
"""A title → what is told how much of it is done."""

PROGRESS_EVERY: Final = 1_000
PASSES: Final = 2
"""In the order of places, and player by player."""


async def verify(connection: Connection, progress: Progress, held_max: int = HELD_MAX) -> AsyncIterator[Finding]:
    """Everything that does not fit, with so many marks of a player in memory. The connection is for this alone."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        async for finding in verify_snapshot(connection, progress, held_max):
            yield finding


async def verify_snapshot(
    connection: Connection, progress: Progress, held_max: int = HELD_MAX
) -> AsyncIterator[Finding]:
    """The same within the caller's transaction, which has one snapshot."""
    await connection.execute(WHOLE_TABLES)
    shards = (await read_info(connection)).shards
    total = PASSES * await connection.fetchval(VERIFY_SQL["entry_count"])
    verification = _Verification(connection, progress, held_max, shards, total)
    async for finding in verification.findings():
        yield finding


class _Verification:
    """The checks of one snapshot."""

    def __init__(self, connection: Connection, progress: Progress, held_max: int, shards: int, total: int) -> None:
        self._connection = connection
        self._progress = progress
        self._held_max = held_max
        self._shards = shards
        self._total = total
        self._done = 0
        self._archived = ArchivedTo({}, {})

    async def findings(self) -> AsyncIterator[Finding]:
        self._archived = await read_ends(self._connection)
        for part in (self._chains, self._players, self._archived_players, self._rows_without_entries):
            async for finding in part():
                yield finding
        wallets = {currency: (balance, debt) for currency, balance, debt in await self._rows("wallet_totals")}
        for finding in check_totals(await trial_balance(self._connection), wallets):
            yield finding
        for sha, text in await self._rows("scripts"):
            if hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest() != sha:
                yield Finding(None, None, f"the script {sha} is not that of its SHA-1")
        self._progress(self._total, self._total)

    async def _chains(self) -> AsyncIterator[Finding]:
        chains = ChainCheck(self._archived.ends)
        async for row in self._counted("by_id"):
            for finding in chains.check(entry_row_of(row, self._shards), row["user_id"]):
                yield finding
        heads = {shard: (epoch, seq, chain) for shard, epoch, seq, chain in await self._rows("heads")}
        for finding in chains.check_heads(heads, self._shards):
            yield finding

    async def _players(self) -> AsyncIterator[Finding]:
        """Player by player. The marks of one who has very many are checked slice by slice."""
        player: _Player | None = None
        number = None
        async for record in self._counted("by_player"):
            row = entry_row_of(record, self._shards)
            if row.player != number:
                async for finding in self._finish(player):
                    yield finding
                number = row.player
                player = await self._begin(number)
            if player is not None:  # of others the check of the chains has told
                for finding in player.checked.check(row):
                    yield finding
        async for finding in self._finish(player):
            yield finding

    async def _begin(self, number: int) -> _Player | None:
        wallet = await self._connection.fetchrow(VERIFY_SQL["wallet"], number)
        if wallet is None:
            return None
        names = {number: (wallet["user_id"], wallet["currency"])}
        closing = (await read_closings(self._connection, self._shards, self._archived, names)).get(number)
        signposts = [
            (seq, received_ms, seq * self._shards + number % self._shards)
            for seq, received_ms in await self._rows("signposts", number, closing.row.seq if closing else 0)
        ]
        checked = PlayerCheck(
            number, wallet[1], self._shards, iter(signposts), self._held_max, closing, has_fingerprints=True
        )
        return _Player(number, wallet, checked, closing)

    async def _archived_players(self) -> AsyncIterator[Finding]:
        """Those of whom no entry is left."""
        async for player, user_id in self._connection.cursor(
            VERIFY_SQL["players_of_archives"], prefetch=PROGRESS_EVERY
        ):
            if user_id is None:
                yield Finding(None, None, f"closing figures of nobody: there is no player {player}")
            async for finding in self._finish(await self._begin(player)):
                yield finding

    async def _finish(self, player: _Player | None) -> AsyncIterator[Finding]:
        if player is None:
            return
        for finding in player.checked.check_wallet(wallet_row_of(player.wallet, self._shards)):
            yield finding
        first = marks = player.checked.marks
        while True:
            async for finding in self._check_slice(player.number, marks):
                yield finding
            if marks.end == END:
                break
            marks = MarkCheck(
                player.number,
                player.wallet[1],
                self._shards,
                marks.end,
                self._held_max,
                player.closing,
                first.archived,
                has_fingerprints=True,
            )
            async for record in self._connection.cursor(
                VERIFY_SQL["of_player"], player.number, prefetch=PROGRESS_EVERY
            ):
                for finding in marks.check(entry_row_of(record, self._shards)):
                    yield finding
        for finding in player.checked.check_archived():
            yield finding

    async def _check_slice(self, player: int, marks: MarkCheck) -> AsyncIterator[Finding]:
        async for mark in self._marks(player, marks):
            for finding in marks.check_mark(mark):
                yield finding
        for finding in marks.check_missing():
            yield finding

    async def _marks(self, player: int, checked: MarkCheck) -> AsyncIterator[MarkRow]:
        """The marks of a slice."""
        first, end = checked.first.ljust(DIGEST_BYTES, b"\0"), None if checked.end == END else checked.end
        async for mark in self._connection.cursor(VERIFY_SQL["marks"], player, first, end, prefetch=PROGRESS_EVERY):
            yield tuple(mark)

    async def _rows_without_entries(self) -> AsyncIterator[Finding]:
        """What no entry explains."""
        for player, user_id, seq in await self._rows("wallets_without_entries"):
            yield Finding(player % self._shards, seq, f"{user_id}: a wallet whose newest entry is not there")
        for what in ("marks_of_nobody", "signposts_of_nobody"):
            for (player,) in await self._rows(what):
                yield Finding(None, None, f"{what.replace('_', ' ')}: there is no player {player}")

    async def _rows(self, name: str, *values: int | bytes | None) -> Sequence[Any]:
        rows: Sequence[Any] = await self._connection.fetch(VERIFY_SQL[name], *values)
        return rows

    async def _counted(self, name: str) -> AsyncIterator[Any]:
        async for row in self._connection.cursor(VERIFY_SQL[name], prefetch=PROGRESS_EVERY):
            self._done += 1
            if not self._done % PROGRESS_EVERY:
                self._progress(min(self._done, self._total), self._total)
            yield row


class _Player:
    """A player under verification."""

    def __init__(self, number: int, wallet: Any, checked: PlayerCheck, closing: Closing | None) -> None:
        self.number = number
        self.wallet = wallet
        self.checked = checked
        self.closing = closing
