"""Why entries cannot be committed as they are: what costs a shard an epoch, and what costs a wallet its entries."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import msgspec

from seamless_wallet.errors import WalletError


class EpochCause(StrEnum):
    """Why a shard gets a new epoch."""

    HEAD = "head"  # Redis has no head, or one of another epoch
    SERVER = "server"  # another Redis server than the one recorded
    NOSCRIPT = "noscript"  # a registered script is gone
    SET_BACK = "set_back"  # the head names a writer before this one, which had taken it over
    FOREIGN = "foreign"  # the head names a writer that SQL never named, and that is gone
    FORK = "fork"  # Redis and SQL have different entries at one seq
    GAP = "gap"  # entries are missing between SQL and the stream


SUSPENDED: Final = "suspended"
"""Why a worker asks the writer to look at a wallet: it is out of use, and stays so."""


RELEASED: Final = "released"
"""Why a writer asks the others to look at a shard: it is free."""


class RefusalCause(StrEnum):
    """Why SQL does not take an entry."""

    CONTRADICTED = "contradicted"  # it says something of a bet that does not follow from what SQL holds
    REUSED = "reused"  # its event, its player or a bet of it is there already
    UNSTORABLE = "unstorable"  # it cannot be read, or contradicts itself or its wallet


class Refusal(msgspec.Struct, frozen=True):
    """One entry that does not follow from what SQL holds, and why, in words."""

    shard: int
    seq: int
    user_id: str
    provider: str
    cause: RefusalCause
    detail: str


class EntriesRefused(WalletError):
    """Some entries do not follow from what SQL holds: nothing of the transaction was committed.

    Each of `refusals` is the first such entry of its wallet. What is theirs from there on has to become void.
    """

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        first = refusals[0]
        super().__init__(f"shard {first.shard}, entry {first.seq}: {first.detail}")
        self.refusals = refusals


class LedgerConflict(WalletError):
    """A shard's entries cannot be committed as they are: nothing of the transaction was."""

    def __init__(self, cause: EpochCause, shard: int, seq: int, detail: str) -> None:
        super().__init__(f"shard {shard}, entry {seq}: {detail}")
        self.cause = cause
        self.shard = shard
        self.seq = seq


class Displaced(WalletError):
    """SQL names another writer of the shard. What this one still does there can never be committed."""


class EpochMoved(WalletError):
    """SQL names another epoch than the entries: a newer one was opened, and these can never be committed."""
