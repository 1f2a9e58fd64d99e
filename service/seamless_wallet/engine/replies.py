"""What the scripts answer, typed."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

import msgspec

REFUSED_MARK: Final = "-"
"""In front of a token that the writer tells: SQL has refused that attempt's entry."""


class ReplyStatus(StrEnum):
    """The first word of a script's reply."""

    DONE = "DONE"  # decided and written; not committed yet
    DUP = "DUP"  # this event was decided before
    CONFLICT = "CONFLICT"  # this transaction_id said something else before
    DECLINED = "DECLINED"
    BUSY = "BUSY"  # too many entries are waiting for the writer
    NOSCRIPT = "NOSCRIPT"  # in place of a reply: the server does not have the script
    FENCED = "FENCED"  # the caller's epoch or period is not the current one, or its nonce not that of the writer
    MISS = "MISS"  # the wallet has to be loaded first
    COLD = "COLD"  # the bets have to be looked up in SQL first
    EXISTS = "EXISTS"  # the wallet is there already
    FROZEN = "FROZEN"  # the same, but for long: that has happened to it again and again
    SUSPENDED = "SUSPENDED"  # SQL has refused an entry of the wallet, which is on its way out
    OUTDATED = "OUTDATED"  # what would be installed was read before a wallet had to go
    KEPT = "KEPT"  # the wallet is in use, or the round is going to expire already
    OK = "OK"
    STALE = "STALE"  # the gate was opened for a newer epoch
    FOREIGN = "FOREIGN"  # this Redis belongs to another ledger


_STATUSES: Final = {status.encode(): status for status in ReplyStatus}


class Verdict(msgspec.Struct, frozen=True):
    """A decision of a script. `rests_on` is the seq that must be committed before it may be told."""

    status: ReplyStatus
    code: str
    reason: str
    currency: str
    balance: int
    debt: int
    rests_on: int
    committed: int


def parse_verdict(reply: list[Any]) -> Verdict:
    """An eight-part reply of an event script."""
    status, code, reason, currency, balance, debt, rests_on, committed = reply
    return Verdict(
        _STATUSES[status],
        code.decode(),
        reason.decode(),
        currency.decode(),
        int(balance),
        int(debt),
        int(rests_on),
        int(committed),
    )
