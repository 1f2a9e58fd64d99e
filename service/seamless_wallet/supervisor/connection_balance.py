"""How many of its connections each worker gives to others. Providers keep theirs for long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

REST_BEATS: Final = 4
"""Heartbeats in which nobody gives any more: until connections have moved, and everybody has told how many it has.

Who gives some away accepts none for 1.2 s. On older counts the one that took them would give them back at once, and
nobody would accept meanwhile.
"""


def surpluses(connections: Sequence[int]) -> list[int]:
    """How many of its connections each worker should give to others. A worker with the fewest never has to."""
    share = -(-sum(connections) // max(1, len(connections)))
    return [max(0, count - share) for count in connections]


class ConnectionBalance:
    """Gives out surpluses, and waits for their effect."""

    def __init__(self) -> None:
        self._rest = 0

    def at_beat(self, connections: Sequence[int]) -> list[int]:
        """What each worker should give away now, by what all of them have told. Call it at each heartbeat."""
        if self._rest:
            self._rest -= 1
            return [0] * len(connections)
        given = surpluses(connections)
        if any(given):
            self._rest = REST_BEATS
        return given
