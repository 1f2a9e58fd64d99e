"""A configured provider, and what its profile must be able to do. No I/O, and no one wire format.

A *profile* is the format, one file beside this one; a `Provider` is one operator's account with a provider
that speaks it: name, credentials, policy. Several providers may share a profile.
"""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from dataclasses import dataclass, field
from enum import StrEnum
from hmac import compare_digest
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from seamless_wallet.ciphers import CIPHERS, DecryptionError
from seamless_wallet.errors import WalletError
from seamless_wallet.settings.field_types import decode_key

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal
    from ipaddress import IPv4Network, IPv6Network

    from seamless_wallet.ciphers import Cipher
    from seamless_wallet.commands import Answer, Code, Command, Policy


class ReplyBody(StrEnum):
    """How the sealed reply is wrapped. The provider's guide does not say, so it is a setting."""

    BARE = "bare"  # base64, text/plain
    JSON_STRING = "json-string"  # the same in double quotes, application/json


CONTENT_TYPES: Final = {ReplyBody.BARE: "text/plain", ReplyBody.JSON_STRING: "application/json"}


def fits_header(text: str) -> bool:
    """Whether a text arrives through an HTTP header as it was sent."""
    return text.isprintable() and text == text.strip()


class Echo(msgspec.Struct, frozen=True):
    """What a reply repeats of its request. None is a field that could not be read, and is left out."""

    event_type: str | None = None
    timestamp: int | None = None  # as sent, whatever its unit
    user_id: str | None = None


class Incoming(msgspec.Struct, frozen=True):
    """A request that decoded: what it asks, and what its reply repeats."""

    command: Command
    echo: Echo


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
    ID = "id"  # empty, over 128 characters, or with control characters
    TIMESTAMP = "timestamp"
    CURRENCY = "currency"
    AMOUNT = "amount"  # negative, finer than the currency, over the cap, not finite
    TOTAL = "total"  # not the sum of its items
    ITEMS = "items"  # none, too many, or one twice


class Invalid(WalletError):
    """A request that can never succeed as sent: answered R3 (SEMANTICS rows 11, 14, 15, 17)."""

    def __init__(self, reason: Reason, echo: Echo | None = None) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.echo = echo or Echo()


class Profile(Protocol):
    """One provider's wire format, both directions. The only place that knows it."""

    @property
    def name(self) -> str:
        """As in the settings."""
        ...

    @property
    def event_types(self) -> frozenset[str]:
        """All its names of events: the values that a label may have."""
        ...

    def decode(self, text: bytes, provider: Provider, received_ms: int) -> Incoming:
        """Strictly read one decrypted request. Raises `Invalid`."""
        ...

    def encode_reply(self, echo: Echo, answer: Answer, scale: int | None) -> bytes:
        """The reply's text. `scale` is that of the answer's currency; without one no balance is told."""
        ...

    def encode_event(self, command: Command, scale: int, event_type: str | None = None) -> bytes:
        """The provider's side: the text of a request, so that `decode` gives the command back.

        `event_type` chooses among several names of one kind; default: the kind's usual name.
        """
        ...

    def decode_reply(self, text: bytes) -> Reply:
        """The provider's side: read a reply. Raises `ValueError` if it is none."""
        ...


@dataclass(frozen=True, slots=True)
class Key:
    """One API key: the text that travels in the header, and the cipher that it makes."""

    text: str = field(repr=False)
    raw: bytes = field(repr=False)  # the header's bytes
    cipher: Cipher = field(repr=False)

    @classmethod
    def parse(cls, text: str, cipher: str, encoding: str) -> Key:
        """A key from its configured text. Raises `ValueError`, whose text never contains the key."""
        if cipher not in CIPHERS:
            raise ValueError(f"unknown cipher {cipher!r}: choose one of {', '.join(CIPHERS)}")
        try:
            key = decode_key(text, encoding)
        except ValueError as problem:
            raise ValueError(f"the key {problem}") from None
        if not fits_header(text):
            raise ValueError("the key travels in a header: no control characters, no outer white space")
        return cls(text, text.encode(), CIPHERS[cipher](key))


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One configured provider. `currencies` are those it may send, each with its scale in decimal digits.

    `scales` are those of all currencies: a player who logs in may have one that this provider never sends.

    `keys` holds the current key and, while keys are rotated, the previous one. `allow` are the networks that
    may call; empty means any.
    """

    name: str
    api_id: str
    keys: tuple[Key, ...]
    profile: Profile
    policy: Policy
    currencies: Mapping[str, int]
    scales: Mapping[str, int]
    reply_body: ReplyBody = ReplyBody.BARE
    allow: tuple[IPv4Network | IPv6Network, ...] = ()

    def match_key(self, api_key: str) -> Key | None:
        """The key of which the caller sent the text. Compares with all of them in constant time."""
        sent = api_key.encode("utf-8", "surrogateescape")
        found = None
        for key in self.keys:
            if compare_digest(sent, key.raw):
                found = key
        return found

    def is_api_id(self, api_id: str) -> bool:
        """Whether the caller sent our Api-Id. Constant time."""
        return compare_digest(api_id.encode("utf-8", "surrogateescape"), self.api_id.encode())

    def open(self, body: bytes, key: Key) -> bytes:
        """The text in a body: base64, bare, in white space, or as a JSON string. Raises `DecryptionError`.

        The guide says `text/plain`, the event pages show `application/json`: so the content type is never
        looked at.
        """
        bare = body.strip()
        try:
            if bare[:1] == b'"':
                # A JSON string, read as one: PHP writes "\/" for the "/" of base64.
                bare = msgspec.json.decode(bare, type=str).strip().encode()
            if len(bare) % 4 or bare.endswith(b"==="):
                raise DecryptionError  # strict_mode takes a "=" too many
            return key.cipher.open(a2b_base64(bare, strict_mode=True))
        except (Base64Error, msgspec.MsgspecError, UnicodeError):
            raise DecryptionError from None

    def seal(self, text: bytes, key: Key) -> bytes:
        """The body for a text, wrapped as `reply_body` says."""
        bare = b2a_base64(key.cipher.seal(text), newline=False)
        return b'"' + bare + b'"' if self.reply_body is ReplyBody.JSON_STRING else bare

    def headers(self, key: Key) -> dict[str, str]:
        """What both sides send beside a sealed body. Holds the key: never log it."""
        return {"Api-Id": self.api_id, "Api-Key": key.text, "Content-Type": CONTENT_TYPES[self.reply_body]}
