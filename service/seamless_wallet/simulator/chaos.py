"""How often each kind of trouble happens."""

from __future__ import annotations

from typing import Self

import msgspec


class Chaos(msgspec.Struct, frozen=True):
    """Probabilities from 0 to 1: `repeated` after every event, each of the others once a round."""

    repeated: float = 0.0  # the same event again: as it was, re-stamped, or under a new transaction_id; now or later
    cancelled_first: float = 0.0  # the cancel arrives before its bet
    insufficient: float = 0.0  # a bet over the balance, and again after money has come
    conflicting: float = 0.0  # the same transaction_id, or the same bet, with another amount
    orphaned: float = 0.0  # the result arrives before its bet, and again after it
    contradicting: float = 0.0  # a result of what was cancelled, another result of what was settled
    reordered: float = 0.0  # two result changes in the wrong order
    indebted: float = 0.0  # a result change that takes more than there is

    @classmethod
    def of(cls, chaos: float, duplicates: float) -> Self:
        """`duplicates` is the probability of a repetition, `chaos` that of everything else."""
        return cls(duplicates, *[chaos] * (len(cls.__struct_fields__) - 1))
