"""The newest entries verified, some at a time: each part is one short snapshot, which holds nobody up.

Shards go on side by side, so it is not by one id that a part goes on, but by the seq of each shard. What was archived
since a checkpoint was verified for that: a shard goes on from the end of its archived entries.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from seamless_wallet.ledger.entry import CHAIN_START
from seamless_wallet.stores.audit import READ_ERRORS, ChainCheck, ChainEnd, Finding
from seamless_wallet.stores.increment_audit import (
    BetMark,
    Checkpoint,
    CheckpointRefused,
    EventMark,
    FollowCheck,
    Increment,
    Tables,
)
from seamless_wallet.stores.player_audit import decided_entry
from seamless_wallet.stores.postgres.closings import ArchivedTo, closing_rows, read_ends
from seamless_wallet.stores.postgres.primary import Connection
from seamless_wallet.stores.postgres.reads import BIGINT_MAX
from seamless_wallet.stores.postgres.row_forms import entry_row_of, wallet_row_of
from seamless_wallet.stores.postgres.setup import read_info
from seamless_wallet.stores.postgres.sql import VERIFY_SQL
from seamless_wallet.stores.rows import VOID, EntryRow

NewRow = tuple[EntryRow, str | None, str]
"""An entry, and user_id and currency of its player's wallet."""


async def verify_increment(connection: Connection, checkpoint: Checkpoint, limit: int) -> Increment:
    """Verify up to `limit` entries after a checkpoint, in the caller's snapshot.

    Raises CheckpointRefused if the checkpoint does not fit the ledger.
    """
    info = await read_info(connection)
    heads = {shard: (epoch, seq, chain) for shard, epoch, seq, chain in await connection.fetch(VERIFY_SQL["heads"])}
    if checkpoint.uuid != info.uuid:
        raise CheckpointRefused("the checkpoint is that of another ledger")
    archived = await read_ends(connection)
    checkpoint = await _checked(connection, info.shards, checkpoint, archived)
    rows = await _new_rows(connection, info.shards, checkpoint, heads, limit)
    chains = ChainCheck(checkpoint.ends, checkpoint.last_id)
    follows = FollowCheck(info.shards, await _tables(connection, info.shards, rows))
    findings: list[Finding] = []
    for row, user_id, currency in rows:
        findings += chains.check(row, user_id)
        if user_id is not None:
            findings += follows.check(row, user_id, currency)
    stored = {row[0]: row for row in await connection.fetch(VERIFY_SQL["wallets"], list(follows.newest))}
    for player, newest in follows.newest.items():
        shard, end = newest.shard, chains.ends[newest.shard][1]
        at_head = shard in heads and end >= heads[shard][1]  # then no wallet can be newer
        last_id = BIGINT_MAX if at_head else end * info.shards + shard
        findings += follows.check_wallet(newest, wallet_row_of(stored[player], info.shards), last_id)
    at_end = len(rows) < limit
    if at_end:
        findings += chains.check_heads(heads, info.shards)
    entries = sum(seq for _, seq, _ in chains.ends.values())  # so many so far: a place says nothing of other shards
    return Increment(Checkpoint(info.uuid, entries, chains.ends), len(rows), findings, at_end)


async def _checked(connection: Connection, shards: int, checkpoint: Checkpoint, archived: ArchivedTo) -> Checkpoint:
    """The checkpoint, not before the end of what is archived.

    Raises CheckpointRefused unless each shard's chain still goes through where it stood.
    """
    places = [seq * shards + shard for shard, (_, seq, _) in checkpoint.ends.items() if not archived.has(shard, seq)]
    rows = [entry_row_of(row, shards) for row in await connection.fetch(VERIFY_SQL["entries"], places)]
    there = {row.shard: (row.epoch, row.seq, row.chain) for row in rows}
    for shard, (_, seq, _) in checkpoint.ends.items():
        if archived.has(shard, seq):  # only its last entry can be compared
            end = archived.ends[shard]
            there[shard] = end if seq == end[1] else checkpoint.ends[shard]
    if there != dict(checkpoint.ends) or sum(seq for _, seq, _ in there.values()) != checkpoint.last_id:
        raise CheckpointRefused("the checkpoint does not fit the ledger any more: it was set back, or changed")
    ends = {**archived.ends, **{shard: end for shard, end in there.items() if not archived.has(shard, end[1])}}
    return Checkpoint(checkpoint.uuid, sum(seq for _, seq, _ in ends.values()), ends)


async def _new_rows(
    connection: Connection, shards: int, checkpoint: Checkpoint, heads: dict[int, ChainEnd], limit: int
) -> Sequence[NewRow]:
    """Shard by shard; what is beyond a head, too: there must be none."""
    rows: list[NewRow] = []
    for shard in range(shards):
        _, seq, _ = checkpoint.ends.get(shard, (0, 0, CHAIN_START))
        first = (seq + 1) * shards + shard
        last = (max(heads[shard][1] if shard in heads else 0, seq) + 1) * shards + shard
        last = min(last, first + (limit - len(rows) - 1) * shards)
        found = await connection.fetch(VERIFY_SQL["after"], first, last, shards)
        rows += [(entry_row_of(row, shards), row["user_id"], row["currency"]) for row in found]
    return rows


async def _tables(connection: Connection, shards: int, new: Sequence[NewRow]) -> Tables:
    """Every row that belongs to these entries, read at once."""
    rows = [row for row, _, _ in new]
    before = await connection.fetch(VERIFY_SQL["entries"], [row.previous for row in rows if row.previous])
    entries = {row.id: row for row in (entry_row_of(record, shards) for record in before)}
    players = {row.player for row in rows if row.previous and row.previous not in entries}
    entries.update((row.id, row) for row in await closing_rows(connection, shards, players))
    named = {key: None for row, user, _ in new if user and row.kind != VOID for key in _marks_of(row, user)}
    columns: Iterable[Any] = zip(*named, strict=True) if named else ((), (), ())
    marks = {tuple(row[:3]): row[3:] for row in await connection.fetch(VERIFY_SQL["some_marks"], *columns)}
    at = await connection.fetch(VERIFY_SQL["some_signposts"], [r.player for r in rows], [r.seq for r in rows])
    signposts = {(player, seq): (received_ms, seq * shards + player % shards) for player, seq, received_ms in at}

    def event_mark(player: int, digest: bytes) -> EventMark | None:
        mark = marks.get((player, digest, ""))
        return mark and (mark[0], mark[1])

    def bet_mark(player: int, digest: bytes, bet_index: str) -> BetMark | None:
        mark = marks.get((player, digest, bet_index))
        return mark and BetMark(mark[0], mark[2] or "")

    def signpost(player: int, seq: int) -> tuple[int, int] | None:
        return signposts.get((player, seq))

    return Tables(entries.get, event_mark, bet_mark, signpost, has_fingerprints=True)


def _marks_of(row: EntryRow, user_id: str) -> Sequence[tuple[int, bytes, str]]:
    """Player, digest and bet_index of each mark that an entry has to do with."""
    try:
        entry = decided_entry(row, user_id)
        names = [(row.player, entry.event_digest, "")]
        digest = entry.round_digest
        if digest is not None:
            names += [(row.player, digest, item.bet_index) for item in entry.command.items]
    except READ_ERRORS:
        return []
    return names
