"""The log: one JSON line an event, to standard error, whoever speaks."""

from __future__ import annotations

import json
import logging
from typing import Any, Final

import structlog

STDERR_FD: Final = 2
FRAMES_MAX: Final = 20
"""Of a traceback: the outer and the inner ones. A line should be short enough for a pipe to take it in one piece."""

_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("wallet.library")


def configure(level: str) -> None:
    """Have everything of `level` and above logged: our own events, and libraries' warnings and errors.

    A line is one write, so that the processes that share the file or pipe never mix theirs; `sys.stderr` would
    write text and line end separately where it is unbuffered.
    """
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(
                # Never the locals: one of them is a key sooner or later.
                structlog.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=FRAMES_MAX)
            ),
            structlog.processors.JSONRenderer(_line),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.BytesLoggerFactory(open(STDERR_FD, "wb", buffering=0, closefd=False)),  # noqa: SIM115 - stays open as long as the process
    )
    root = logging.getLogger()
    if not any(isinstance(handler, LibraryHandler) for handler in root.handlers):
        root.addHandler(LibraryHandler(logging.WARNING))


class LibraryHandler(logging.Handler):
    """Turns what libraries say by way of `logging` into events of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log one record, in our form."""
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 - a library that formats wrongly is still heard
            message = str(record.msg)
        fault = record.exc_info[1] if record.exc_info else None
        said: dict[str, Any] = {"logger": record.name, "message": message, "exc_info": fault}
        if record.levelno >= logging.ERROR:
            _log.error("library_message", **said)
        else:
            _log.warning("library_message", **said)


def _line(event: Any, **options: Any) -> bytes:
    return json.dumps(event, **options).encode()
