"""What the streams hold after SQL's seq, and whether it follows from what SQL holds.

It is read ahead: while a commit is under way, what comes is read and decoded already. That is bound to nonce, epoch and
seq of each shard as they will be after the commit, and is dropped unless it returned. Only what was found is kept. That
nothing was there is never kept, and it is judged against what was known when the read was sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

from seamless_wallet.engine import keys
from seamless_wallet.ledger.conflicts import EpochCause
from seamless_wallet.ledger.entry import INVALID_ENTRY_ERRORS, Entry
from seamless_wallet.ledger.payload import UnknownPayloadVersion
from seamless_wallet.writer.pipelines import Pipelines
from seamless_wallet.writer.shard_states import Position, ShardStates

BLOCK_MS: Final = 100
"""How long a read waits for entries."""

READ_AHEAD_AFTER_S: Final = 0.002
"""How long a commit is left alone, and what was read ahead before more is. Both threads need the interpreter's lock,
and a commit that is over sooner has the disk's time only: reading meanwhile would hold it up.
"""

PER_STREAM_MIN: Final = 64
"""Entries of one shard read at once, however many shards there are."""

_FIELDS: Final = [b"u", b"p", b"e", b"d", b"t", b"b"]
"""Of an entry: user_id, provider, payload, what was decided, its token and that of the entry before."""

_Streams = Iterable[tuple[bytes, Sequence[tuple[bytes, Sequence[bytes]]]]]


class Batch:
    """Entries of one shard, gapless."""

    def __init__(self, entries: list[Entry]) -> None:
        self.entries = entries


class _Reading:
    """All streams, read on from one state of SQL."""

    def __init__(self, nonce: str, positions: dict[int, Position]) -> None:
        self.nonce = nonce
        self.committed = positions
        """What SQL has to hold, no less and no more, for `found` to follow."""
        self.read = dict(positions)
        self.found: dict[int, list[Entry]] = {}
        self.count = 0
        self.epochs_due: dict[int, EpochCause] = {}
        self.names = {keys.stream(shard, epoch).encode(): shard for shard, (epoch, _) in positions.items()}
        self.reply: asyncio.Future[Any] | None = None
        """Of the read that is under way. Two at once would give the same entries."""
        self.is_due_soon = False
        self.fault: Exception | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether there is nothing to be told yet."""
        return not (self.found or self.epochs_due or self.fault)

    def follows(self, shard_states: ShardStates) -> bool:
        """Whether SQL holds what was assumed."""
        return (self.nonce, self.committed) == (shard_states.nonce, shard_states.positions())

    def add(self, streams: _Streams, expected: Collection[int]) -> None:
        """What a read has given. `expected`: shards that had more, as we knew when it was sent."""
        lacking = set(expected)
        for name, rows in streams:
            shard = self.names[name]
            entries = [_entry(shard, *row) for row in rows]
            lacking.discard(shard)
            epoch, _ = self.read[shard]
            if any(entry.epoch != epoch for entry in entries):
                self.epochs_due[shard] = EpochCause.FORK
                continue
            self.read[shard] = epoch, entries[-1].seq
            self.found.setdefault(shard, []).extend(entries)
            self.count += len(entries)
        for shard in lacking:
            self.epochs_due[shard] = EpochCause.GAP

    def take(self) -> dict[int, Batch]:
        """All that was found since. What is found from now on will follow once that is committed."""
        found, self.found, self.count = self.found, {}, 0
        self.committed = dict(self.read)
        return {shard: Batch(entries) for shard, entries in found.items() if shard not in self.epochs_due}


class StreamReader:
    """Reads all shards at once, and goes on reading while what it gave is committed."""

    def __init__(self, shard_states: ShardStates, pipelines: Pipelines, batch_max: int) -> None:
        self._shard_states = shard_states
        self._pipelines = pipelines
        self._batch_max = batch_max
        self._reading: _Reading | None = None

    async def next(self) -> dict[int, Batch]:
        """New entries by shard, after at most BLOCK_MS: all that came since the last call, or as much as may be kept.

        Call it again only when the outcome of their commit is known, and `drop` unless it returned. What cannot follow
        from SQL is left out, and its shard needs a new epoch. Raises RedisUnavailable.
        """
        reading = self._reading
        if reading is None or not reading.follows(self._shard_states):
            reading = self._reading = _Reading(self._shard_states.nonce, self._shard_states.positions())
        if not reading.names:
            await asyncio.sleep(BLOCK_MS / 1000)
            return {}
        if reading.is_waiting:
            reply = reading.reply or self._read(reading)
            await (asyncio.sleep(0) if reply.done() else reply)  # it is taken in before this goes on
        if reading.fault:
            raise reading.fault
        for shard, cause in reading.epochs_due.items():
            self._shard_states.require_epoch(shard, cause)
        batches = reading.take()
        self._read_soon(reading)
        return batches

    def drop(self) -> None:
        """Forget what was read ahead: nobody knows whether it follows."""
        self._reading = None

    def _read_soon(self, reading: _Reading) -> None:
        if not reading.is_due_soon:
            reading.is_due_soon = True
            asyncio.get_running_loop().call_later(READ_AHEAD_AFTER_S, self._read_ahead, reading)

    def _read_ahead(self, reading: _Reading) -> None:
        """Unless one is under way, or there is too much already."""
        reading.is_due_soon = False
        has_room = reading.count < self._batch_max and not reading.epochs_due
        if reading is self._reading and not reading.reply and has_room:
            self._read(reading)

    def _read(self, reading: _Reading) -> asyncio.Future[Any]:
        per_stream = max(PER_STREAM_MIN, self._batch_max // len(reading.names))
        expected = self._shard_states.written_beyond(reading.read)
        positions = (f"{epoch}-{seq}" for epoch, seq in reading.read.values())
        reading.reply = self._pipelines.reads.execute(
            "XREAD", "COUNT", per_stream, "BLOCK", BLOCK_MS, "STREAMS", *reading.names, *positions
        )
        reading.reply.add_done_callback(lambda reply: self._take_in(reading, expected, reply))
        return reading.reply

    def _take_in(self, reading: _Reading, expected: Collection[int], reply: asyncio.Future[Any]) -> None:
        if reading is not self._reading or reply.cancelled():
            return
        reading.reply = None
        try:
            reading.add(reply.result() or (), expected)
        except Exception as error:  # noqa: BLE001 - raised where the entries are asked for
            reading.fault = error
        else:
            self._read_soon(reading)


def _entry(shard: int, entry_id: bytes, fields: Sequence[bytes]) -> Entry:
    """An entry of the stream, decoded. Fields that are not ours become an entry that the ledger refuses."""
    epoch, seq = entry_id.split(b"-")
    if fields[::2] == _FIELDS:  # as lua/include/conclude.lua writes them
        user_id, provider, payload, decided, token, before = fields[1::2]
    else:
        values = dict(zip(fields[::2], fields[1::2], strict=True))
        user_id, provider, payload, decided, token, before = (values.get(name, b"") for name in _FIELDS)
    entry = Entry(
        shard, int(epoch), int(seq), _text(user_id), _text(provider), payload, decided, _text(token), _text(before)
    )
    try:
        _ = entry.command, entry.decision  # they are kept
    except (*INVALID_ENTRY_ERRORS, UnknownPayloadVersion):
        return entry  # it is raised again where it is proven
    return entry


def _text(field: bytes) -> str:
    """A field as text. Even a void entry has these texts, and a database may keep no NUL."""
    return field.decode() if field.isascii() and b"\0" not in field else _odd_text(field)


def _odd_text(field: bytes) -> str:
    return field.decode(errors="backslashreplace").replace("\0", "\\x00")
