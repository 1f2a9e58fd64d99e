"""What the streams hold after SQL's seq, and whether it follows from what SQL holds."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from service import keys
from service.entry.ledger import Entry
from service.entry.protocols import Cause, ShardHead
from service.lane import Lane
from service.writer.standing import Standing

BLOCK_MS: Final = 100
"""How long a read waits for entries."""

PER_STREAM_MIN: Final = 64
"""Entries of one shard read at once, however many shards there are."""


class Batch:
    """Entries of one shard, gapless; behind an anchor if the entry before them has to be compared with SQL's."""

    def __init__(self, entries: list[Entry], anchor: Entry | None = None) -> None:
        self.entries = entries
        self.anchor = anchor

    def anchored(self, entries: list[Entry]) -> list[Entry]:
        """These entries as they are to be committed."""
        return [self.anchor, *entries] if self.anchor else entries


class StreamReader:
    """Reads all shards at once, on a lane of its own, since a read that waits holds the lane up."""

    def __init__(self, standing: Standing, lane: Lane, reading_lane: Lane, batch_max: int) -> None:
        self._standing = standing
        self._lane = lane
        self._reading_lane = reading_lane
        self._batch_max = batch_max

    async def read(self) -> dict[int, Batch]:
        """New entries by shard. What cannot follow from SQL makes its shard a suspect and is left out."""
        standing, heads = self._standing, list(self._standing.heads)
        names = {keys.stream(shard, head.epoch).encode(): shard for shard, head in enumerate(heads)}
        positions = (f"{head.epoch}-{head.seq}" for head in heads)
        per_stream = max(PER_STREAM_MIN, self._batch_max // len(names))
        reply = await self._reading_lane.execute(
            "XREAD", "COUNT", per_stream, "BLOCK", BLOCK_MS, "STREAMS", *names, *positions
        )
        found = {names[name]: Batch([_entry(names[name], *row) for row in rows]) for name, rows in reply or ()}
        for shard in standing.missing(found, heads):
            standing.suspect(shard, Cause.GAP)
        for shard in [s for s, batch in found.items() if any(e.epoch != heads[s].epoch for e in batch.entries)]:
            standing.suspect(shard, Cause.FORK)
            del found[shard]
        await self._anchor(heads, found)
        return found

    async def _anchor(self, heads: Sequence[ShardHead], found: dict[int, Batch]) -> None:
        """See that Redis and SQL have the same entry before the new ones.

        A Redis that was rolled back and has gone on beyond SQL's seq would join its history to another one, where
        versions and balances may fit by chance. Usually the writer itself committed that entry and knows it; if not,
        it is committed again with its successors, and the ledger compares. The gate's mark stands for the end of what
        SQL had then.
        """
        at = [(keys.stream(shard, heads[shard].epoch), f"{heads[shard].epoch}-{heads[shard].seq}") for shard in found]
        rows = await asyncio.gather(*(self._lane.execute("XRANGE", stream, seq, seq) for stream, seq in at))
        for shard, row in zip(tuple(found), rows, strict=True):
            if not row:
                self._standing.suspect(shard, Cause.GAP)
                del found[shard]
            elif row[0][1][0] != b"gate":
                before = _entry(shard, *row[0])
                found[shard].anchor = None if self._standing.is_newest(before) else before


def _entry(shard: int, entry_id: bytes, fields: Sequence[bytes]) -> Entry:
    """What is no entry of ours becomes one that the ledger refuses by name."""
    epoch, seq = entry_id.split(b"-")
    values = dict(zip(fields[::2], fields[1::2], strict=True))
    token = values.get(b"t", b"").decode(errors="replace")
    return Entry(shard, int(epoch), int(seq), values.get(b"e", b""), values.get(b"d", b""), token)
