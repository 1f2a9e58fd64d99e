"""How many unauthorized calls are kept: enough to see them, too few to fill a disk or to hide others."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Final

A_SOURCE_MAX: Final = 10
"""Calls of one source that are kept in a minute."""

ALL_MAX: Final = 100
"""Calls of all sources together that a process keeps in a minute."""

_MINUTE_MS: Final = 60_000
_NETWORK_CHARACTERS: Final = len("2001:0db8:0000:0000")


class Strangers:
    """Counts the calls of this minute."""

    def __init__(self) -> None:
        self._minute = -1
        self._all = 0
        self._of: dict[str, int] = {}

    def is_kept(self, peer: str, received_ms: int) -> bool:
        """Whether one more call from this address is kept."""
        source = source_of_sample(peer)
        minute = received_ms // _MINUTE_MS
        if minute != self._minute:
            self._minute, self._all, self._of = minute, 0, {}
        of = self._of.get(source, 0)
        if of >= A_SOURCE_MAX or self._all >= ALL_MAX:
            return False
        self._of[source] = of + 1
        self._all += 1
        return True


@lru_cache(1024)
def source_of_sample(peer: str) -> str:
    """Whose calls count together: an IPv4 address, or a /64 of IPv6, of which one machine has every address."""
    if ":" not in peer:
        return peer
    try:
        address = ip_address(peer)
    except ValueError:
        return peer
    if not isinstance(address, IPv6Address):
        return peer
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return f"{address.exploded[:_NETWORK_CHARACTERS]}::/64"
