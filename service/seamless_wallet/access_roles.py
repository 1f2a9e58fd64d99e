"""Who may do what in the back office: roles of tokens, each of which may do what those before it may."""

from __future__ import annotations

from enum import StrEnum
from hashlib import sha256
from typing import Final, NamedTuple

ADMIN_NAME: Final = "admin"
"""Who holds the token of the setting `admin_token`, or the generated one."""


class AccessRole(StrEnum):
    """What a token is for. The order counts."""

    READ = "read"
    SUPPORT = "support"
    MONEY = "money"
    ADMIN = "admin"

    def includes(self, other: AccessRole) -> bool:
        """Whether this role may do what the other one may."""
        order = list(AccessRole)
        return order.index(self) >= order.index(other)


class TokenHolder(NamedTuple):
    """Who holds a token: a name, a role, and the digest of the token."""

    name: str
    role: AccessRole
    digest: bytes


def token_digest(token: str) -> bytes:
    """SHA-256 of a token. A token is random, so that nobody finds it by trying; a slow hash would protect nothing more.

    aiohttp decodes header bytes that are not UTF-8 to surrogates.
    """
    return sha256(token.encode(errors="surrogateescape")).digest()
