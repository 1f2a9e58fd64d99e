"""Providers: one file per wire format, registered here and known nowhere else.

A new provider is a module with a `Profile`, a line in `PROFILES`, and a folder of samples under
`tests/samples/`.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from seamless_wallet.ciphers import DecryptionError
from seamless_wallet.commands import Policy
from seamless_wallet.money import SCALE_MAX
from seamless_wallet.providers.dowinn_v3 import DowinnV3
from seamless_wallet.providers.provider import (
    CONTENT_TYPES,
    Echo,
    Incoming,
    Invalid,
    Key,
    Profile,
    Provider,
    Reason,
    Reply,
    ReplyBody,
    fits_header,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from ipaddress import IPv4Network, IPv6Network

__all__ = [
    "CONTENT_TYPES",
    "PROFILES",
    "DecryptionError",
    "Echo",
    "Incoming",
    "Invalid",
    "Key",
    "Profile",
    "Provider",
    "Reason",
    "Reply",
    "ReplyBody",
    "configure",
]

PROFILES: Final[Mapping[str, Profile]] = MappingProxyType({"dowinn-v3": DowinnV3()})

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]*")


def configure(
    *,
    name: str,
    api_id: str,
    api_key: str,
    currencies: Mapping[str, int],
    scales: Mapping[str, int] | None = None,
    profile: str = "dowinn-v3",
    previous_api_key: str = "",
    cipher: str = "aes-256-ecb",
    key_encoding: str = "utf8",
    reply_body: str = "bare",
    policy: Policy | None = None,
    allow: Iterable[IPv4Network | IPv6Network] = (),
) -> Provider:
    """A provider from plain settings. Raises `ValueError`: what to change, and never a key."""
    try:
        _check(name, api_id, profile, reply_body, currencies)
        keys: tuple[Key, ...] = (Key.parse(api_key, cipher, key_encoding),)
        if previous_api_key:
            keys += (Key.parse(previous_api_key, cipher, key_encoding),)
    except ValueError as problem:
        raise ValueError(f"provider {name}: {problem}") from None
    return Provider(
        name=name,
        api_id=api_id,
        keys=keys,
        profile=PROFILES[profile],
        policy=policy or Policy(),
        currencies=MappingProxyType(dict(currencies)),
        scales=MappingProxyType({**(scales or {}), **currencies}),
        reply_body=ReplyBody(reply_body),
        allow=tuple(allow),
    )


def _check(name: str, api_id: str, profile: str, reply_body: str, currencies: Mapping[str, int]) -> None:
    if _NAME.fullmatch(name) is None:
        raise ValueError("a name has lower-case letters, digits and hyphens")
    if profile not in PROFILES:
        raise ValueError(f"unknown profile {profile!r}: choose one of {', '.join(PROFILES)}")
    if reply_body not in set(ReplyBody):
        raise ValueError(f"unknown reply_body {reply_body!r}: choose one of {', '.join(ReplyBody)}")
    if not api_id or not fits_header(api_id):
        raise ValueError("api_id travels in a header: at least a character, no control or outer white space")
    for currency, scale in currencies.items():
        if not 0 <= scale <= SCALE_MAX:
            raise ValueError(f"currency {currency} has scale {scale}: use 0 to {SCALE_MAX} digits")
