"""Comparing Redis with the ledger while nobody commits: what is still to come is told, and is no finding."""

from __future__ import annotations

from typing import Any, Final

from service import keys
from service.wallet.compare import Comparison

WAIT_AGAIN_S: Final = 0.2
"""How long an entry of another shard may take to be committed, once one was waited for in vain."""


class PatientComparison(Comparison):
    """Leaves out wallets whose last entry is not committed yet and was acknowledged to nobody.

    That is an entry past the watermark in Redis, as long as SQL has everything up to the watermark: what lies below
    was committed once, and a ledger without it has lost something.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._missing: dict[int, int] = {}

    @property
    def uncommitted(self) -> int:
        """Entries that are only in Redis, in the shards that were waited for in vain."""
        return sum(self._missing.values())

    async def _is_committed(self, shard: int, epoch: int, seq: int, give_up_s: float) -> bool | None:
        committed = await super()._is_committed(shard, epoch, seq, give_up_s)
        if committed is not False:
            return committed
        in_redis, last, watermark = await self._fields(keys.head(shard), ("epoch", "seq", "committed"))
        head = (await self._ledger.heads())[shard]
        if in_redis is None or not int(in_redis) == epoch == head.epoch:
            return None
        if head.seq < int(watermark):
            return False
        self._missing[shard] = int(last) - head.seq
        self._wait_s = min(self._wait_s, WAIT_AGAIN_S)
        return None
