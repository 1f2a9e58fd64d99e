"""What the two HTTP servers, webhooks and back office, have in common: limits of time, and whose fault is whose."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from service import metrics

if TYPE_CHECKING:
    from prometheus_client import Counter

BODY_READ_S: Final = 10.0  # for a body that does not come, or whose framing broke
LINGER_S: Final = 2.0  # for a client to finish sending what is no longer read, so that it sees the answer
IDLE_S: Final = 75.0  # from the connection, or the last answer on it, to the end of the next request's headers

SERVER: Final = "wallet"  # the header of that name, instead of the versions of Python and aiohttp

BROKEN: Final = (web.RequestPayloadError, HttpProcessingError, ConnectionError)
"""What reading a request raises if its client broke off, or sent what is not HTTP."""


def handler_args(server: str) -> dict[str, Any]:
    """How aiohttp serves either application. `server` is the label of `wallet_broken_requests_total`.

    Access is not logged, bodies are never decompressed, and a connection without a request is closed.
    """
    return {
        "access_log": None,
        "auto_decompress": False,
        "keepalive_timeout": IDLE_S,
        "lingering_time": LINGER_S,
        "logger": _logger(server),
    }


class _NotTheirs(logging.Filter):
    """Drops, and counts, what aiohttp logs with a traceback for each request that is not HTTP or was broken off.

    Anybody can send those: they must not be able to fill the log.
    """

    def __init__(self, broken: Counter) -> None:
        super().__init__()
        self._broken = broken

    def filter(self, record: logging.LogRecord) -> bool:
        fault = record.exc_info[1] if record.exc_info else None
        if isinstance(fault, BROKEN):
            self._broken.inc()
            return False
        return record.levelno >= logging.WARNING


def _logger(server: str) -> logging.Logger:
    logger = logging.getLogger(f"{__name__}.{server}")
    logger.setLevel(logging.DEBUG)  # aiohttp tells some broken requests at this level: they are counted, too
    if not logger.filters:
        logger.addFilter(_NotTheirs(metrics.BROKEN_REQUESTS.labels(server)))
    return logger
