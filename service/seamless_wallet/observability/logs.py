"""The log: each event is one JSON line on standard error, also the events of libraries."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

import orjson
import structlog

STDERR_FD: Final = 2
FRAMES_MAX: Final = 20
"""Frames of a traceback that are logged: the outer and the inner ones. A pipe takes a short line in one piece."""

OPTIONS: Final = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_NON_STR_KEYS
"""A dataclass is logged by its repr, which leaves out fields that are secret; orjson would log all of them. A key may
be a member of an enum, as in the numbers of shards by cause."""

_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("wallet.library")


def configure(level: str) -> None:
    """Log events of `level` and above, and the warnings and errors of libraries.

    Each line is one write, so that processes that share a file or pipe never mix their lines. `sys.stderr` would write
    the line end separately where it is unbuffered.
    """
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(
                # Without local variables: sooner or later one of them is a key.
                structlog.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=FRAMES_MAX)
            ),
            structlog.processors.JSONRenderer(render),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.BytesLoggerFactory(open(STDERR_FD, "wb", buffering=0, closefd=False)),  # noqa: SIM115 - stays open as long as the process
    )
    root = logging.getLogger()
    if not any(isinstance(handler, LibraryHandler) for handler in root.handlers):
        root.addHandler(LibraryHandler(logging.WARNING))


class LibraryHandler(logging.Handler):
    """Turns the records of `logging`, which libraries use, into events."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log one record as the event `library_message`."""
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 - a record that cannot be formatted is logged as it is
            message = str(record.msg)
        fault = record.exc_info[1] if record.exc_info else None
        fields: dict[str, Any] = {"logger": record.name, "message": message, "exc_info": fault}
        if record.levelno >= logging.ERROR:
            _log.error("library_message", **fields)
        else:
            _log.warning("library_message", **fields)


def render(event: Mapping[str, Any], **options: Any) -> bytes:
    """The JSON of one event. Never raises: what JSON cannot hold becomes text.

    `options` are structlog's: `default` turns a value that orjson does not know into text.
    """
    try:
        return orjson.dumps(event, option=OPTIONS, **options)
    except TypeError:  # half a surrogate pair, a number over 64 bits, a key that is no text, a value that holds itself
        return orjson.dumps({str(name): _renderable(value, options) for name, value in event.items()}, option=OPTIONS)


def _renderable(value: Any, options: Mapping[str, Any]) -> Any:
    """A value in a form that orjson takes: the value as JSON, or its text."""
    try:
        return orjson.Fragment(orjson.dumps(value, option=OPTIONS, **options))
    except TypeError:
        return _text(value).encode(errors="backslashreplace").decode()


def _text(value: Any) -> str:
    try:
        return value if isinstance(value, str) else repr(value)
    except Exception:  # noqa: BLE001 - a repr that fails must not cost the line
        return f"<{type(value).__qualname__}>"
