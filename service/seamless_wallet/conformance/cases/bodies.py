"""Row 13, and how docs/wire.md lets a body be wrapped."""

from __future__ import annotations

from collections.abc import AsyncIterator

from seamless_wallet.conformance.case_context import Scene
from seamless_wallet.conformance.case_events import R0, R2
from seamless_wallet.conformance.case_player import Player
from seamless_wallet.conformance.case_result import CaseFailed
from seamless_wallet.conformance.raw_webhook import Raw, excerpt
from seamless_wallet.conformance.registry import Phase, cases_of

case = cases_of(Phase.ENVELOPE)


@case("wire")
async def any_content_type(scene: Scene) -> None:
    """text/plain, application/json, something else or none: the content type is never looked at."""
    player = await scene.player()
    for kind in ("text/plain", "application/json", "text/plain; charset=utf-8", "application/octet-stream", "nonsense"):
        bet = player.round().bet(100)
        raw = await scene.wire.post(scene.wire.seal(bet.text), {**scene.wire.headers, "Content-Type": kind})
        await _was_taken(player, bet.text, raw, kind)


@case("wire")
async def body_as_a_json_string(scene: Scene) -> None:
    r"""The body in double quotes, also with `\/` for the slashes of base64: R0."""
    player = await scene.player()
    for slash in (b"/", b"\\/"):
        bet = player.round().bet(100)
        body = scene.wire.seal(bet.text).strip(b'"').replace(b"/", slash)
        await _was_taken(player, bet.text, await scene.wire.post(b'"' + body + b'"'), "a JSON string")


@case("wire")
async def body_in_white_space(scene: Scene) -> None:
    """Line ends and spaces around the body, quoted or not: R0."""
    player = await scene.player()
    for before, after in ((b"", b"\n"), (b"\r\n ", b"\r\n"), (b' "', b'"\n')):
        bet = player.round().bet(100)
        body = before + scene.wire.seal(bet.text).strip(b'"') + after
        await _was_taken(player, bet.text, await scene.wire.post(body), f"{before!r} before and {after!r} after")


async def _was_taken(player: Player, text: bytes, raw: Raw, what: str) -> None:
    """The bet of 100 in a text was R0."""
    wire = player.scene.wire
    reply = wire.read(wire.opened(raw))
    if reply.code is not R0:
        raise CaseFailed(f"{what}: expected R0; got {reply.code.value} for {excerpt(text)}")
    player.balance = player.has - 100


@case("13")
async def body_over_the_limit(scene: Scene) -> None:
    """A good event in a body over the limit: R2, and it does not happen."""
    player = await scene.player()
    limit = scene.expected.body_bytes_max
    text = player.round().bet(100).put("feedback_data", "x" * limit).text
    reply = scene.wire.read(scene.wire.opened(await scene.wire.post(scene.wire.seal(text))))
    if reply.code is not R2:
        raise CaseFailed(f"a body over {limit} bytes: expected R2; got {reply.code.value}")


@case("13")
async def body_over_the_limit_in_chunks(scene: Scene) -> None:
    """A body over the limit without a Content-Length: R2, for the wallet counts for itself."""
    player = await scene.player()
    limit = scene.expected.body_bytes_max
    body = scene.wire.seal(player.round().bet(100).put("feedback_data", "x" * limit).text)

    async def chunks() -> AsyncIterator[bytes]:
        for at in range(0, len(body), 8192):
            yield body[at : at + 8192]

    reply = scene.wire.read(scene.wire.opened(await scene.wire.post(chunks())))
    if reply.code is not R2:
        raise CaseFailed(f"a body over {limit} bytes in chunks: expected R2; got {reply.code.value}")


@case("13")
async def body_within_the_limit(scene: Scene) -> None:
    """A body that just fits: R0."""
    player = await scene.player()
    fits = scene.expected.body_bytes_max // 4 * 3 - 1024
    await player.round().bet(100).put("feedback_data", "x" * fits, "a large body").gets(R0, moves=-100)
