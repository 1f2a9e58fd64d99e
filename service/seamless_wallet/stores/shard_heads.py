"""Whether batches of a writer follow the heads of their shards: pure checks, which every SQL backend makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from seamless_wallet.ledger.conflicts import Displaced, EpochCause, EpochMoved, LedgerConflict
from seamless_wallet.ledger.entry import Entry
from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.stores.planning import Chained


class Head(NamedTuple):
    """Where a shard stands in SQL."""

    epoch: int
    seq: int
    chain: bytes
    token: str
    nonce: str


def check_batches(batches: Sequence[Sequence[Entry]]) -> list[Sequence[Entry]]:
    """The batches that are not empty, at most one a shard, each gapless. Raises LedgerConflict(GAP) or ValueError."""
    batches = [batch for batch in batches if batch]
    if len({batch[0].shard for batch in batches}) != len(batches):
        raise ValueError("two batches of one shard")
    for batch in batches:
        first = batch[0]
        for expected, entry in enumerate(batch, first.seq):
            if entry.shard != first.shard:
                raise ValueError("a batch of several shards")
            if entry.seq != expected:
                raise LedgerConflict(EpochCause.GAP, first.shard, expected, f"is missing before {entry.seq}")
    return batches


def count_stored(head: Head | None, nonce: str, batch: Sequence[Entry]) -> int:
    """How many of the batch's entries are stored already. Raises unless this writer may go on from here with it."""
    first = batch[0]
    if head is None:
        raise StoreError(f"the ledger has no shard {first.shard}")
    if head.nonce != nonce:
        raise Displaced(f"the ledger names another writer of shard {first.shard}")
    if any(entry.epoch != head.epoch for entry in batch):
        raise EpochMoved(f"shard {first.shard} is in epoch {head.epoch}; entries are of {first.epoch}")
    if head.seq < first.seq - 1:
        raise LedgerConflict(EpochCause.GAP, first.shard, head.seq + 1, f"is missing before {first.seq}")
    return min(head.seq - first.seq + 1, len(batch))


def check_redelivered(batch: Sequence[Entry], stored: Mapping[int, Entry]) -> None:
    """Raises LedgerConflict(FORK) unless the stream's bytes are those that are stored, by seq.

    Which of them are void SQL says, and not who sends them: nobody may be told that a void one is committed.
    """
    for entry in batch:
        found = stored.get(entry.seq)
        if found is None or _content(found) != _content(entry):
            raise LedgerConflict(EpochCause.FORK, entry.shard, entry.seq, "is stored with another content")
        entry.void = found.void


def chain_to(head: Head, batch: Sequence[Entry]) -> list[Chained]:
    """New entries with their links. Raises LedgerConflict(FORK) for one that follows another than that before it."""
    chained, chain, before = [], head.chain, head.token
    for entry in batch:
        if entry.before != before:
            raise LedgerConflict(EpochCause.FORK, entry.shard, entry.seq, "does not follow the entry before it")
        chain, before = entry.chained_to(chain), entry.token
        chained.append((entry, chain))
    return chained


def _content(entry: Entry) -> tuple[object, ...]:
    return (entry.epoch, entry.user_id, entry.provider, entry.payload, entry.decided)
