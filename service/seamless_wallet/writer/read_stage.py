"""What the streams hold after SQL's seq, and whether it follows from what SQL holds."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from seamless_wallet.engine import keys
from seamless_wallet.ledger.conflicts import EpochCause
from seamless_wallet.ledger.entry import Entry
from seamless_wallet.writer.pipelines import Pipelines
from seamless_wallet.writer.shard_states import ShardStates

BLOCK_MS: Final = 100
"""How long a read waits for entries."""

PER_STREAM_MIN: Final = 64
"""Entries of one shard read at once, however many shards there are."""


class Batch:
    """Entries of one shard, gapless."""

    def __init__(self, entries: list[Entry]) -> None:
        self.entries = entries


class StreamReader:
    """Reads all shards at once."""

    def __init__(self, shard_states: ShardStates, pipelines: Pipelines, batch_max: int) -> None:
        self._shard_states = shard_states
        self._pipelines = pipelines
        self._batch_max = batch_max

    async def read(self) -> dict[int, Batch]:
        """New entries by shard. What cannot follow from SQL is left out, and its shard needs a new epoch."""
        shard_states, heads = self._shard_states, list(self._shard_states.heads)
        read = [(shard, head) for shard, head in enumerate(heads) if shard not in shard_states.stopped]
        if not read:
            await asyncio.sleep(BLOCK_MS / 1000)
            return {}
        names = {keys.stream(shard, head.epoch).encode(): shard for shard, head in read}
        positions = (f"{head.epoch}-{head.seq}" for _, head in read)
        per_stream = max(PER_STREAM_MIN, self._batch_max // len(names))
        reply = await self._pipelines.reads.execute(
            "XREAD", "COUNT", per_stream, "BLOCK", BLOCK_MS, "STREAMS", *names, *positions
        )
        found = {names[name]: Batch([_entry(names[name], *row) for row in rows]) for name, rows in reply or ()}
        for shard in shard_states.lacking_entries(found, heads):
            shard_states.require_epoch(shard, EpochCause.GAP)
        for shard in [s for s, batch in found.items() if any(e.epoch != heads[s].epoch for e in batch.entries)]:
            shard_states.require_epoch(shard, EpochCause.FORK)
            del found[shard]
        return found


def _entry(shard: int, entry_id: bytes, fields: Sequence[bytes]) -> Entry:
    """An entry of the stream. Fields that are not ours become an entry that the ledger refuses."""
    epoch, seq = entry_id.split(b"-")
    values = dict(zip(fields[::2], fields[1::2], strict=True))
    user_id, provider, token, before = (
        values.get(name, b"").decode(errors="backslashreplace") for name in (b"u", b"p", b"t", b"b")
    )
    payload, decided = values.get(b"e", b""), values.get(b"d", b"")
    return Entry(shard, int(epoch), int(seq), user_id, provider, payload, decided, token, before)
