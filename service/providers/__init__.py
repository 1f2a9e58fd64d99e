"""Providers: one file per wire format, registered here and known nowhere else.

A new provider is a module with a `Profile`, a line in `PROFILES`, and a folder of samples under
`tests/samples/`.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from service.cipher import DecryptionError
from service.commands import Policy
from service.providers.dowinn_v3 import DowinnV3
from service.providers.provider import (
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
    if _NAME.fullmatch(name) is None:
        raise ValueError(f"provider name {name!r}: use lower-case letters, digits and hyphens")
    if profile not in PROFILES:
        raise ValueError(f"provider {name}: unknown profile {profile!r}: choose one of {', '.join(PROFILES)}")
    if not api_id:
        raise ValueError(f"provider {name}: api_id is empty")
    try:
        keys = tuple(Key.parse(text, cipher, key_encoding) for text in (api_key, previous_api_key) if text)
        body = ReplyBody(reply_body)
    except ValueError as problem:
        raise ValueError(f"provider {name}: {problem}") from None
    if not api_key:
        raise ValueError(f"provider {name}: api_key is empty")
    for text in (api_id, *(key.text for key in keys)):
        if not text.isprintable() or text != text.strip():
            raise ValueError(f"provider {name}: api_id and api_key travel in headers: no control or outer space")
    return Provider(
        name=name,
        api_id=api_id,
        keys=keys,
        profile=PROFILES[profile],
        policy=policy or Policy(),
        currencies=MappingProxyType(dict(currencies)),
        scales=MappingProxyType({**(scales or {}), **currencies}),
        reply_body=body,
        allow=tuple(allow),
    )
