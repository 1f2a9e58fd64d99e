"""One line at a time for a fault that everything meets: the metric has the number, the log the reason."""

from __future__ import annotations

import time
from typing import Any

import structlog

log = structlog.get_logger(__name__)


class RateLimitedLog:
    """Logs the first of a burst, and then how many there were, every `every_s` seconds at most."""

    def __init__(self, every_s: float = 1.0) -> None:
        self._every_s = every_s
        self._since_s: dict[str, float] = {}
        self._unsaid: dict[str, int] = {}

    def error(self, name: str, **fields: Any) -> None:
        """Log `name`, unless it was logged a moment ago."""
        now_s = time.monotonic()
        if now_s - self._since_s.get(name, float("-inf")) < self._every_s:
            self._unsaid[name] = self._unsaid.get(name, 0) + 1
            return
        self._since_s[name] = now_s
        log.error(name, **fields, suppressed=self._unsaid.pop(name, 0))

    def exception(self, name: str, **fields: Any) -> None:
        """The same, with the traceback of the exception that is being handled."""
        self.error(name, exc_info=True, **fields)
