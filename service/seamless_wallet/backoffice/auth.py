"""The bearer token: needed for all of `/v1`, and for every path that does not exist."""

from __future__ import annotations

from hashlib import blake2b
from hmac import compare_digest
from typing import TYPE_CHECKING, Final

from aiohttp import hdrs, web

from seamless_wallet.backoffice.problems import Problem, problem_response

if TYPE_CHECKING:
    from collections.abc import Collection

    from aiohttp.typedefs import Handler, Middleware

_SCHEME: Final = "bearer"


def bearer_auth(token: str, open_paths: Collection[str]) -> Middleware:
    """A middleware that refuses requests without `Authorization: Bearer <token>`, except for `open_paths`.

    Only digests are kept and compared: they tell nothing of the token's length, and no traceback shows the token.
    Raises ValueError if the token is empty.
    """
    if not token:
        raise ValueError("the admin token must not be empty")
    expected = _digest(token)

    @web.middleware
    async def authenticate(request: web.Request, handler: Handler) -> web.StreamResponse:
        # What the router found, not the text of the path: both cannot read the path in two ways.
        resource = request.match_info.route.resource
        if (resource is not None and resource.canonical in open_paths) or _carries(request, expected):
            return await handler(request)
        return problem_response(Problem.UNAUTHORIZED, "send the header Authorization: Bearer <admin token>")

    return authenticate


def _carries(request: web.Request, expected: bytes) -> bool:
    scheme, _, given = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    return compare_digest(_digest(given.strip(" ")), expected) and scheme.lower() == _SCHEME


def _digest(token: str) -> bytes:
    # aiohttp decodes header bytes that are not UTF-8 to surrogates.
    return blake2b(token.encode(errors="surrogateescape"), digest_size=32).digest()
