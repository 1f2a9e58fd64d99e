"""The newest entries verified, some at a time: each part is one short snapshot, which holds nobody up."""

from __future__ import annotations

import sqlite3
from functools import partial
from typing import Any

from seamless_wallet.stores.audit import ChainCheck, Finding
from seamless_wallet.stores.increment_audit import (
    BetMark,
    Checkpoint,
    CheckpointRefused,
    FollowCheck,
    Increment,
    Tables,
)
from seamless_wallet.stores.rows import EntryRow
from seamless_wallet.stores.sqlite.setup import read_info
from seamless_wallet.stores.sqlite.sql import VERIFY_SQL
from seamless_wallet.stores.sqlite.verification import LENIENT


def verify_increment(connection: sqlite3.Connection, checkpoint: Checkpoint, limit: int) -> Increment:
    """Verify up to `limit` entries after a checkpoint, in the caller's snapshot.

    Raises CheckpointRefused if the checkpoint does not fit the ledger.
    """
    texts = connection.text_factory
    connection.text_factory = LENIENT
    try:
        return _verify(connection, checkpoint, limit)
    finally:
        connection.text_factory = texts


def _verify(connection: sqlite3.Connection, checkpoint: Checkpoint, limit: int) -> Increment:
    info = read_info(connection)
    heads = {shard: (epoch, seq, chain) for shard, epoch, seq, chain in connection.execute(VERIFY_SQL["heads"])}
    if checkpoint.uuid != info.uuid:
        raise CheckpointRefused("the checkpoint is that of another ledger")
    if checkpoint.last_id:
        at = connection.execute(VERIFY_SQL["place"], (checkpoint.last_id,)).fetchone()
        if at is None or checkpoint.ends.get(at[0]) != at[1:]:
            raise CheckpointRefused("the checkpoint does not fit the ledger any more: it was set back, or changed")
    chains = ChainCheck(checkpoint.ends, checkpoint.last_id)
    follows = FollowCheck(info.shards, _tables(connection))
    findings: list[Finding] = []
    rows = connection.execute(VERIFY_SQL["after_id"], (checkpoint.last_id, limit)).fetchall()
    for *columns, user_id, currency in rows:
        row = EntryRow(*columns)
        findings += chains.check(row, user_id)
        if user_id is not None:
            findings += follows.check(row, user_id, currency)
    for player, newest in follows.newest.items():
        stored = connection.execute(VERIFY_SQL["wallet"], (player,)).fetchone()
        findings += follows.check_wallet(newest, stored, chains.last_id)
    at_end = len(rows) < limit
    if at_end:
        findings += chains.check_heads(heads, info.shards)
    return Increment(Checkpoint(info.uuid, chains.last_id, chains.ends), len(rows), findings, at_end)


def _tables(connection: sqlite3.Connection) -> Tables:
    def one(name: str, *values: Any) -> Any:
        return connection.execute(VERIFY_SQL[name], values).fetchone()

    def entry(entry_id: int) -> EntryRow | None:
        row = one("entry", entry_id)
        return row and EntryRow(*row)

    def bet_mark(player: int, digest: bytes, bet_index: str) -> BetMark | None:
        row = one("bet_mark", player, digest, bet_index)
        return row and BetMark(*row)

    return Tables(entry, partial(one, "event_mark"), bet_mark, partial(one, "signpost"), has_fingerprints=False)
