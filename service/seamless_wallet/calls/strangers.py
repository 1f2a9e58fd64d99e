"""How many calls without a right key are kept: enough to see them, too few to fill a disk or to hide others."""

from __future__ import annotations

from typing import Final

A_SOURCE_MAX: Final = 10
"""Calls of one address that are kept in a minute."""

ALL_MAX: Final = 100
"""Calls of all addresses together that a process keeps in a minute."""

_MINUTE_MS: Final = 60_000


class Strangers:
    """Counts the calls of this minute."""

    def __init__(self) -> None:
        self._minute = -1
        self._all = 0
        self._of: dict[str, int] = {}

    def is_kept(self, source: str, received_ms: int) -> bool:
        """Whether one more call of this source is kept."""
        minute = received_ms // _MINUTE_MS
        if minute != self._minute:
            self._minute, self._all, self._of = minute, 0, {}
        of = self._of.get(source, 0)
        if of >= A_SOURCE_MAX or self._all >= ALL_MAX:
            return False
        self._of[source] = of + 1
        self._all += 1
        return True
