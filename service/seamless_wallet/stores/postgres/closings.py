"""The closing figures of archived months: where what was not archived goes on from."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from seamless_wallet.ledger.fold import Wallet
from seamless_wallet.stores.archived_marks import Closing
from seamless_wallet.stores.audit import ChainEnd
from seamless_wallet.stores.postgres.primary import Connection
from seamless_wallet.stores.postgres.row_forms import entry_row_of
from seamless_wallet.stores.postgres.sql import VERIFY_SQL
from seamless_wallet.stores.rows import EntryRow, stored_wallet


class ArchivedTo(NamedTuple):
    """The end of what is archived, in all shards; both empty if nothing is."""

    ends: Mapping[int, ChainEnd]
    summed_at: Mapping[int, int]
    """By shard the seq of its last entry when marks were summed."""

    def has(self, shard: int, seq: int) -> bool:
        """Whether an entry is archived."""
        return seq <= self.ends.get(shard, (0, 0))[1]


async def read_ends(connection: Connection) -> ArchivedTo:
    """Where the archived entries end, in the caller's snapshot."""
    rows = await connection.fetch(VERIFY_SQL["ends"])
    ends = {shard: (epoch, seq, chain) for shard, epoch, seq, chain, _ in rows}
    return ArchivedTo(ends, {row[0]: row[4] for row in rows})


async def read_closings(
    connection: Connection, shards: int, archived: ArchivedTo, names: Mapping[int, tuple[str, str]]
) -> Mapping[int, Closing]:
    """The closing figures of players, each by number with user_id and currency. Raises msgspec.MsgspecError."""
    if not archived.ends or not names:
        return {}
    rows = await connection.fetch(VERIFY_SQL["closings"], list(names))
    return {row["player"]: _closing_of(row, shards, archived, *names[row["player"]]) for row in rows}


async def closing_rows(connection: Connection, shards: int, players: Collection[int]) -> Sequence[EntryRow]:
    """The newest archived entries of players."""
    return [entry_row_of(row, shards) for row in await connection.fetch(VERIFY_SQL["closings"], list(players))]


def _closing_of(row: Any, shards: int, archived: ArchivedTo, user_id: str, currency: str) -> Closing:
    last = entry_row_of(row, shards)
    wallet = wallet_after(last, user_id, currency, row["status"], row["sessions"])
    shard = last.shard
    archived_to = archived.ends[shard][1] * shards + shard
    return Closing(last, wallet, row["marks"], archived_to, archived.summed_at[shard] * shards + shard)


def wallet_after(last: EntryRow, user_id: str, currency: str, status: str, sessions: str) -> Wallet:
    """The wallet after an entry, which says of it all but status and sessions. Raises msgspec.MsgspecError."""
    numbers = (last.version, last.seq, last.balance, last.debt)
    return stored_wallet((last.player, user_id, currency, status, *numbers, last.id, sessions)).wallet
