"""Which call the lines of the log belong to: its request id, and its place in the caller's trace.

    begin_call(request.headers)     # in the task that answers a request
    log.warning("…")                # this line, and those of whatever the task calls, have both

Whoever calls may name a request by the header `X-Request-Id`, and its trace by `traceparent` (W3C Trace Context). A
request without a name gets one when the first line needs it. Nothing else of the headers is ever looked at.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Final

REQUEST_ID: Final = "X-Request-Id"
TRACEPARENT: Final = "traceparent"

_REQUEST_ID_FORM: Final = re.compile(r"[!-~]{1,128}")
_TRACEPARENT_FORM: Final = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")
_NOUGHTS: Final = frozenset("0")


class CallContext:
    """What names a call. Read only when a line is written, or somebody asks."""

    __slots__ = ("_fields", "_headers")

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers
        self._fields: Mapping[str, str] | None = None

    @property
    def request_id(self) -> str:
        """The caller's name for it, or one of ours."""
        return self.fields["request_id"]

    @property
    def fields(self) -> Mapping[str, str]:
        """`request_id`; of a call within a trace also `trace_id`, and `parent_id`, the caller's span."""
        if self._fields is None:
            given = self._headers.get(REQUEST_ID, "")
            is_fit = _REQUEST_ID_FORM.fullmatch(given)
            self._fields = {"request_id": given if is_fit else secrets.token_hex(8), **self._trace()}
        return self._fields

    @property
    def traceparent(self) -> str:
        """The header as it came, fit or not; empty if there is none."""
        return self._headers.get(TRACEPARENT, "")

    def _trace(self) -> Mapping[str, str]:
        text = self.traceparent
        found = _TRACEPARENT_FORM.fullmatch(text)
        if found is None or (text.startswith("00") and found[3]) or any(set(found[n]) == _NOUGHTS for n in (1, 2)):
            return {}
        return {"trace_id": found[1], "parent_id": found[2]}


_current: Final[ContextVar[CallContext | None]] = ContextVar("call", default=None)


def begin_call(headers: Mapping[str, str]) -> CallContext:
    """Bind a call to this task, in place of the one before."""
    context = CallContext(headers)
    _current.set(context)
    return context


def call_fields() -> Mapping[str, str]:
    """What a line says of the call that it belongs to; nothing if it belongs to none."""
    context = _current.get()
    return {} if context is None else context.fields
