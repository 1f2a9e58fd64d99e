"""Strict reading of requests: path, headers and JSON. Whatever is wrong is a problem that names the field."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING, Annotated, Final, TypeVar
from unicodedata import category
from urllib.parse import unquote_to_bytes

import msgspec
from aiohttp import hdrs

from seamless_wallet.backoffice.problems import Problem, ProblemError, invalid
from seamless_wallet.commands import ID_CHARS_MAX, PlayerStatus
from seamless_wallet.http_server.aiohttp_internals import BROKEN_REQUEST_ERRORS
from seamless_wallet.http_server.serving import BODY_READ_S
from seamless_wallet.money import AmountError, parse_minor

if TYPE_CHECKING:
    from aiohttp import web

IDEMPOTENCY_KEY: Final = "Idempotency-Key"
NOTE_CHARS_MAX: Final = 1000
IMPORTED_MAX: Final = 400
"""Players in one request of an import."""

_JSON: Final = "application/json"
_KEY: Final = re.compile(rf"[ -~]{{1,{ID_CHARS_MAX}}}")
# Parts of msgspec's messages. The middle of a message may repeat what the client wrote, so only its beginning and its
# end are matched.
_FIELDS: Final = re.compile(
    r"Object (missing required|contains unknown) field `(.*?)`(?: - at `\$[^`]*`)?\Z", re.DOTALL
)
_AT: Final = re.compile(r" - at `\$\.(?:\w+\[[^]]*\]\.)?(\w+)`\Z")
_USER_ID_SEGMENT: Final = 3  # of "/v1/players/<user_id>/…" split at the slashes


class CreateBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`POST /v1/players`."""

    user_id: Annotated[str, msgspec.Meta(min_length=1, max_length=ID_CHARS_MAX)]
    currency: str


class StatusBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`PATCH /v1/players/{user_id}`."""

    status: PlayerStatus


class AmountBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`POST …/deposits` and `…/withdrawals`. The amount is in major units, a string."""

    amount: str


class ImportedPlayer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One player of an import. What its texts say is judged one player at a time."""

    user_id: str
    currency: str
    balance: str = "0"


class ImportBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`POST /v1/imports`."""

    players: Annotated[list[ImportedPlayer], msgspec.Meta(min_length=1, max_length=IMPORTED_MAX)]


class AcknowledgementBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`POST /v1/calls/{call_id}/acknowledgement`."""

    note: Annotated[str, msgspec.Meta(max_length=NOTE_CHARS_MAX)]


class ReplayBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`POST /v1/calls/{call_id}/replay`. `confirm` repeats what kind of event it is."""

    confirm: str
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=NOTE_CHARS_MAX)]


_WORDS: Final = {
    "missing required": "missing",
    "contains unknown": "unknown field",
    "user_id": f"must be a string of 1 to {ID_CHARS_MAX} characters",
    "currency": "must be a string",
    "status": "must be one of " + ", ".join(PlayerStatus),
    "amount": "must be a string",
    "balance": "must be a string",
    "players": f"must be a list of 1 to {IMPORTED_MAX} players",
    "note": f"must be a string of at most {NOTE_CHARS_MAX} characters",
    "confirm": "must be a string",
    "reason": f"must be a string of 1 to {NOTE_CHARS_MAX} characters",
}
"""What is wrong, by the field that has a wrong value, or by msgspec's words for a missing or unknown field."""

Body = TypeVar("Body", CreateBody, StatusBody, AmountBody, ImportBody, AcknowledgementBody, ReplayBody)


async def read_body(request: web.Request, form: type[Body]) -> Body:
    """The JSON body. Raises ProblemError unless it is exactly `form`: no unknown, missing or repeated field."""
    if request.content_type != _JSON:
        raise ProblemError(Problem.MEDIA_TYPE, f"send the header Content-Type: {_JSON}")
    raw = await read_raw(request)
    try:
        body = msgspec.json.decode(raw, type=form)
    except msgspec.ValidationError as error:
        raise _wrong(error) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise invalid("body", "must be JSON") from None
    json.loads(raw, object_pairs_hook=_refuse_repeated)  # msgspec takes the last of two equal fields
    return body


def _refuse_repeated(pairs: list[tuple[str, object]]) -> None:
    if len(dict(pairs)) < len(pairs):
        raise invalid("body", "must not repeat a field")


async def read_raw(request: web.Request) -> bytes:
    """The body, however often it is asked for. Raises ProblemError."""
    if hdrs.CONTENT_ENCODING in request.headers:  # never unpacked: a small body cannot become a large one
        raise ProblemError(Problem.ENCODED, "send no header Content-Encoding")
    try:
        async with asyncio.timeout(BODY_READ_S):
            return await request.read()
    except TimeoutError:
        raise ProblemError(Problem.LATE, f"nothing was done; send the body within {BODY_READ_S:g} s") from None
    except BROKEN_REQUEST_ERRORS:  # the client has usually gone, and does not read this
        raise invalid("body", "could not be read") from None


def _wrong(error: msgspec.ValidationError) -> ProblemError:
    """The problem in our words: those of msgspec name types of Python, and change with its version.

    msgspec stops at the first wrong type, so the rest of the body need not even be JSON.
    """
    said = str(error)
    if fields := _FIELDS.match(said):
        return invalid(fields[2], _WORDS[fields[1]])
    at = _AT.search(said)
    return invalid(at[1], _WORDS[at[1]]) if at else invalid("body", "must be a JSON object")


def checked_user_id(user_id: str) -> str:
    """The id, if it has 1 to `ID_CHARS_MAX` characters, none of them a control character or half a surrogate pair.

    Raises ProblemError.
    """
    if not 1 <= len(user_id) <= ID_CHARS_MAX:
        raise invalid("user_id", f"must have 1 to {ID_CHARS_MAX} characters")
    if any(category(char) in {"Cc", "Cs"} for char in user_id):
        raise invalid("user_id", "must have no control characters")
    return user_id


def new_user_id(user_id: str) -> str:
    """As `checked_user_id`, for a player who is created.

    `.` and `..` are steps of a path to every URL parser, percent-encoded or not (WHATWG URL, RFC 3986 5.2.4): a client
    would call another path, and nobody could show, pay or block that player.

    Raises ProblemError.
    """
    if user_id in {".", ".."}:
        raise invalid("user_id", "must not be . or .., which no client can send in a path; choose another id")
    return checked_user_id(user_id)


def user_id_of(request: web.Request) -> str:
    """The player in the path, from its raw bytes: what is not UTF-8 is refused, never taken for another id.

    Raises ProblemError.
    """
    segment = request.rel_url.raw_path.split("/")[_USER_ID_SEGMENT]
    try:
        return checked_user_id(unquote_to_bytes(segment).decode())
    except UnicodeDecodeError:
        raise invalid("user_id", "must be percent-encoded UTF-8") from None


def idempotency_key(request: web.Request) -> str | None:
    """The Idempotency-Key, None if there is none. Raises ProblemError."""
    keys = request.headers.getall(IDEMPOTENCY_KEY, [])
    if not keys:
        return None
    if len(keys) > 1 or not _KEY.fullmatch(keys[0]):
        raise invalid(IDEMPOTENCY_KEY, f"must be given once, with 1 to {ID_CHARS_MAX} printable ASCII characters")
    return keys[0]


def required_key(request: web.Request) -> str:
    """The Idempotency-Key, which a deposit or withdrawal must have. Raises ProblemError."""
    key = idempotency_key(request)
    if key is None:
        raise invalid(
            IDEMPOTENCY_KEY, "missing: choose a new key for each movement, and repeat a movement with its key"
        )
    return key


def movement_amount(body: AmountBody, scale: int) -> int:
    """The amount in minor units, more than 0. Raises ProblemError."""
    try:
        minor = parse_minor(body.amount, scale)
    except AmountError as error:
        raise invalid("amount", str(error)) from None
    if minor <= 0:
        raise invalid("amount", "must be more than 0")
    return minor
