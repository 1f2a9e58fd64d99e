"""Rows of this backend, and what every store calls them. What follows from a place is not stored."""

from __future__ import annotations

from typing import Any, Final

from seamless_wallet.ledger.entry import Entry
from seamless_wallet.stores.rows import EntryRow, StoredWallet, WalletRow, entry_of, stored_wallet

INDEXED_BYTES_MAX: Final = 2_600
"""Of a text that stands in an index: with the rest of its row it must fit into a third of a page."""

Record = Any
"""A row as asyncpg gives it: by position and by name."""


def entry_row_of(row: Record, shards: int) -> EntryRow:
    """A row of the table `entry`."""
    (
        place, player, previous, received_ms, version, balance, debt, balance_delta, debt_delta, epoch, _, chain, kind,
        provider, transaction_id, game_no, effects, payload,
    ) = row[:18]  # fmt: skip
    seq, shard = divmod(place, shards)
    return EntryRow(
        place, shard, seq, epoch, player, previous, kind, provider, transaction_id, game_no, received_ms, version,
        balance, debt, balance_delta, debt_delta, effects, payload, chain,
    )  # fmt: skip


def read_entry(row: Record, shards: int, user_id: str) -> Entry:
    """The entry of a row."""
    return entry_of(entry_row_of(row, shards), user_id)


def wallet_row_of(row: Record, shards: int) -> WalletRow:
    """A row of the table `wallet`: the place of its newest entry follows from that entry's seq."""
    player, user_id, currency, status, version, seq, balance, debt, sessions = row[:9]
    last = seq * shards + player % shards
    return (player, user_id, currency, status, version, seq, balance, debt, last, sessions)


def wallet_of(row: Record, shards: int) -> StoredWallet:
    """The wallet of a row."""
    return stored_wallet(wallet_row_of(row, shards))


def can_be_kept(text: str) -> bool:
    """Whether a column of type text holds it: neither a NUL nor half of a surrogate pair."""
    if text.isascii():
        return "\0" not in text
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


def can_be_indexed(text: str) -> bool:
    """Whether an index holds it, too. PostgreSQL takes some that are longer, if they can be packed."""
    return can_be_kept(text) and len(text.encode()) <= INDEXED_BYTES_MAX
