"""Whether SQL has proven the balance that a decision without an entry of its own would tell.

A Redis that was set back to older data has numbers that fit. So a decline or a conflict is told only if SQL has the
wallet just so: by content, never by a sequence number alone (LEDGER, What is told).
"""

from __future__ import annotations

from seamless_wallet.engine.replies import Verdict
from seamless_wallet.ledger.ports import LedgerReader
from seamless_wallet.ledger.records import LedgerLookup
from seamless_wallet.wallet.attempts import AttemptOutcome
from seamless_wallet.wallet.confirmations import Confirmations
from seamless_wallet.wallet.prepared_event import PreparedEvent


class ToldBalances:
    """Compares verdicts of scripts with the ledger."""

    def __init__(self, ledger: LedgerReader, confirmations: Confirmations) -> None:
        self._ledger = ledger
        self._confirmations = confirmations

    async def prove(self, event: PreparedEvent, verdict: Verdict, lookup: LedgerLookup) -> AttemptOutcome:
        """COMMITTED if SQL has, or gets, the wallet that the verdict tells. LOST if not: the shard is recovered then.

        `lookup` was made before the script ran, in the same epoch. A wallet that Redis knows less of than that was set
        back. One that it knows more of has an entry on the way, which is waited for and compared.
        """
        told = (verdict.rests_on, verdict.balance, verdict.debt)
        wallet = lookup.wallet
        if wallet is not None and verdict.rests_on <= wallet.seq:
            proven = told == (wallet.seq, wallet.balance, wallet.debt)
        else:
            outcome = await self._confirmations.reached(event.shard, lookup.epoch, verdict.rests_on)
            if outcome is AttemptOutcome.LOST:
                return outcome
            proven = told == await self._last_entry(event.command.user_id, verdict.rests_on)
        return (
            AttemptOutcome.COMMITTED
            if proven
            else await self._confirmations.ask_for_fork(event.shard, verdict.rests_on)
        )

    async def _last_entry(self, user_id: str, seq: int) -> tuple[int, int, int] | None:
        """Seq, balance and debt of the player's newest entry up to `seq`."""
        found = await self._ledger.entries(user_id, seq + 1, 1)
        return (found[0].seq, found[0].decision.balance, found[0].decision.debt) if found else None
