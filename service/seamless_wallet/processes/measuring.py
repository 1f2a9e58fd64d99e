"""Measures again and again, beside everything else. What is away just now is measured soon."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from redis.exceptions import ResponseError

from seamless_wallet.engine.pipeline import RedisUnavailable
from seamless_wallet.observability import metrics
from seamless_wallet.observability.rate_limited_log import RateLimitedLog

AWAY: Final = (RedisUnavailable, ResponseError, OSError)
"""What other metrics and `/readyz` tell. StoreError is an OSError."""

AGAIN_S: Final = 0.5
"""After something was away."""

_FAULTS: Final = metrics.UNEXPECTED_ERRORS.labels("gauges")
_log: Final = RateLimitedLog(every_s=60, monotonic_s=time.monotonic)


@asynccontextmanager
async def measuring(
    measure: Callable[[], Awaitable[None]], every_s: float, rest_factor: float = 0.0
) -> AsyncIterator[None]:
    """Measure at once, and so often within the context. It rests for `rest_factor` times as long as it took."""
    task = asyncio.create_task(_measure_for_ever(measure, every_s, rest_factor))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _measure_for_ever(measure: Callable[[], Awaitable[None]], every_s: float, rest_factor: float) -> None:
    while True:
        begun_s, pause_s = time.monotonic(), every_s
        try:
            await measure()
            pause_s = max(every_s, rest_factor * (time.monotonic() - begun_s))
        except AWAY:
            pause_s = min(AGAIN_S, every_s)
        except Exception:  # noqa: BLE001 - counted and logged; the next measurement tries again
            _FAULTS.inc()
            _log.exception("gauges_not_measured", remedy="Report it. Nothing else is affected.")
        await asyncio.sleep(pause_s)
