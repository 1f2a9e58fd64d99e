"""The log: each event is one JSON line on standard error, also the events of libraries.

Nothing depends on a line: it is written without waiting and without raising, or dropped and counted.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import orjson

from seamless_wallet.observability.call_context import call_fields
from seamless_wallet.observability.line_writer import LineWriter
from seamless_wallet.observability.standard_streams import STDERR_FD, STDOUT_FD, redirect_streams
from seamless_wallet.observability.structlog_import import structlog

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor

FRAMES_MAX: Final = 20
"""Frames of a traceback that are logged: the outer and the inner ones. A pipe takes a short line in one piece."""

OPTIONS: Final = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_NON_STR_KEYS
"""A dataclass is logged by its repr, which leaves out fields that are secret; orjson would log all of them. A key may
be a member of an enum, as in the numbers of shards by cause."""

_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("wallet.library")
_origin: Final[dict[str, Any]] = {}
"""What each line says of its process."""


def redirect_output() -> None:
    """Have all that this process prints written as the log is: without waiting, without raising."""
    redirect_streams(STDOUT, STDERR)


def configure_logging(level: str, process: str = "") -> None:
    """Log events of `level` and above, and the warnings and errors of libraries. `process` stands in each line."""
    if process:
        _origin.update(process=process, pid=os.getpid())
    structlog.configure(
        processors=[_to_line],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=_StderrLogger,
    )
    logging.captureWarnings(capture=True)
    root = logging.getLogger()
    if not any(isinstance(handler, LibraryHandler) for handler in root.handlers):
        root.addHandler(LibraryHandler(logging.WARNING))


def _to_line(logger: Any, level: str, event: EventDict) -> bytes:
    """The line of one event: the whole chain of structlog's processors. What fails in it costs fields, not the line."""
    line: Any = event
    try:
        for step in _STEPS:
            line = step(logger, level, line)
        return render(line) + b"\n"
    except Exception as fault:  # noqa: BLE001 - nothing depends on a line
        return _line(str(event.get("event")), level, unloggable=type(fault).__qualname__)


def _add_origin(_logger: Any, _level: str, event: EventDict) -> EventDict:
    return {**event, **call_fields(), **_origin}


_stamp: Final = structlog.processors.TimeStamper(fmt="iso", utc=True)
_STEPS: Final[tuple[Processor, ...]] = (
    _add_origin,
    structlog.processors.add_log_level,
    _stamp,
    # Without local variables: sooner or later one of them is a key.
    structlog.processors.ExceptionRenderer(
        structlog.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=FRAMES_MAX)
    ),
)


def _line(log_event: str, level: str, **fields: Any) -> bytes:
    """A line of few and simple fields."""
    return render(_stamp(None, level, {"event": log_event, **_origin, "level": level, **fields})) + b"\n"


def _describe_dropped(count: int) -> bytes:
    return _line(
        log_event="lines_dropped",
        level="warning",
        lines=count,
        remedy="see that the log is read, and its disk has room",
    )


STDOUT: Final = LineWriter(STDOUT_FD, _describe_dropped)
STDERR: Final = LineWriter(STDERR_FD, _describe_dropped)


class _StderrLogger:
    """The end of structlog's chain. Each line is one write, so that processes that share a file never mix theirs."""

    def __init__(self, *_: object) -> None:
        self.debug = self.info = self.warning = self.error = self.critical = STDERR.write


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


def render(event: Mapping[str, Any]) -> bytes:
    """The JSON of one event. Never raises: what JSON cannot hold becomes text."""
    try:
        return orjson.dumps(event, default=repr, option=OPTIONS)
    except TypeError:  # half a surrogate pair, a number over 64 bits, a key that is no text, a value that holds itself
        return orjson.dumps({str(name): _renderable(value) for name, value in event.items()}, option=OPTIONS)


def _renderable(value: Any) -> Any:
    """A value in a form that orjson takes: the value as JSON, or its text."""
    try:
        return orjson.Fragment(orjson.dumps(value, default=repr, option=OPTIONS))
    except TypeError:
        return _text(value).encode(errors="backslashreplace").decode()


def _text(value: Any) -> str:
    try:
        return value if isinstance(value, str) else repr(value)
    except Exception:  # noqa: BLE001 - a repr that fails must not cost the line
        return f"<{type(value).__qualname__}>"
