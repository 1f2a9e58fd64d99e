"""What SQL knows of an event, for the cases where Redis may have forgotten it."""

from __future__ import annotations

from typing import Final

from msgspec import structs

from seamless_wallet.commands import Answer, Code, Kind
from seamless_wallet.ledger.ports import LedgerReader
from seamless_wallet.ledger.records import LedgerLookup
from seamless_wallet.money import AMOUNT_MAX
from seamless_wallet.observability import metrics
from seamless_wallet.wallet.confirmations import Confirmations
from seamless_wallet.wallet.next_step import LookUpFirst
from seamless_wallet.wallet.prepared_event import PreparedEvent
from seamless_wallet.wallet.shard_epochs import ShardEpochs

SEQ_MAX: Final = AMOUNT_MAX
"""As a look-up's seq: newer than all that Redis can have forgotten."""


class Lookups:
    """Looks events up in SQL."""

    def __init__(self, ledger: LedgerReader, shards: ShardEpochs, confirmations: Confirmations) -> None:
        self._ledger = ledger
        self._shards = shards
        self._confirmations = confirmations

    async def look_up(self, event: PreparedEvent, asked: LookUpFirst) -> LedgerLookup:
        """What SQL knows, not older than asked for. Raises StoreError, or FoldError.

        If Redis has asked, the answer stays good while the wallet goes on: what was written since is in Redis and
        stays there for a hot window. A busy player would outrun it for ever otherwise.
        """
        while True:
            metrics.LEDGER_LOOKUPS.inc()
            with metrics.LEDGER_LOOKUP_DURATION_SECONDS.time():
                lookup = await self._ledger.lookup(event.shard, event.command, event.digest)
            if lookup.epoch != self._shards.epoch(event.shard):
                await self._shards.refresh()
            if lookup.epoch != asked.epoch:
                return lookup
            if lookup.seq >= asked.seq:
                return structs.replace(lookup, seq=SEQ_MAX)
            await self._confirmations.reached(event.shard, asked.epoch, asked.seq)


def known_answer(event: PreparedEvent, lookup: LedgerLookup) -> Answer | None:
    """What SQL alone can answer: a player that exists, the repetition of an event. None for all else."""
    wallet, record = lookup.wallet, lookup.record
    if wallet is None:
        return None  # it may be in Redis and not committed yet; if not, a MISS finds out
    code, reason = Code.R0, "exists"
    if event.command.kind is not Kind.CREATE:
        if record is None:
            return None
        same = record.fingerprint == event.fingerprint
        code, reason = (Code.R0, "duplicate") if same else (Code.R3, "conflict")
    return Answer(code, reason, wallet.balance, wallet.debt, wallet.currency)
