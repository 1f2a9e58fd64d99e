"""Which shards a writer holds: those whose heads name it. Whether it may take them, the lock on the file decides."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection

from seamless_wallet.ledger.conflicts import Displaced
from seamless_wallet.stores.sqlite import reads
from seamless_wallet.stores.sqlite.database import transaction
from seamless_wallet.stores.sqlite.sql import WRITE_SQL


def take_over(connection: sqlite3.Connection, nonce: str, shards: Collection[int], now_ms: int) -> None:
    """Name a writer, and make it that of these shards."""
    with transaction(connection, "IMMEDIATE"):
        connection.execute(WRITE_SQL["insert_writer"], (nonce, now_ms))
        connection.executemany(WRITE_SQL["take_shard"], [(nonce, shard) for shard in shards])


def move(
    connection: sqlite3.Connection, nonce: str, taken: Collection[int], take: Collection[int], release: Collection[int]
) -> set[int]:
    """Take and release shards; returns what the writer holds then. Raises Displaced if it lost one of `taken`."""
    if not (take or release):
        with transaction(connection):
            return _held(connection, nonce, taken)
    with transaction(connection, "IMMEDIATE"):
        _held(connection, nonce, taken)
        connection.executemany(WRITE_SQL["release_shard"], [(shard, nonce) for shard in release])
        connection.executemany(WRITE_SQL["take_shard"], [(nonce, shard) for shard in take])
        return _held(connection, nonce, ())


def release_all(connection: sqlite3.Connection, nonce: str) -> None:
    """The writer leaves all its shards."""
    with transaction(connection, "IMMEDIATE"):
        connection.execute(WRITE_SQL["release_shards"], (nonce,))


def _held(connection: sqlite3.Connection, nonce: str, taken: Collection[int]) -> set[int]:
    held = {shard for shard, head in enumerate(reads.heads(connection)) if head.nonce == nonce}
    if not held.issuperset(taken):
        raise Displaced("the ledger names another writer, although this one has its lock")
    return held
