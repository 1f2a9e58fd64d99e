"""The bearer token: needed for all of `/v1`, and for every path that does not exist. It says who somebody is."""

from __future__ import annotations

from hmac import compare_digest
from typing import TYPE_CHECKING, Final

from aiohttp import hdrs, web

from seamless_wallet.access_roles import AccessRole, TokenHolder, token_digest
from seamless_wallet.backoffice.problems import Problem, ProblemError, problem_response
from seamless_wallet.backoffice.token_attempts import TokenAttempts
from seamless_wallet.observability import metrics
from seamless_wallet.observability.rate_limited_log import RateLimitedLog

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from aiohttp.typedefs import Handler, Middleware

    from seamless_wallet.ports import Clock

LOG_EVERY_S: Final = 10.0
"""A wrong token is logged once in this time, however many there are."""

_SCHEME: Final = "bearer"
_REMEDY: Final = "send the header Authorization: Bearer <token>"
_HOLDER: Final = web.RequestKey("token_holder", TokenHolder)


def bearer_auth(holders: Sequence[TokenHolder], open_paths: Collection[str], clock: Clock) -> Middleware:
    """A middleware that refuses requests without the token of one of these, except for `open_paths`.

    Only digests are kept and compared: they tell nothing of a token's length, and no traceback shows a token. A source
    that has sent many wrong tokens is slowed down. Raises ValueError if there is no holder, or an empty token.
    """
    if not holders or any(holder.digest == token_digest("") for holder in holders):
        raise ValueError("a token must not be empty")
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
        holder = _found(request, holders)
        if holder is not None:
            request[_HOLDER] = holder
            return await handler(request)
        attempts.note_wrong(request.remote)
        refused["wrong"].inc()
        rate_limited_log.warning("admin_token_refused", source=request.remote)
        return problem_response(Problem.UNAUTHORIZED, _REMEDY)

    return authenticate


def holder_of(request: web.Request) -> TokenHolder:
    """Who sent a request that was let in."""
    return request[_HOLDER]


def require_role(request: web.Request, least: AccessRole) -> None:
    """Raises ProblemError unless the sender's role includes this one."""
    holder = holder_of(request)
    if not holder.role.includes(least):
        metrics.BACKOFFICE_UNAUTHORIZED.labels("role").inc()
        raise ProblemError(
            Problem.ROLE_NEEDED, f"needs the role {least}, and the token {holder.name} has {holder.role}", role=least
        )


def _found(request: web.Request, holders: Sequence[TokenHolder]) -> TokenHolder | None:
    scheme, _, given = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    digest = token_digest(given.strip(" "))
    found = [holder for holder in holders if compare_digest(digest, holder.digest)]
    return found[0] if found and scheme.lower() == _SCHEME else None
