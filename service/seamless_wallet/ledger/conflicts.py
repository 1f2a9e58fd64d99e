"""Why entries cannot be committed as they are, and why a shard gets a new epoch."""

from __future__ import annotations

from enum import StrEnum

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
    CONTRADICTED = "contradicted"  # an entry says something of a bet that does not follow from what SQL holds
    REUSED = "reused"  # an event or a bet that SQL has already
    UNSTORABLE = "unstorable"  # an entry that cannot be read, or contradicts itself


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
