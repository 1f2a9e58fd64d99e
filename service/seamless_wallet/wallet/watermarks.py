"""Waiting until SQL has committed a shard up to some seq. Whoever wrote an entry waits for its token instead."""

from __future__ import annotations

import asyncio

from seamless_wallet.wallet.attempts import AttemptOutcome


class _Waiter:
    """Waits until SQL has committed up to `seq` of an epoch."""

    __slots__ = ("epoch", "outcome", "seq", "shard")

    def __init__(self, shard: int, epoch: int, seq: int) -> None:
        self.shard = shard
        self.epoch = epoch
        self.seq = seq
        self.outcome: asyncio.Future[AttemptOutcome] = asyncio.get_running_loop().create_future()

    def observe(self, epoch: int, seq: int) -> None:
        if not self.outcome.done() and (epoch > self.epoch or seq >= self.seq):
            self.outcome.set_result(AttemptOutcome.LOST if epoch > self.epoch else AttemptOutcome.COMMITTED)


class Watermarks:
    """Everything in this process that waits for a watermark. False if nothing does."""

    def __init__(self) -> None:
        self._waiting: dict[_Waiter, None] = {}  # a set would wake them in the order of their addresses

    def __bool__(self) -> bool:
        return bool(self._waiting)

    async def reached(self, shard: int, epoch: int, seq: int) -> AttemptOutcome:
        """Wait until SQL has committed `seq` of this epoch, or LOST: the epoch is over."""
        waiter = _Waiter(shard, epoch, seq)
        self._waiting[waiter] = None
        try:
            return await waiter.outcome
        finally:
            del self._waiting[waiter]

    def observe(self, shard: int, epoch: int, seq: int) -> None:
        """SQL has committed this shard up to `seq` of `epoch`."""
        for waiter in self._waiting:
            if waiter.shard == shard:
                waiter.observe(epoch, seq)
