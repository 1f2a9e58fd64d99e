"""How often a source may send a wrong admin token: some at once, then one in a while.

The right token is not checked either while a source has to wait. Otherwise whoever guesses would know by the speed of
an answer, and could go on at any speed. Who shares an address with a guesser, behind one proxy, has to wait, too.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

WRONG_AT_ONCE: Final = 10
"""Wrong tokens that a source may send without a pause."""

WRONG_EVERY_S: Final = 1.0
"""After those, one token is checked in this time."""

SOURCES_MAX: Final = 1024
"""Sources that are remembered. With more, the oldest one is forgotten."""

_NETWORK_BITS: Final = 64
"""Of an IPv6 address: a single host may have every address of its network."""


class TokenAttempts:
    """Remembers until when the wrong tokens of a source weigh. `monotonic_s` is a clock."""

    def __init__(self, monotonic_s: Callable[[], float]) -> None:
        self._monotonic_s = monotonic_s
        self._weigh_until_s: dict[str, float] = {}  # the source of the newest wrong token comes last

    def __len__(self) -> int:
        """How many sources are remembered."""
        return len(self._weigh_until_s)

    def may_try(self, source: str | None) -> bool:
        """Whether a token from this address is checked now."""
        weighs_s = self._weigh_until_s.get(_network_of(source), 0.0) - self._monotonic_s()
        return weighs_s <= (WRONG_AT_ONCE - 1) * WRONG_EVERY_S

    def note_wrong(self, source: str | None) -> None:
        """A token from this address was wrong."""
        network, now_s = _network_of(source), self._monotonic_s()
        until_s = max(now_s, self._weigh_until_s.pop(network, now_s)) + WRONG_EVERY_S
        self._forget(now_s)
        self._weigh_until_s[network] = until_s

    def _forget(self, now_s: float) -> None:
        """Drop the oldest sources: those that are through, and one more if there are too many."""
        for network, until_s in list(self._weigh_until_s.items()):
            if until_s > now_s and len(self._weigh_until_s) < SOURCES_MAX:
                return
            del self._weigh_until_s[network]


def _network_of(source: str | None) -> str:
    try:
        address = ip_address(source or "")
    except ValueError:
        return source or ""
    if isinstance(address, IPv6Address):
        return str(ip_network((address, _NETWORK_BITS), strict=False))
    return str(address)
