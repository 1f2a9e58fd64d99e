"""URLs of PostgreSQL, which may name several hosts; those of RFC 3986, and so `urllib.parse`, name one."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit


def split_postgres_url(url: str) -> SplitResult:
    """As `urlsplit`, which takes an IPv6 address behind another host for a fault in some releases of Python.

    Raises ValueError.
    """
    scheme, mark, rest = url.partition("://")
    authority = rest[: min((at for at in map(rest.find, "/?#") if at >= 0), default=len(rest))]
    user, at, hosts = authority.rpartition("@")
    for host in hosts.split(","):
        urlsplit(f"//{user}{at}{host}")
    return urlsplit(f"{scheme}{mark}{rest[len(authority) :]}")._replace(netloc=authority)
