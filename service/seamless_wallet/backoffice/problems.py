"""Every error of the admin API is one of these, sent as `application/problem+json` (RFC 9457)."""

from __future__ import annotations

from enum import Enum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import orjson
import structlog
from aiohttp import web

from seamless_wallet.errors import WalletError
from seamless_wallet.ledger.ports import Archived
from seamless_wallet.observability import metrics

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp.typedefs import Handler

CONTENT_TYPE: Final = "application/problem+json"
RETRY_AFTER_S: Final = 1

OUTCOME_UNKNOWN: Final = "outcome unknown: repeat with the same Idempotency-Key"
"""What was asked may have happened, or may happen later. Only a repetition tells. Creations need no key for that."""

_FAULTS: Final = metrics.UNEXPECTED_ERRORS.labels("backoffice")
_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("wallet.backoffice")


class Problem(Enum):
    """What can go wrong: the last part of the `type`, which never changes; the HTTP status; the title."""

    INVALID = "invalid-request", 400, "The request is not valid"
    UNAUTHORIZED = "unauthorized", 401, "A valid bearer token is needed"
    ROLE_NEEDED = "role-needed", 403, "The token's role does not allow this"
    UNKNOWN_PLAYER = "unknown-player", 404, "There is no such player"
    ARCHIVED = "archived", 410, "It is not in the ledger any more, but in an archive"
    UNKNOWN_CALL = "unknown-call", 404, "There is no such call"
    LATE = "body-late", 408, "The body did not arrive in time"
    PLAYER_EXISTS = "player-exists", 409, "The player exists with another currency"
    BLOCKED = "player-blocked", 409, "The player is blocked"
    FUNDS = "insufficient-funds", 409, "The amount is more than the balance less the debt"
    OVERFLOW = "balance-limit", 409, "The balance would exceed its limit"
    NOT_REPLAYABLE = "not-replayable", 409, "The call cannot be decided again"
    MEDIA_TYPE = "not-json", 415, "The body must be JSON"
    ENCODED = "body-encoded", 415, "The body must not be compressed"
    KEY_REUSED = "key-reused", 422, "The Idempotency-Key was used for another request"
    THROTTLED = "too-many-wrong-tokens", 429, "Too many wrong tokens came from this address"
    CURRENCY = "currency-not-configured", 500, "The currency is no longer configured"
    FAULT = "fault", 500, "Something unexpected happened"
    OUTCOME_UNKNOWN = "outcome-unknown", 503, "The outcome is unknown"
    NOT_RECORDED = "not-recorded", 503, "The audit log cannot be written"
    UNAVAILABLE = "unavailable", 503, "The ledger cannot be read"
    NOT_READY = "not-ready", 503, "The service is not ready"

    def __init__(self, slug: str, status: int, title: str) -> None:
        self.slug = slug
        self.status = status
        self.title = title

    @property
    def uri(self) -> str:
        """The `type` of RFC 9457."""
        return f"urn:problem-type:{self.slug}"


class ProblemError(WalletError):
    """Ends a request with a problem. `errors`: name of a wrong field, header or parameter → what is wrong with it.

    `role`: the role that is needed, if it is for want of that.
    """

    def __init__(
        self, problem: Problem, detail: str, errors: Mapping[str, str] | None = None, *, role: str = ""
    ) -> None:
        super().__init__(detail)
        self.problem = problem
        self.detail = detail
        self.errors = errors or {}
        self.role = role


def invalid(field: str, detail: str) -> ProblemError:
    """The usual 400: one field, header or parameter is wrong."""
    return ProblemError(Problem.INVALID, f"{field}: {detail}", {field: detail})


def problem_response(problem: Problem, detail: str, **members: object) -> web.Response:
    """The answer for a problem. `members` are extension members (RFC 9457); empty ones are left out."""
    headers = {}
    if problem is Problem.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="wallet"'
    if problem is Problem.ENCODED:
        headers["Accept-Encoding"] = "identity"
    if problem.status in {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS}:
        headers["Retry-After"] = str(RETRY_AFTER_S)
    return _response(problem.uri, problem.title, problem.status, detail, headers, members)


def _response(
    uri: str, title: str, status: int, detail: str, headers: Mapping[str, str], members: Mapping[str, Any]
) -> web.Response:
    body = {"type": uri, "title": title, "status": status, "detail": detail}
    body |= {name: value for name, value in members.items() if value}
    return web.Response(body=orjson.dumps(body), status=status, headers=headers, content_type=CONTENT_TYPE)


def _from_aiohttp(error: web.HTTPException) -> web.Response:
    """404, 405, 413 and whatever else aiohttp refuses by itself. Their titles are the phrases of HTTP."""
    phrase = HTTPStatus(error.status).phrase
    kept = {name: error.headers[name] for name in ("Allow",) if name in error.headers}
    detail = "the request's body is too long" if error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE else phrase
    return _response("about:blank", phrase, error.status, detail, kept, {})


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever a handler raises into a problem. Nothing else answers an error."""
    try:
        response = await handler(request)
    except ProblemError as error:
        named = [_named(field, detail) for field, detail in error.errors.items()]
        response = problem_response(error.problem, error.detail, errors=named, role=error.role)
        if error.problem is Problem.LATE:
            response.force_close()
    except web.HTTPException as error:
        response = _from_aiohttp(error)
    except Archived as error:
        response = problem_response(Problem.ARCHIVED, str(error))
    except OSError as error:  # TimeoutError too: the database or Redis is away
        _log.warning("backoffice_unavailable", method=request.method, error=type(error).__name__)
        response = _unavailable(request)
    except Exception:  # noqa: BLE001 - counted and logged; the client gets no traceback
        _FAULTS.inc()
        _log.exception("backoffice_error", method=request.method)
        response = problem_response(Problem.FAULT, f"the error was logged; {OUTCOME_UNKNOWN}")
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def _named(field: str, detail: str) -> dict[str, str]:
    return {"field": field, "detail": detail}


def _unavailable(request: web.Request) -> web.Response:
    if request.method in {"GET", "HEAD"}:
        return problem_response(Problem.UNAVAILABLE, "repeat the request")
    return problem_response(Problem.OUTCOME_UNKNOWN, OUTCOME_UNKNOWN)
