"""Commits that are refused, and entries that give reason to."""

from __future__ import annotations

import pytest

from seamless_wallet.ledger.conflicts import LedgerConflict


async def conflict(store, *batches) -> LedgerConflict:
    """The conflict that a commit runs into; nothing of it may stay."""
    before = await store.heads(), await store.trial_balance()
    with pytest.raises(LedgerConflict) as caught:
        await store.commit(batches)
    assert (await store.heads(), await store.trial_balance()) == before
    assert [finding async for finding in store.verify()] == []
    return caught.value
