"""Providers: the wire formats that game providers speak, and the envelope (cipher, key, headers) around them.

A format is one file with a `Profile`, a line in `registry` and a folder of samples under `tests/samples/`. Pure
values and functions: this room does no I/O and knows only ciphers, commands, money and errors.
"""

from __future__ import annotations

from seamless_wallet.providers.profile import Echo, Ids, Incoming, Invalid, Profile, Reason, Reply
from seamless_wallet.providers.provider import Key, Provider
from seamless_wallet.providers.registry import DEFAULT_PROFILE, PROFILES, ProviderError, build_provider

__all__ = [
    "DEFAULT_PROFILE",
    "PROFILES",
    "Echo",
    "Ids",
    "Incoming",
    "Invalid",
    "Key",
    "Profile",
    "Provider",
    "ProviderError",
    "Reason",
    "Reply",
    "build_provider",
]
