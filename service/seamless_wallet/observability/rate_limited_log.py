"""A log for faults that come in bursts: one line has the reason, and a metric has the number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog

log = structlog.get_logger(__name__)


class RateLimitedLog:
    """Logs an event at most once in `every_s` seconds, by the clock that it is given.

    `suppressed` counts those that were left out before.
    """

    def __init__(self, every_s: float = 1.0, *, monotonic_s: Callable[[], float]) -> None:
        self._every_s = every_s
        self._monotonic_s = monotonic_s
        self._since_s: dict[tuple[str, str], float] = {}
        self._suppressed: dict[tuple[str, str], int] = {}

    def error(self, name: str, **fields: Any) -> None:
        """Log the event `name`, unless it was logged less than `every_s` ago."""
        self._log(log.error, name, "", fields)

    def exception(self, name: str, **fields: Any) -> None:
        """As `error`, with the traceback of the exception that is being handled."""
        self.error(name, exc_info=True, **fields)

    def warning(self, name: str, *, of: str = "", **fields: Any) -> None:
        """As `error`, one level lower. Each `of` has a limit of its own: take it from a fixed set."""
        self._log(log.warning, name, of, fields)

    def _log(self, write: Callable[..., Any], name: str, of: str, fields: dict[str, Any]) -> None:
        now_s, kind = self._monotonic_s(), (name, of)
        if now_s - self._since_s.get(kind, float("-inf")) < self._every_s:
            self._suppressed[kind] = self._suppressed.get(kind, 0) + 1
            return
        self._since_s[kind] = now_s
        write(name, **fields, suppressed=self._suppressed.pop(kind, 0))
