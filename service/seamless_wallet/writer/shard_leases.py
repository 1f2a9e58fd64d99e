"""The shards that this writer holds. A whole cycle renews them, and no timer: a writer that hangs loses them.

Whoever loses a shard to another writer learns it here, or where SQL or Redis refuse it something, whichever is first.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from seamless_wallet.engine import keys
from seamless_wallet.engine.pipeline import Pipeline
from seamless_wallet.ledger.conflicts import RELEASED
from seamless_wallet.ledger.ports import LeaseHeld, LedgerStore
from seamless_wallet.ledger.records import LeaseTable
from seamless_wallet.observability import metrics
from seamless_wallet.ports import Clock, Randomness
from seamless_wallet.writer.checks_due import ChecksDue
from seamless_wallet.writer.shard_states import ShardStates
from seamless_wallet.writer.sharing import next_step

LEASE_MS: Final = 1_500
"""How long a writer that hangs keeps its shards: several cycles, and so little that another one has them in 3 s."""

LOCK_WAIT_S: Final = 15.0
"""How long to wait where there can be but one writer. One whose parent has just ended may still be finishing."""

WRITER_BYTES: Final = 16


class ShardLeases:
    """Names this writer, and has it hold its share."""

    def __init__(
        self,
        *,
        ledger: LedgerStore,
        ledger_uuid: str,
        pipeline: Pipeline,
        clock: Clock,
        randomness: Randomness,
        shard_states: ShardStates,
        checks_due: ChecksDue,
    ) -> None:
        self._ledger = ledger
        self._ledger_uuid = ledger_uuid
        self._pipeline = pipeline
        self._clock = clock
        self._randomness = randomness
        self._shard_states = shard_states
        self._checks_due = checks_due
        self._waiting_since_s: float | None = None

    async def name_writer(self) -> bool:
        """Draw the nonce of this process, and have SQL name it, once. False: another process has to end first.

        Raises StoreError: then another one is drawn; LeaseHeld after LOCK_WAIT_S.
        """
        if not self._shard_states.nonce:
            nonce, now_s = self._randomness.token(WRITER_BYTES), self._clock.monotonic_s()
            try:
                await self._ledger.take_over(nonce, (), self._clock.now_ms())
            except LeaseHeld:
                self._waiting_since_s = now_s if self._waiting_since_s is None else self._waiting_since_s
                if now_s - self._waiting_since_s > LOCK_WAIT_S:
                    raise
                return False
            self._shard_states.nonce = nonce
        return True

    def forget_writer(self) -> None:
        """The ledger knows this writer no more: it holds nothing until another nonce is named."""
        self._shard_states.leave(range(len(self._shard_states.heads)))
        self._shard_states.nonce = ""

    async def renew(self) -> None:
        """Renew what this writer holds, and do what is fair. Call it when nothing that it has sent is unanswered.

        Raises RedisUnavailable, StoreError, or Displaced if this writer has lost all that there is.
        """
        table = await self._ledger.renew_leases(LEASE_MS, (), ())
        self._adopt(table)  # what is free may have been ours before, and another writer's since
        take, release = next_step(table, self._shard_states.nonce)
        if take or release:
            self._shard_states.leave(release)
            await self._silence(release)
            self._adopt(await self._ledger.renew_leases(LEASE_MS, take, release))
        await self._tell_free(release)

    async def leave(self) -> None:
        """Release everything, for good, so that others have it at once. Raises RedisUnavailable or StoreError."""
        held = self._shard_states.leave(range(len(self._shard_states.heads)))
        await self._silence(held)
        await self._ledger.retire()
        await self._tell_free(held)

    def _adopt(self, table: LeaseTable) -> None:
        """Stop with what went to others, and have SQL's heads read for what has come."""
        held = {shard for shard, holder in enumerate(table.holders) if holder == self._shard_states.nonce}
        self._shard_states.report_lost(self._shard_states.leave(self._shard_states.held - held))
        self._checks_due.heads |= held != self._shard_states.held
        metrics.WRITER_SHARDS.set(len(held))

    async def _silence(self, shards: Collection[int]) -> None:
        """No heartbeat of ours stands in the way of whoever takes these."""
        for shard in shards:
            await self._pipeline.execute("UNLINK", keys.heartbeat(shard))

    async def _tell_free(self, shards: Collection[int]) -> None:
        """Have the other writers look at once. Whom that does not reach looks soon anyway."""
        for shard in shards:
            message = f"{shard} {self._shard_states.heads[shard].epoch} {RELEASED}"
            await self._pipeline.execute("PUBLISH", keys.recover_channel(self._ledger_uuid), message)
