"""The state of one bet, and its text form, which Lua and Python share.

O <stake>                                          open
C <stake>                                          cancelled after it was placed
T <amount>                                         cancelled before it was placed: a tombstone
S <stake> <winloss> <first winloss> [<before>:<after>:<timestamp ms> …]   settled, with its changes
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec


class BetState(StrEnum):
    """The first word of a bet's text."""

    OPEN = "O"
    CANCELLED = "C"
    TOMBSTONE = "T"
    SETTLED = "S"


_SETTLED: Final = BetState.SETTLED


class Change(msgspec.Struct, frozen=True, gc=False):
    """One applied result change: winloss before and after in minor units, the event's own time."""

    before: int
    after: int
    timestamp_ms: int


class Bet(msgspec.Struct, frozen=True, gc=False):
    """One bet as the ledger knows it. `stake` of a tombstone is the amount that the cancel named."""

    state: BetState
    stake: int
    winloss: int = 0
    first_winloss: int = 0
    changes: tuple[Change, ...] = ()

    def text(self) -> str:
        """The form that is kept in Redis and handed to the scripts."""
        if self.state is not _SETTLED:
            return self.state + f" {self.stake}"
        changes = "".join(f" {c.before}:{c.after}:{c.timestamp_ms}" for c in self.changes)
        return f"S {self.stake} {self.winloss} {self.first_winloss}{changes}"

    def winlosses(self) -> set[int]:
        """Every winloss that a settled bet has had, in minor units."""
        return {self.first_winloss, *(change.after for change in self.changes)}

    def was_changed(self, before: int, after: int) -> bool:
        """Whether this change of winloss was applied at any time."""
        return any((change.before, change.after) == (before, after) for change in self.changes)


def parse_bet(text: str) -> Bet:
    """The inverse of `Bet.text`. Raises ValueError for anything else."""
    state, *numbers = text.split(" ")
    if state != BetState.SETTLED:
        (stake,) = numbers
        return Bet(BetState(state), int(stake))
    stake, winloss, first, *changes = numbers
    parsed = [change.split(":") for change in changes]
    return Bet(
        BetState.SETTLED,
        int(stake),
        int(winloss),
        int(first),
        tuple(Change(int(before), int(after), int(timestamp_ms)) for before, after, timestamp_ms in parsed),
    )
