"""Commits that are refused, and entries that give reason to."""

from __future__ import annotations

import pytest

from seamless_wallet.ledger.conflicts import LedgerConflict
from seamless_wallet.ledger.entry import Entry


def forged(entry: Entry, *, payload: bytes | None = None, decided: bytes | None = None) -> Entry:
    """The entry with other bytes."""
    return Entry(
        entry.shard,
        entry.epoch,
        entry.seq,
        entry.payload if payload is None else payload,
        entry.decided if decided is None else decided,
    )


async def conflict(store, *batches) -> LedgerConflict:
    """The conflict that a commit runs into; nothing of it may stay."""
    before = await store.heads(), await store.trial_balance()
    with pytest.raises(LedgerConflict) as caught:
        await store.commit(batches)
    assert (await store.heads(), await store.trial_balance()) == before
    assert [finding async for finding in store.verify()] == []
    return caught.value
