"""A configured provider: its credentials, the envelope around each text, and its policy. No I/O.

A `Provider` is one operator's account with a provider: name, credentials, policy, and the profile (the wire
format) that it speaks. Several providers may share a profile.
"""

from __future__ import annotations

from binascii import b2a_base64
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import TYPE_CHECKING, Final

from seamless_wallet.ciphers import CIPHERS, decode_key
from seamless_wallet.commands import Kind
from seamless_wallet.provider_choices import AcceptRule, ReplyBody
from seamless_wallet.providers.base64_text import decode_body

if TYPE_CHECKING:
    from collections.abc import Mapping
    from ipaddress import IPv4Network, IPv6Network

    from seamless_wallet.ciphers import Cipher, RandomBytes
    from seamless_wallet.commands import Policy
    from seamless_wallet.providers.profile import Profile


_CONTENT_TYPES: Final = {ReplyBody.BARE: "text/plain", ReplyBody.JSON_STRING: "application/json"}


_NEW_PLAY: Final = frozenset({Kind.LOGIN, Kind.BET})

HEADER_REMEDY: Final = "must fit into an HTTP header; remove control characters and surrounding spaces"


def fits_header(text: str) -> bool:
    """Whether a text arrives through an HTTP header as it was sent."""
    return text.isprintable() and text == text.strip()


@dataclass(frozen=True, slots=True)
class Key:
    """One API key: the text that travels in the header, and the cipher that it makes."""

    text: str = field(repr=False)
    raw: bytes = field(repr=False)  # the header's bytes
    cipher: Cipher = field(repr=False)

    @classmethod
    def parse(cls, text: str, cipher: str, encoding: str, random_bytes: RandomBytes) -> Key:
        """A key from its configured text; `random_bytes` makes its nonces.

        Raises `ValueError`, whose text never contains the key.
        """
        if cipher not in CIPHERS:
            raise ValueError(f"cannot be used with the unknown cipher {cipher!r}; choose one of {', '.join(CIPHERS)}")
        raw = decode_key(text, encoding)
        if not fits_header(text):
            raise ValueError(HEADER_REMEDY)
        return cls(text, text.encode(), CIPHERS[cipher](raw, random_bytes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One configured provider. `currencies` are those it may send, each with its scale in decimal digits.

    `scales` are those of all currencies: a player who logs in may have one that this provider never sends.

    `keys` holds the current key and, while keys are rotated, the previous one. `allow` are the networks that
    may call; empty means any. `accept` says which events are taken.
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
    accept: AcceptRule = AcceptRule.ALL

    def takes(self, kind: Kind) -> bool:
        """Whether events of this kind are taken at all (SEMANTICS row 83)."""
        return self.accept is AcceptRule.ALL or kind not in _NEW_PLAY

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
        """The text in a body, in any of the forms that `base64_text` names. Raises `DecryptionError`."""
        return key.cipher.open(decode_body(body))

    def seal(self, text: bytes, key: Key) -> bytes:
        """The body for a text, wrapped as `reply_body` says."""
        bare = b2a_base64(key.cipher.seal(text), newline=False)
        return b'"' + bare + b'"' if self.reply_body is ReplyBody.JSON_STRING else bare

    def headers(self, key: Key) -> dict[str, str]:
        """What both sides send beside a sealed body. Holds the key: never log it."""
        return {"Api-Id": self.api_id, "Api-Key": key.text, "Content-Type": _CONTENT_TYPES[self.reply_body]}
