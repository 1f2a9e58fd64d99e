"""The wire formats that there are, and how a provider is made from plain settings."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from seamless_wallet.ciphers import CIPHERS
from seamless_wallet.commands import Policy
from seamless_wallet.errors import WalletError
from seamless_wallet.money import SCALE_MAX
from seamless_wallet.provider_choices import API_ID_CHARS_MAX, PROVIDER_NAME, AcceptRule, ReplyBody
from seamless_wallet.providers.dowinn_v3 import DowinnV3
from seamless_wallet.providers.provider import HEADER_REMEDY, Key, Provider, fits_header

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from ipaddress import IPv4Network, IPv6Network

    from seamless_wallet.ciphers import RandomBytes
    from seamless_wallet.providers.profile import Profile

_FORMATS: Final[tuple[Profile, ...]] = (DowinnV3(),)

PROFILES: Final[Mapping[str, Profile]] = MappingProxyType({profile.name: profile for profile in _FORMATS})
"""Every wire format by its name in the settings."""

DEFAULT_PROFILE: Final = _FORMATS[0].name


class ProviderError(WalletError, ValueError):
    """A provider cannot be configured like this. `setting` is what to change; no text contains a key."""

    def __init__(self, setting: str, problem: str) -> None:
        super().__init__(f"{setting}: {problem}")
        self.setting = setting
        self.problem = problem


def build_provider(
    *,
    name: str,
    api_id: str,
    api_key: str,
    currencies: Mapping[str, int],
    random_bytes: RandomBytes,
    scales: Mapping[str, int] | None = None,
    profile: str = DEFAULT_PROFILE,
    previous_api_key: str = "",
    cipher: str = "aes-256-ecb",
    key_encoding: str = "utf8",
    reply_body: str = ReplyBody.BARE,
    policy: Policy | None = None,
    allow: Iterable[IPv4Network | IPv6Network] = (),
    accept: str = AcceptRule.ALL,
) -> Provider:
    """A provider from plain settings. `random_bytes` makes the nonces of its keys. Raises `ProviderError`."""
    if PROVIDER_NAME.fullmatch(name) is None:
        raise ProviderError("name", f"{name!r} must consist of up to 64 lower-case letters, digits and hyphens")
    for setting, choice, known in (
        ("profile", profile, PROFILES),
        ("cipher", cipher, CIPHERS),
        ("reply_body", reply_body, tuple(ReplyBody)),
        ("accept", accept, tuple(AcceptRule)),
    ):
        if choice not in known:
            raise ProviderError(setting, f"unknown {setting} {choice!r}; choose one of {', '.join(known)}")
    if not 0 < len(api_id) <= API_ID_CHARS_MAX:
        raise ProviderError("api_id", f"has {len(api_id)} characters; it must have 1 to {API_ID_CHARS_MAX}")
    if not fits_header(api_id):
        raise ProviderError("api_id", HEADER_REMEDY)
    for currency, scale in currencies.items():
        if not 0 <= scale <= SCALE_MAX:
            raise ProviderError("currencies", f"{currency} has scale {scale}; use 0 to {SCALE_MAX} digits")
    keys = [_key("api_key", api_key, cipher, key_encoding, random_bytes)]
    if previous_api_key:
        keys.append(_key("previous_api_key", previous_api_key, cipher, key_encoding, random_bytes))
    return Provider(
        name=name,
        api_id=api_id,
        keys=tuple(keys),
        profile=PROFILES[profile],
        policy=policy or Policy(),
        currencies=MappingProxyType(dict(currencies)),
        scales=MappingProxyType({**(scales or {}), **currencies}),
        reply_body=ReplyBody(reply_body),
        allow=tuple(allow),
        accept=AcceptRule(accept),
    )


def _key(setting: str, text: str, cipher: str, encoding: str, random_bytes: RandomBytes) -> Key:
    """One API key. Raises `ProviderError`."""
    try:
        return Key.parse(text, cipher, encoding, random_bytes)
    except ValueError as problem:
        raise ProviderError(setting, str(problem)) from None
