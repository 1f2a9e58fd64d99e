"""Serving the health and the counters of a process: on a socket in the run directory, and on a port if one is set."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from seamless_wallet.http_server.listener import bind_listener, check_plain_http, url_of
from seamless_wallet.observability.process_counters import ProcessCounters
from seamless_wallet.observability.process_health import ProcessHealth
from seamless_wallet.observability.structlog_import import structlog
from seamless_wallet.processes.lifetime import Lifetime
from seamless_wallet.settings import Settings
from seamless_wallet.supervisor.data_directory import run_directory

log = structlog.get_logger(__name__)


@asynccontextmanager
async def served_health(role: str, settings: Settings, lifetime: Lifetime) -> AsyncIterator[ProcessCounters]:
    """Serve within the context. Yields the counters of this process.

    The port is for processes that were started by themselves: children of `wallet up` would all want the same one.
    Raises SettingsError if it cannot be had.
    """
    listener = None
    if settings.health_port is not None and not lifetime.has_parent:
        listener = bind_listener(settings.health_host, settings.health_port, "WALLET_HEALTH")
        if settings.plain_http == "loopback":
            check_plain_http(listener, "WALLET_HEALTH")
        log.info("health_served", url=url_of(listener))
    health = ProcessHealth(role, run_directory(settings), lifetime.states)
    async with health.served(listener):
        yield health.counters
