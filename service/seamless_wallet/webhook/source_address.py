"""The address that a call comes from, and whether a provider may call from there (SEMANTICS row 18)."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, NamedTuple

from aiohttp import web

from seamless_wallet.commands import Answer, Code

Address = IPv4Address | IPv6Address
Networks = tuple[IPv4Network | IPv6Network, ...]

NOT_ALLOWED: Final = Answer(Code.R2, "source")
"""The address was read, and is in none of the provider's networks."""

UNREADABLE: Final = Answer(Code.R2, "source_unreadable")
"""A trusted proxy wrote something that is no address."""

PROXY_UNTRUSTED: Final = Answer(Code.R2, "proxy_untrusted")
"""There are addresses in X-Forwarded-For that were not looked at, because who passed them on is no trusted proxy."""

_WITH_PORT: Final = re.compile(r"(?:\[([^\[\]]+)\]|([0-9.]+))(?::[0-9]{1,5})?")
"""`[v6]`, `[v6]:port` or `v4:port`, as Azure's and IIS' proxies write an address."""


class Source(NamedTuple):
    """Where a call comes from. `address` is None if what a trusted proxy wrote is no address.

    `is_forwarded`: whether it claims to pass on somebody else's call, and is not trusted to.
    """

    address: Address | None
    is_forwarded: bool


def source_of(request: web.Request, trusted_proxies: Networks) -> Source:
    """The TCP peer or, behind trusted proxies, the right-most address of X-Forwarded-For that is not one of them.

    A trusted proxy appends the address that it saw. Whatever stands further left was written by the caller.
    """
    text = request.remote or ""
    hops = [hop.strip() for hop in ",".join(request.headers.getall("X-Forwarded-For", ())).split(",")]
    hops = [] if hops == [""] else hops
    while hops and _is_within(_parsed(text), trusted_proxies):
        text = hops.pop()
    return Source(_parsed(text), bool(hops))


def refusal(source: Source, allowed: Networks) -> Answer | None:
    """The answer to a caller from outside of the networks that are allowed, None to any other."""
    if source.address is None:
        return UNREADABLE
    if _is_within(source.address, allowed):
        return None
    return PROXY_UNTRUSTED if source.is_forwarded else NOT_ALLOWED


def _is_within(address: Address | None, networks: Networks) -> bool:
    return address is not None and any(address in network for network in networks)


@lru_cache(maxsize=1024)
def _parsed(text: str) -> Address | None:
    parts = _WITH_PORT.fullmatch(text)
    try:
        address = ip_address((parts[1] or parts[2]) if parts else text)
    except ValueError:
        return None
    if parts and parts[1] and address.version == 4:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
