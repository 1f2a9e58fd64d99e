"""Divides the time of a run among its cases, some of which play at the same time."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable


class RunClock:
    """While n cases play, each gets 1/n of the time that passes: so the shares add up to the time of the run."""

    def __init__(self, now_s: Callable[[], float] = time.perf_counter) -> None:
        self._now_s = now_s
        self._last_s = now_s()
        self._shares_s: dict[Hashable, float] = {}

    def begin(self, case: Hashable) -> None:
        """A case begins to play."""
        self._divide()
        self._shares_s[case] = 0.0

    def end(self, case: Hashable) -> float:
        """A case is over. Its share, in seconds."""
        self._divide()
        return self._shares_s.pop(case)

    def _divide(self) -> None:
        now_s = self._now_s()
        for case in self._shares_s:
            self._shares_s[case] += (now_s - self._last_s) / len(self._shares_s)
        self._last_s = now_s
