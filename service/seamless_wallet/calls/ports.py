"""What the webhook, the back office and the command line need of the history, and how it fails.

A store in another database has to fulfil `CallStore`, and nothing else changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

from seamless_wallet.calls.record import CallRecord

_ID_MAX: Final = 2**63 - 1


def call_id_in(text: str) -> int | None:
    """The id of a call, from its decimal digits; None if the text is none."""
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(_ID_MAX))):
        return None
    return int(text) if int(text) <= _ID_MAX else None


class CallRecorder(Protocol):
    """Takes records from whoever answers calls."""

    def record(self, call: CallRecord) -> None:
        """Keep a call, or drop and count it. Returns at once. Raises only for a text that nobody could write."""


class StoredCall(msgspec.Struct, frozen=True):
    """A call with its id, and who has looked at it. `request` and `reply` as text."""

    id: int
    call: CallRecord
    acknowledged_ms: int = 0  # when somebody said that it needs nothing more; 0: not yet
    note: str = ""

    @property
    def request(self) -> str:
        """What was asked, decrypted."""
        return self.call.request.decode("utf-8", "replace")

    @property
    def reply(self) -> str:
        """What was answered, before it was sealed."""
        return self.call.reply.decode("utf-8", "replace")

    @property
    def is_cut(self) -> bool:
        """Whether only the beginning of the request is kept."""
        return len(self.call.request) < self.call.request_bytes and bool(self.call.request)


class CallsQuery(msgspec.Struct, frozen=True):
    """Which calls, newest first. Empty texts and None leave a field open.

    Without `texts` they come without requests and replies, which are up to `TEXT_BYTES_MAX` bytes each.
    """

    from_ms: int = 0
    to_ms: int | None = None
    provider: str = ""
    user_id: str = ""
    transaction_id: str = ""
    game_no: str = ""
    event: str = ""
    code: str = ""
    reason: str = ""
    failed: bool = False
    unacknowledged: bool = False
    slow_ms: int = 0
    before_id: int | None = None
    limit: int = 50
    texts: bool = True


class CallsPage(msgspec.Struct, frozen=True):
    """Calls, newest first. `next_id`: ask again for those before it; None: there are no more.

    A page may have fewer calls than asked for, or none, and still a next one: one question looks at a bounded number.
    """

    calls: Sequence[StoredCall]
    next_id: int | None


class CallStore(Protocol):
    """Calls that are kept. Raises an OSError with one line for people when they cannot be read or written."""

    async def find(self, query: CallsQuery) -> CallsPage:
        """One page of calls."""

    async def call(self, call_id: int) -> StoredCall | None:
        """One call."""

    async def tries(self, call: CallRecord, limit: int) -> Sequence[StoredCall]:
        """The calls about the same event, oldest first, without requests and replies."""

    async def acknowledge(self, call_id: int, now_ms: int, note: str) -> StoredCall | None:
        """Note that a call needs nothing more; None if there is no such call."""

    async def erase(self, user_id: str) -> int:
        """Delete all calls of a player; how many there were."""
