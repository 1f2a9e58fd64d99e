"""One line a second for a fault that every request meets: the metric has the number, the log the reason."""

from __future__ import annotations

import time
from typing import Any, Final

import structlog

EVERY_S: Final = 1.0

log = structlog.get_logger(__name__)


class SeldomLog:
    """Logs the first of a burst, and then how many there were."""

    def __init__(self) -> None:
        self._since_s: dict[str, float] = {}
        self._unsaid: dict[str, int] = {}

    def error(self, name: str, **fields: Any) -> None:
        """Log `name`, unless it was logged within the last second."""
        now_s = time.monotonic()
        if now_s - self._since_s.get(name, float("-inf")) < EVERY_S:
            self._unsaid[name] = self._unsaid.get(name, 0) + 1
            return
        self._since_s[name] = now_s
        log.error(name, **fields, unsaid_before=self._unsaid.pop(name, 0))
