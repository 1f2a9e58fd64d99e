"""The address that a call comes from, and whether it lies in given networks (SEMANTICS row 18)."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from aiohttp import web

from seamless_wallet.settings.field_types import Networks

Address = IPv4Address | IPv6Address


def source_address(request: web.Request, trusted_proxies: Networks) -> Address | None:
    """The TCP peer or, behind trusted proxies, the right-most address of X-Forwarded-For that is not one of them.

    A trusted proxy appends the address that it saw. Whatever stands further left was written by the caller. None if
    an address cannot be read.
    """
    source = _parsed(request.remote or "")
    for hop in reversed(",".join(request.headers.getall("X-Forwarded-For", ())).split(",")):
        if not hop or not is_within(source, trusted_proxies):
            break
        source = _parsed(hop.strip())
    return source


def is_within(address: Address | None, networks: Networks) -> bool:
    """Whether an address that could be read lies in one of the networks."""
    return address is not None and any(address in network for network in networks)


@lru_cache(maxsize=1024)
def _parsed(text: str) -> Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
