"""Waiting for conditions and for jobs, with an end."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any

WAIT_S = float(os.environ.get("TEST_WAIT_S", "20"))
"""How long a condition may take. Never reached by a test that passes."""


async def until(condition: Callable[[], Any], what: str = "", limit_s: float = WAIT_S) -> Any:
    """Wait for a condition, plain or awaitable, and return what it gave."""
    deadline_s = time.monotonic() + limit_s
    while True:
        found = condition()
        if isinstance(found, Awaitable):
            found = await found
        if found:
            return found
        assert time.monotonic() < deadline_s, f"never: {what or condition}"
        await asyncio.sleep(0.005)


async def gather(*jobs: Awaitable[Any]) -> list[Any]:
    """All results; the first exception is raised once all are done."""
    results = await asyncio.gather(*jobs, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results
