"""What a wire format must be able to do, and what passes between it and the rest. No I/O, and no one format.

A *profile* is one format: one file beside this one. It knows neither keys nor HTTP: those are the envelope of
`provider`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

import msgspec

from seamless_wallet.errors import WalletError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from seamless_wallet.commands import Answer, Code, Command, Kind


class Echo(msgspec.Struct, frozen=True):
    """What a reply repeats of its request. None is a field that could not be read, and is left out."""

    event_type: str | None = None
    timestamp: int | None = None  # as sent, whatever its unit
    user_id: str | None = None


class Incoming(msgspec.Struct, frozen=True):
    """A request that decoded: what it asks, and what its reply repeats."""

    command: Command
    echo: Echo


class Ids(msgspec.Struct, frozen=True):
    """What a request that is wrong elsewhere is about, for whoever looks for it; "" if it could not be read."""

    transaction_id: str = ""
    game_no: str = ""


class Reply(msgspec.Struct, frozen=True):
    """A decoded reply, as the provider's side sees it. `latest_balance` is in major units."""

    code: Code
    event_type: str | None = None
    timestamp: int | None = None
    user_id: str | None = None
    latest_balance: Decimal | None = None


class Reason(StrEnum):
    """Why a request is invalid, for metrics, logs and tests; the provider only sees R3."""

    JSON = "json"  # not UTF-8, not JSON, nested too deeply
    SCHEMA = "schema"  # a field missing or of the wrong type
    DUPLICATE_KEY = "duplicate_key"
    EVENT_TYPE = "event_type"
    ID = "id"  # empty, longer than ID_CHARS_MAX, or with control characters
    TIMESTAMP = "timestamp"
    CURRENCY = "currency"
    AMOUNT = "amount"  # negative, finer than the currency, over AMOUNT_MAX, not finite
    TOTAL = "total"  # not the sum of its items
    ITEMS = "items"  # none, more than ITEMS_MAX, or one twice


class Invalid(WalletError):
    """A request that can never succeed as sent: answered R3 (SEMANTICS rows 11, 14, 15, 17).

    `place` says where in the request: a path of fields, such as `data.bets[3].bet_amount`, or a position in a text that
    is no JSON. `problem` says what is wrong there, as it would stand after the name of the field: "is missing". Both
    are for the log and the history of calls, never for the provider; they hold nothing that the provider wrote, and may
    be empty.
    """

    def __init__(
        self, reason: Reason, echo: Echo | None = None, place: str = "", ids: Ids | None = None, problem: str = ""
    ) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.echo = echo or Echo()
        self.place = place
        self.ids = ids or Ids()
        self.problem = problem


class Sender(Protocol):
    """What a profile may know of the provider that sends an event: never its keys."""

    @property
    def name(self) -> str:
        """Its name in the settings and in the ledger."""
        ...

    @property
    def currencies(self) -> Mapping[str, int]:
        """The currencies that it may send, each with its scale in decimal digits."""
        ...


class Profile(Protocol):
    """One provider's wire format, both directions. The only place that knows it."""

    @property
    def name(self) -> str:
        """As in the settings."""
        ...

    @property
    def event_names(self) -> Mapping[Kind, tuple[str, ...]]:
        """All its names of events, by what they ask; the usual name of a kind comes first."""
        ...

    @property
    def event_types(self) -> frozenset[str]:
        """The same names without their kinds: the values that a label may have."""
        ...

    def decode(self, text: bytes, sender: Sender, received_ms: int) -> Incoming:
        """Strictly read one decrypted request. Raises `Invalid`."""
        ...

    def encode_reply(self, echo: Echo, answer: Answer, scale: int | None) -> bytes:
        """The reply's text. `scale` is that of the answer's currency; without one no balance is told."""
        ...

    def encode_event(self, command: Command, scale: int, event_type: str | None = None) -> bytes:
        """The provider's side: the text of a request, so that `decode` gives the command back.

        `event_type` is one of the names of the command's kind; default: the usual one.
        """
        ...

    def decode_reply(self, text: bytes) -> Reply:
        """The provider's side: read a reply. Raises `ValueError` if it is none."""
        ...
