"""Liveness, readiness and metrics. They need no token, as probes and scrapers have none, and tell no player's data."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import structlog
from aiohttp import web

from seamless_wallet.backoffice.problems import Problem, problem_response
from seamless_wallet.backoffice.responses import json_response
from seamless_wallet.observability import metrics
from seamless_wallet.observability.exposition import CONTENT_TYPE

READINESS_LIMIT_S: Final = 2.0
OK: Final = "ok"

Readiness = Callable[[], Awaitable[Mapping[str, str]]]
"""Asks for the state of every component: its name → `ok`, or why it is not ok. No secrets: anybody may read it."""

Exposition = Callable[[], Awaitable[bytes]]
"""Collects the counters of all processes, in the text format of Prometheus."""

_FAULTS: Final = metrics.UNEXPECTED_ERRORS.labels("readiness")
_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("wallet.backoffice")


class Health:
    """The handlers of the three open paths."""

    def __init__(self, readiness: Readiness, exposition: Exposition) -> None:
        self._readiness = readiness
        self._exposition = exposition

    async def live(self, _: web.Request) -> web.Response:
        """`GET /livez`: 200 as long as the process answers at all."""
        return json_response({"status": OK})

    async def ready(self, _: web.Request) -> web.Response:
        """`GET /readyz`: 200 if every component is ok, else 503. Both list all components."""
        components = await self._components()
        if all(state == OK for state in components.values()):
            return json_response({"status": OK, "components": components})
        failing = ", ".join(name for name, state in components.items() if state != OK)
        return problem_response(Problem.NOT_READY, f"not ready: {failing}", components=components)

    async def _components(self) -> Mapping[str, str]:
        try:
            async with asyncio.timeout(READINESS_LIMIT_S):
                return await self._readiness()
        except TimeoutError:
            return {"readiness": f"no answer within {READINESS_LIMIT_S:g} s"}
        except Exception:  # noqa: BLE001 - counted and logged; a probe needs an answer
            _FAULTS.inc()
            _log.exception("readiness_check_error")
            return {"readiness": "the readiness check failed: see readiness_check_error in the log"}

    async def metrics(self, _: web.Request) -> web.Response:
        """`GET /metrics`: the counters of all processes, for Prometheus."""
        return web.Response(body=await self._exposition(), headers={"Content-Type": CONTENT_TYPE})
