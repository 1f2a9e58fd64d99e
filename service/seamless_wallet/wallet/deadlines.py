"""One deadline for a whole call, whatever it waits for."""

from __future__ import annotations

import asyncio
from itertools import takewhile
from types import TracebackType
from typing import Final

EARLY_S: Final = 0.001
"""How much too early a timer of the event loop may fire. Without this the same timer would be set again and again."""


class Deadlines:
    """Bounds calls that all get the same time.

    with deadlines.call():
        ...  # raises TimeoutError where it waits when the time is over

    Calls have to end in the order in which they began, so one timer, set for the oldest, serves all of them. One for
    each call would cost CPU for what almost never happens.
    """

    def __init__(self, limit_s: float) -> None:
        self.limit_s: Final = limit_s
        self.open: Final[dict[CallLimit, None]] = {}  # the oldest first
        self._timer: asyncio.TimerHandle | None = None

    def call(self) -> CallLimit:
        """A context for one call of the current task."""
        return CallLimit(self)

    def begin(self, call: CallLimit) -> float:
        """When this call has to end, by the clock of the loop, now that it has begun."""
        loop = asyncio.get_running_loop()
        ends_s = loop.time() + self.limit_s
        self.open[call] = None
        if self._timer is None:
            self._timer = loop.call_at(ends_s, self._end_overdue)
        return ends_s

    def _end_overdue(self) -> None:
        loop = asyncio.get_running_loop()
        now_s = loop.time() + EARLY_S
        for call in tuple(takewhile(lambda call: call.ends_s <= now_s, self.open)):
            del self.open[call]
            call.end()
        oldest = next(iter(self.open), None)
        self._timer = None if oldest is None else loop.call_at(oldest.ends_s, self._end_overdue)


class CallLimit:
    """One call while it lasts. Like `asyncio.timeout` it cancels the task, and turns that into TimeoutError."""

    __slots__ = ("_cancelling", "_deadlines", "_overdue", "_task", "ends_s")

    def __init__(self, deadlines: Deadlines) -> None:
        self._deadlines = deadlines
        self._overdue = False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a call needs a task")
        self._task = task
        self._cancelling = task.cancelling()
        self.ends_s = self._deadlines.begin(self)

    def end(self) -> None:
        """The time is over."""
        self._overdue = True
        self._task.cancel()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._deadlines.open.pop(self, None)
        if self._overdue and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error
