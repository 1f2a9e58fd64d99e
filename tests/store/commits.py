"""Commits that are refused, and entries that give reason to."""

from __future__ import annotations

from typing import Any

import pytest

from seamless_wallet.ledger.conflicts import EntriesRefused, LedgerConflict, Refusal


async def conflict(store, *batches) -> LedgerConflict:
    """The conflict that a commit runs into; nothing of it may stay."""
    return await _refused(store, batches, LedgerConflict)


async def refusal(store, *batches) -> Refusal:
    """The one entry that a commit refuses; nothing of the commit may stay."""
    (refused,) = await refusals(store, *batches)
    return refused


async def refusals(store, *batches) -> list[Refusal]:
    """All entries that a commit refuses."""
    error: EntriesRefused = await _refused(store, batches, EntriesRefused)
    return list(error.refusals)


async def _refused(store, batches, kind) -> Any:
    before = await store.heads(), await store.trial_balance()
    with pytest.raises(kind) as caught:
        await store.commit(batches)
    assert (await store.heads(), await store.trial_balance()) == before
    assert [finding async for finding in store.verify()] == []
    return caught.value
