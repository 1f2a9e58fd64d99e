"""Row 13, and the ways in which docs/wire.md lets a body be wrapped."""

from __future__ import annotations

from collections.abc import AsyncIterator

from seamless_wallet.conformance.case_context import CaseContext
from seamless_wallet.conformance.case_events import R0, R2, check_code
from seamless_wallet.conformance.case_player import CasePlayer
from seamless_wallet.conformance.case_registry import MUST, OURS, SHOULD, Phase, cases_of

case = cases_of(Phase.ENVELOPE)

STAKE = 100
LINE = 76
"""Characters of a line, as libraries for MIME write base64."""


@case("wire", MUST)
async def either_content_type(context: CaseContext) -> None:
    """text/plain, as the guide says, or application/json, as its pages of events show: R0."""
    player, headers = await context.player(), context.webhook.headers
    for kind in ("text/plain", "application/json"):
        await _is_taken(player, _sealed_bet(player), kind, {**headers, "Content-Type": kind})


@case("wire", SHOULD)
async def any_content_type(context: CaseContext) -> None:
    """Any Content-Type, such as text/plain or application/json: R0, because it is never looked at."""
    player, headers = await context.player(), context.webhook.headers
    for kind in ("text/plain", "application/json", "text/plain; charset=utf-8", "application/octet-stream", "nonsense"):
        await _is_taken(player, _sealed_bet(player), kind, {**headers, "Content-Type": kind})


@case("wire", SHOULD)
async def body_as_a_json_string(context: CaseContext) -> None:
    r"""The body in double quotes, also with `\/` for the slashes of base64: R0."""
    player = await context.player()
    for slash in (b"/", b"\\/"):
        body = _sealed_bet(player).strip(b'"').replace(b"/", slash)
        await _is_taken(player, b'"' + body + b'"', "a JSON string")


@case("wire", SHOULD)
async def body_in_white_space(context: CaseContext) -> None:
    """White space around the body, quoted or not: R0."""
    player = await context.player()
    for before, after in ((b"", b"\n"), (b"\r\n ", b"\r\n"), (b' "', b'"\n')):
        body = before + _sealed_bet(player).strip(b'"') + after
        await _is_taken(player, body, f"{before!r} before and {after!r} after")


@case("wire", SHOULD)
async def body_in_lines(context: CaseContext) -> None:
    """Base64 in lines of 76 characters that end with LF or CR LF, or behind a byte-order mark: R0."""
    player = await context.player()
    for end in (b"\n", b"\r\n"):
        bare = _sealed_bet(player).strip(b'"')
        lines = [bare[at : at + LINE] for at in range(0, len(bare), LINE)]
        await _is_taken(player, end.join(lines) + end, f"lines that end with {end!r}")
    await _is_taken(player, b"\xef\xbb\xbf" + _sealed_bet(player), "a byte-order mark")


def _sealed_bet(player: CasePlayer) -> bytes:
    """The body of a good bet, wrapped as the provider wraps it."""
    return player.run.webhook.seal(player.round().bet(STAKE).text)


async def _is_taken(player: CasePlayer, body: bytes, what: str, headers: dict[str, str] | None = None) -> None:
    """The bet in a body is R0."""
    check_code(await player.run.webhook.exchange_body(body, headers), what, R0)
    player.balance = player.has - STAKE


@case("13", OURS)
async def body_over_the_limit(context: CaseContext) -> None:
    """A good event in a body over the limit: R2, and nothing is taken."""
    player = await context.player()
    body = _body_over_the_limit(player)
    check_code(await context.webhook.exchange_body(body), f"a body of {len(body)} bytes", R2)


@case("13", OURS)
async def body_over_the_limit_in_chunks(context: CaseContext) -> None:
    """A body over the limit without a Content-Length: R2, because the wallet counts the bytes itself."""
    player = await context.player()
    body = _body_over_the_limit(player)

    async def chunks() -> AsyncIterator[bytes]:
        for at in range(0, len(body), 8192):
            yield body[at : at + 8192]

    check_code(await context.webhook.exchange_body(chunks()), f"a body of {len(body)} bytes in chunks", R2)


def _body_over_the_limit(player: CasePlayer) -> bytes:
    text = player.round().bet(100).put("feedback_data", "x" * player.run.choices.body_bytes_max).text
    return player.run.webhook.seal(text)


@case("13", OURS)
async def body_within_the_limit(context: CaseContext) -> None:
    """A body just below the limit: R0."""
    player = await context.player()
    fits = context.choices.body_bytes_max // 4 * 3 - 1024
    await player.round().bet(100).put("feedback_data", "x" * fits, "a large body").gets(R0, moves=-100)
