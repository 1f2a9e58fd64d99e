"""What a month leaves behind when it is archived: the closing figures of players and shards, within one transaction."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

from seamless_wallet.ledger.fold import Wallet
from seamless_wallet.stores.archived_marks import MarkSum
from seamless_wallet.stores.audit import ChainEnd
from seamless_wallet.stores.player_audit import decided_entry
from seamless_wallet.stores.postgres.closings import read_closings, read_ends
from seamless_wallet.stores.postgres.primary import Connection
from seamless_wallet.stores.postgres.row_forms import entry_row_of
from seamless_wallet.stores.postgres.sql import ARCHIVE_SQL
from seamless_wallet.stores.postgres.verification import Progress
from seamless_wallet.stores.rows import apply_entry, encode_sessions

ROWS: Final = 1_000
"""That are read, or written, at a time."""


async def keep_closings(connection: Connection, shards: int, partition: str, progress: Progress) -> None:
    """Each player's wallet after his last entry of the month.

    Raises one of READ_ERRORS for what does not follow: then the ledger is damaged.
    """
    archived = await read_ends(connection)
    total = await connection.fetchval(_of(partition, "entry_count"))
    last: tuple[int, int, Wallet] | None = None  # player, entry, wallet
    ready: list[tuple[int, str, str]] = []
    done = 0
    async for rows in _chunks(connection, _of(partition, "by_player")):
        names = {row["player"]: (row["user_id"], row["currency"]) for row in rows}
        before = await read_closings(connection, shards, archived, names)
        for record in rows:
            row = entry_row_of(record, shards)
            if last is not None and last[0] != row.player:
                ready.append(_closing(last))
                last = None
            if last is not None:
                wallet: Wallet | None = last[2]
            else:
                wallet = before[row.player].wallet if row.player in before else None
            last = row.player, row.id, apply_entry(wallet, decided_entry(row, record["user_id"]), shards)
        await connection.execute(_of(partition, "set_closings"), *_columns(ready, 3))
        ready.clear()
        done += len(rows)
        progress(done, total)
    if last is not None:
        await connection.execute(_of(partition, "set_closings"), *_columns([_closing(last)], 3))


def _closing(last: tuple[int, int, Wallet]) -> tuple[int, str, str]:
    _, entry_id, wallet = last
    return entry_id, wallet.status, encode_sessions(wallet.sessions)


async def keep_mark_sums(connection: Connection, shards: int, ends: Mapping[int, ChainEnd]) -> None:
    """Of each player the sum over his marks whose entries are archived, as they are now."""
    ready: list[tuple[int, bytes]] = []
    player, total = 0, MarkSum("", "")
    async for rows in _chunks(connection, ARCHIVE_SQL["marks"]):
        for number, user_id, currency, digest, bet_index, entry, fingerprint, state in rows:
            if entry // shards > ends[entry % shards][1]:
                continue
            if number != player:
                if player:
                    ready.append((player, total.digest()))
                player, total = number, MarkSum(user_id, currency)
            total.add(digest, bet_index, entry, fingerprint, state)
        await connection.execute(ARCHIVE_SQL["set_marks"], *_columns(ready, 2))
        ready.clear()
    if player:
        await connection.execute(ARCHIVE_SQL["set_marks"], [player], [total.digest()])


async def keep_ends(connection: Connection, month: Any, ends: Mapping[int, ChainEnd]) -> None:
    """Where each shard ended, and how far it is now."""
    seqs = dict(await connection.fetch(ARCHIVE_SQL["head_seqs"]))
    rows = [(shard, *end, seqs[shard]) for shard, end in sorted(ends.items())]
    await connection.execute(ARCHIVE_SQL["insert_ends"], month, *_columns(rows, 5))


async def _chunks(connection: Connection, query: str) -> AsyncIterator[Sequence[Any]]:
    cursor = await connection.cursor(query)
    while rows := await cursor.fetch(ROWS):
        yield rows


def _columns(rows: Sequence[tuple[Any, ...]], count: int) -> Sequence[Sequence[Any]]:
    return list(zip(*rows, strict=True)) or [()] * count


def _of(partition: str, name: str) -> str:
    return ARCHIVE_SQL[name].replace("{partition}", partition)
