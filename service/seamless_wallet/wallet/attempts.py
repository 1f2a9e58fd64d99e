"""One execution of an event's script, and what becomes of it."""

from __future__ import annotations

import asyncio
from enum import Enum, auto
from typing import Final

from seamless_wallet.wallet.prepared_event import PreparedEvent

COMMIT_LOOKUP_S: Final = 0.1
"""How long an attempt waits for the writer to confirm it before SQL is asked."""


class AttemptOutcome(Enum):
    """What became of an attempt."""

    COMMITTED = auto()
    LOST = auto()  # its epoch ended first, or SQL has the event from another attempt: look it up


class Attempt:
    """One execution that may leave an entry, registered before the command is written.

    The token travels with the entry, and no other attempt has it. `seq` is 0 until Redis has answered.
    """

    __slots__ = ("epoch", "event", "lookup_s", "outcome", "seq", "token")

    def __init__(self, token: str, event: PreparedEvent, epoch: int) -> None:
        loop = asyncio.get_running_loop()
        self.token = token
        self.event = event
        self.epoch = epoch
        self.seq = 0
        self.lookup_s = loop.time() + COMMIT_LOOKUP_S
        self.outcome: asyncio.Future[AttemptOutcome] = loop.create_future()

    def resolve(self, outcome: AttemptOutcome) -> None:
        """Tell whoever waits. Only the first call has an effect."""
        if not self.outcome.done():
            self.outcome.set_result(outcome)
