"""The bearer token: needed for all of `/v1`, and for every path that does not exist."""

from __future__ import annotations

from hashlib import blake2b
from hmac import compare_digest
from typing import TYPE_CHECKING, Final

from aiohttp import hdrs, web

from seamless_wallet.backoffice.problems import Problem, problem_response
from seamless_wallet.backoffice.token_attempts import TokenAttempts
from seamless_wallet.observability import metrics
from seamless_wallet.observability.rate_limited_log import RateLimitedLog

if TYPE_CHECKING:
    from collections.abc import Collection

    from aiohttp.typedefs import Handler, Middleware

    from seamless_wallet.ports import Clock

LOG_EVERY_S: Final = 10.0
"""A wrong token is logged once in this time, however many there are."""

_SCHEME: Final = "bearer"
_REMEDY: Final = "send the header Authorization: Bearer <admin token>"


def bearer_auth(token: str, open_paths: Collection[str], clock: Clock) -> Middleware:
    """A middleware that refuses requests without `Authorization: Bearer <token>`, except for `open_paths`.

    Only digests are kept and compared: they tell nothing of the token's length, and no traceback shows the token. A
    source that has sent many wrong tokens is slowed down. Raises ValueError if the token is empty.
    """
    if not token:
        raise ValueError("the admin token must not be empty")
    expected = _digest(token)
    attempts = TokenAttempts(clock.monotonic_s)
    refused = {reason: metrics.BACKOFFICE_UNAUTHORIZED.labels(reason) for reason in ("missing", "wrong", "throttled")}
    rate_limited_log = RateLimitedLog(LOG_EVERY_S, monotonic_s=clock.monotonic_s)

    @web.middleware
    async def authenticate(request: web.Request, handler: Handler) -> web.StreamResponse:
        # What the router found, not the text of the path: both cannot read the path in two ways.
        resource = request.match_info.route.resource
        if resource is not None and resource.canonical in open_paths:
            return await handler(request)
        if not request.headers.get(hdrs.AUTHORIZATION):
            refused["missing"].inc()
            return problem_response(Problem.UNAUTHORIZED, _REMEDY)
        if not attempts.may_try(request.remote):
            refused["throttled"].inc()
            return problem_response(Problem.THROTTLED, "nothing was done; wait, and send the right token")
        if _carries(request, expected):
            return await handler(request)
        attempts.note_wrong(request.remote)
        refused["wrong"].inc()
        rate_limited_log.warning("admin_token_refused", source=request.remote)
        return problem_response(Problem.UNAUTHORIZED, _REMEDY)

    return authenticate


def _carries(request: web.Request, expected: bytes) -> bool:
    scheme, _, given = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    return compare_digest(_digest(given.strip(" ")), expected) and scheme.lower() == _SCHEME


def _digest(token: str) -> bytes:
    # aiohttp decodes header bytes that are not UTF-8 to surrogates.
    return blake2b(token.encode(errors="surrogateescape"), digest_size=32).digest()
