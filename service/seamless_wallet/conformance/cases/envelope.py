"""Row 10: who is answered, and what is opened."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit, urlunsplit

import msgspec

from seamless_wallet.conformance.case_context import Scene
from seamless_wallet.conformance.case_events import R2, R3
from seamless_wallet.conformance.case_player import Player
from seamless_wallet.conformance.case_result import CaseFailed, CaseSkipped
from seamless_wallet.conformance.raw_webhook import Raw, excerpt
from seamless_wallet.conformance.registry import Phase, cases_of

case = cases_of(Phase.ENVELOPE)

BLOCK: Final = 16
PLAIN_R2: Final = {"code": "R2"}


async def answer_to(scene: Scene, body: bytes) -> str:
    """The opened text of the R2 that a body gets from a caller with the right headers."""
    text = scene.wire.opened(await scene.wire.post(body))
    reply = scene.wire.read(text)
    if reply.code is not R2 or reply.latest_balance is not None:
        raise CaseFailed(f"a body that does not open: expected R2 and nothing else; got {excerpt(text)}")
    return text.decode()


def check_plain(raw: Raw, who: str) -> None:
    """A stranger's answer: HTTP 200, a plain R2, and neither header."""
    try:
        said = msgspec.json.decode(raw.body)
    except msgspec.MsgspecError:
        said = None
    if raw.status != 200 or said != PLAIN_R2:
        raise CaseFailed(f'{who}: expected HTTP 200 with a plain {{"code":"R2"}}; got {raw.status} {excerpt(raw.body)}')
    for name in ("Api-Key", "Api-Id"):
        if name in raw.headers:
            raise CaseFailed(f"{who}: the answer carries {name}, which hands it to a stranger")


def strangers(scene: Scene) -> dict[str, dict[str, str]]:
    """Headers that do not show the key."""
    right, key = scene.wire.headers, scene.wire.key.text
    other = ("a" if key[0] != "a" else "b") + key[1:]
    return {
        "no headers": {},
        "Api-Id only": {"Api-Id": right["Api-Id"]},
        "an empty Api-Key": {**right, "Api-Key": ""},
        "another Api-Key": {**right, "Api-Key": "x" * len(key)},
        "one letter wrong": {**right, "Api-Key": other},
        "a letter missing": {**right, "Api-Key": key[:-1]},
        "a letter more": {**right, "Api-Key": f"{key}x"},
        "nothing right": {"Api-Id": "nobody", "Api-Key": "x" * len(key)},
    }


@case("10")
async def strangers_get_no_key(scene: Scene) -> None:
    """Without the right Api-Key, a sealed event is answered by a plain R2, without Api-Id and Api-Key."""
    player = await scene.player()
    for who, headers in strangers(scene).items():
        bet = player.round().bet(100)
        check_plain(await scene.wire.post(scene.wire.seal(bet.text), headers), who)


@case("10")
async def strangers_are_all_answered_alike(scene: Scene) -> None:
    """A wrong key, no key, a good body, no body: the same bytes and headers."""
    bodies = (b"", b"x", scene.wire.seal(b"{}"), scene.wire.seal(scene.stranger().login().text))
    raw = await scene.wire.post(b"", {})
    check_plain(raw, "nobody at all")
    first = raw.shape
    for who, headers in strangers(scene).items():
        for body in bodies:
            shape = (await scene.wire.post(body, headers)).shape
            if shape != first:
                raise CaseFailed(f"{who} can be told from nobody at all: {shape} and {first}")


@case("10")
async def unknown_provider(scene: Scene) -> None:
    """The address of a provider that does not exist, with a key that is right elsewhere: a plain R2."""
    parts = urlsplit(scene.wire.url)
    base, found, name = parts.path.rpartition("/webhook/")
    if not found or "/" in name.strip("/"):
        raise CaseSkipped("the URL does not end in /webhook/<name>")
    url = urlunsplit(parts._replace(path=f"{base}/webhook/nobody-{scene.unique()}"))
    body = scene.wire.seal(scene.stranger().login().text)
    check_plain(await scene.wire.post(body, url=url), "an unknown provider")


@case("10")
async def another_api_id(scene: Scene) -> None:
    """The key is right, the Api-Id is not: a sealed R2, and nothing happens."""
    player = await scene.player()
    for api_id in ("nobody", "", f"{scene.wire.headers['Api-Id']}x"):
        raw = await scene.wire.post(
            scene.wire.seal(player.round().bet(100).text), {**scene.wire.headers, "Api-Id": api_id}
        )
        reply = scene.wire.read(scene.wire.opened(raw))
        if reply.code is not R2:
            raise CaseFailed(f"Api-Id {api_id!r}: expected R2; got {reply.code.value}")


def undecryptable(scene: Scene, player: Player) -> dict[str, bytes]:
    """Bodies that the key does not open."""
    good = scene.wire.seal(player.round().bet(100).text)
    middle = len(good) // 8 * 4
    return {
        "nothing": b"",
        "white space": b" \r\n",
        "no base64": b"hello, is anybody there?",
        "plain JSON": player.round().bet(100).text,
        "half a body": good[:middle],
        "cut within a block": good[:-8],
        "a block too many": good + b"A" * 24,
        "one letter": b"A",
        "padding of base64 within": good[:middle] + b"====" + good[middle:],
        "random blocks": b"AAECAwQFBgcICQoLDA0ODw==" * 4,
        "no Unicode": b"\xff\xfe" * 32,
        "a broken JSON string": b'"' + good,
    }


@case("10")
async def undecryptable_bodies(scene: Scene) -> None:
    """The headers are right, the body does not open: R2, sealed, and nothing happens."""
    player = await scene.player()
    for body in undecryptable(scene, player).values():
        await answer_to(scene, body)


@case("10")
async def undecryptable_bodies_are_all_answered_alike(scene: Scene) -> None:
    """Bad base64, bad blocks, bad padding: the same text, so that nobody learns what was wrong."""
    player = await scene.player()
    answers = {what: await answer_to(scene, body) for what, body in undecryptable(scene, player).items()}
    if len(set(answers.values())) > 1:
        raise CaseFailed(f"answers that differ: {answers}")


@case("10")
async def replies_are_sealed_and_carry_the_headers(scene: Scene) -> None:
    """Every reply to a caller with the key is sealed with it and carries Api-Id and Api-Key, errors too."""
    player = await scene.player()
    for text in (player.login().text, player.round().bet(player.has + 1).text, b"{}", b"no JSON"):
        raw = await scene.wire.post(scene.wire.seal(text))
        scene.wire.read(scene.wire.opened(raw))
        for name in ("Api-Id", "Api-Key"):
            if raw.headers.get(name) != scene.wire.headers[name]:
                raise CaseFailed(f"the reply to {excerpt(text)} does not carry the {name} of the request")


@case("10")
async def rearranged_blocks(scene: Scene) -> None:
    """ECB has no integrity: any two neighbouring blocks of a bet change places, and it is R2 or R3, never a bet."""
    player = await scene.player()
    cipher = scene.wire.key.cipher
    sealed = cipher.seal(player.round().bet(1234).drop("feedback_data").text)
    blocks = [sealed[at : at + BLOCK] for at in range(0, len(sealed), BLOCK)]
    for at in range(len(blocks) - 1):
        swapped = [*blocks[:at], blocks[at + 1], blocks[at], *blocks[at + 2 :]]
        await _is_no_bet(scene, b"".join(swapped), f"blocks {at} and {at + 1} swapped")


@case("10")
async def transplanted_blocks(scene: Scene) -> None:
    """A block with another amount is put in place of the stake: the total gives it away. R3 (R2 with a MAC)."""
    player = await scene.player()
    bet = player.round().bet(100).put("unknown", "?9000?").put("data.bets.0.bet_amount", "?1?")
    text = bet.text
    for name, digits in ((b"?1?", b"1"), (b"?9000?", b"9000")):  # from front to back, or the first would move
        at = text.index(b'"' + name + b'"')
        fill = b" " * (-at % BLOCK) + digits.rjust(BLOCK)
        text = text[:at] + fill + text[at + len(name) + 2 :]
    sealed = scene.wire.key.cipher.seal(text)
    large, small = (text.index(digits.rjust(BLOCK)) for digits in (b"9000", b"1"))
    forged = sealed[:small] + sealed[large : large + BLOCK] + sealed[small + BLOCK :]
    await _is_no_bet(scene, forged, "another block in place of the stake")


async def _is_no_bet(scene: Scene, sealed: bytes, what: str) -> None:
    body = msgspec.json.encode(sealed)[1:-1]  # base64
    reply = scene.wire.read(scene.wire.opened(await scene.wire.post(body)))
    if reply.code not in {R2, R3}:
        raise CaseFailed(f"{what}: expected R2 or R3; got {reply.code.value}")
