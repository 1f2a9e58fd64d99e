"""Row 10: who gets which answer, and which bodies are decrypted."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit, urlunsplit

import msgspec

from seamless_wallet.ciphers import BLOCK_BYTES
from seamless_wallet.clients.error_text import excerpt
from seamless_wallet.clients.webhook import HttpAnswer, WebhookError
from seamless_wallet.conformance.case_context import CaseContext
from seamless_wallet.conformance.case_errors import CaseFailed, CaseSkipped
from seamless_wallet.conformance.case_events import R0, R2, R3, check_code
from seamless_wallet.conformance.case_player import CasePlayer
from seamless_wallet.conformance.case_registry import MUST, OURS, SHOULD, Phase, cases_of

case = cases_of(Phase.ENVELOPE)

PLAIN_R2: Final = {"code": "R2"}


async def answer_to(context: CaseContext, body: bytes) -> str:
    """The opened text of the R2 that a body gets from a caller with the right headers."""
    webhook = context.webhook
    text = webhook.open(await webhook.post(body))
    reply = webhook.read(text)
    if reply.code is not R2 or reply.latest_balance is not None:
        raise CaseFailed(f"a body that does not open: expected R2 and nothing else; got {excerpt(text)}")
    return text.decode()


def check_plain(answer: HttpAnswer, who: str) -> None:
    """Whether an answer to a caller without the key is HTTP 200, a plain R2, and neither header. Raises CaseFailed."""
    try:
        said = msgspec.json.decode(answer.body)
    except msgspec.MsgspecError:
        said = None
    if answer.status != 200 or said != PLAIN_R2:
        got = f"{answer.status} {excerpt(answer.body)}"
        raise CaseFailed(f'{who}: expected HTTP 200 with a plain {{"code":"R2"}}; got {got}')
    for name in ("Api-Key", "Api-Id"):
        if name in answer.headers:
            raise CaseFailed(f"{who}: the answer carries {name}, which a caller without the key must not learn")


def what_a_caller_sees(answer: HttpAnswer) -> tuple[object, ...]:
    """All that tells two plain answers apart, but for their date and framing."""
    framing = {"date", "connection", "keep-alive", "content-length", "transfer-encoding"}
    names = sorted(name.lower() for name in answer.headers if name.lower() not in framing)
    return answer.status, names, answer.headers.get("Content-Type"), answer.body


def headers_without_the_key(context: CaseContext) -> dict[str, dict[str, str]]:
    """Headers of callers who do not know the key, by what is wrong with them."""
    right, key = context.webhook.headers, context.webhook.key.text
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


@case("10", MUST)
async def strangers_move_nothing_and_learn_no_key(context: CaseContext) -> None:
    """The Api-Key is wrong or missing: no R0, nothing is taken, and the right key is nowhere in the answer."""
    player, webhook = await context.player(), context.webhook
    for who, headers in headers_without_the_key(context).items():
        answer = await webhook.post(webhook.seal(player.round().bet(100).text), headers)
        if any(webhook.key.text in value for value in (*answer.headers.values(), answer.body.decode(errors="replace"))):
            raise CaseFailed(f"{who}: the answer carries the Api-Key, which a caller without it must not learn")
        if code_of(context, answer) == R0:
            raise CaseFailed(f"{who}: expected no R0; got {excerpt(answer.body)}")


def code_of(context: CaseContext, answer: HttpAnswer) -> object:
    """The code in an answer, sealed or plain; None if there is none."""
    try:
        return context.webhook.read(context.webhook.open(answer)).code
    except WebhookError:
        pass
    try:
        said = msgspec.json.decode(answer.body)
    except msgspec.MsgspecError:
        return None
    return said.get("code") if isinstance(said, dict) else None


@case("10", SHOULD)
async def strangers_get_no_key(context: CaseContext) -> None:
    """The Api-Key is wrong or missing: a plain R2, without the headers Api-Id and Api-Key."""
    player = await context.player()
    for who, headers in headers_without_the_key(context).items():
        bet = player.round().bet(100)
        check_plain(await context.webhook.post(context.webhook.seal(bet.text), headers), who)


@case("10", SHOULD)
async def strangers_are_all_answered_alike(context: CaseContext) -> None:
    """Wrong or missing keys with good or bad bodies: the same bytes and headers for all."""
    bodies = (b"", b"x", context.webhook.seal(b"{}"), context.webhook.seal(context.unknown_player().login().text))
    answer = await context.webhook.post(b"", {})
    check_plain(answer, "a call without headers and body")
    first = what_a_caller_sees(answer)
    for who, headers in headers_without_the_key(context).items():
        for body in bodies:
            seen = what_a_caller_sees(await context.webhook.post(body, headers))
            if seen != first:
                raise CaseFailed(f"{who}: the answer differs from that to a call without headers: {seen} and {first}")


@case("10", OURS)
async def unknown_provider(context: CaseContext) -> None:
    """The URL names a provider that does not exist, the key is right elsewhere: a plain R2."""
    parts = urlsplit(context.webhook.url)
    base, found, name = parts.path.rpartition("/webhook/")
    if not found or "/" in name.strip("/"):
        raise CaseSkipped("the URL does not end in /webhook/<name>")
    url = urlunsplit(parts._replace(path=f"{base}/webhook/nobody-{context.unique_id()}"))
    body = context.webhook.seal(context.unknown_player().login().text)
    check_plain(await context.webhook.post(body, url=url), "an unknown provider")


@case("10", SHOULD)
async def another_api_id(context: CaseContext) -> None:
    """The Api-Key is right, the Api-Id is not: a sealed R2, and nothing happens."""
    player, webhook = await context.player(), context.webhook
    for api_id in ("nobody", "", f"{webhook.headers['Api-Id']}x"):
        body = webhook.seal(player.round().bet(100).text)
        reply = await webhook.exchange_body(body, {**webhook.headers, "Api-Id": api_id})
        check_code(reply, f"Api-Id {api_id!r}", R2)


def undecryptable(context: CaseContext, player: CasePlayer) -> dict[str, bytes]:
    """Bodies that the key does not open."""
    good = context.webhook.seal(player.round().bet(100).text)
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


@case("10", SHOULD)
async def undecryptable_bodies(context: CaseContext) -> None:
    """The headers are right, the body does not decrypt: a sealed R2, and nothing happens."""
    player = await context.player()
    for body in undecryptable(context, player).values():
        await answer_to(context, body)


@case("10", SHOULD)
async def undecryptable_bodies_are_all_answered_alike(context: CaseContext) -> None:
    """Bad base64, bad blocks, bad padding: the same text for all, so that nobody learns what was wrong."""
    player = await context.player()
    answers = {what: await answer_to(context, body) for what, body in undecryptable(context, player).items()}
    if len(set(answers.values())) > 1:
        raise CaseFailed(f"answers that differ: {answers}")


@case("10", MUST)
async def replies_are_sealed_and_carry_the_headers(context: CaseContext) -> None:
    """The Api-Key is right: every reply is sealed and carries Api-Id and Api-Key, errors too."""
    player, webhook = await context.player(), context.webhook
    for text in (player.login().text, player.round().bet(player.has + 1).text, b"{}", b"no JSON"):
        answer = await webhook.post(webhook.seal(text))
        webhook.read(webhook.open(answer))
        for name in ("Api-Id", "Api-Key"):
            if answer.headers.get(name) != webhook.headers[name]:
                raise CaseFailed(f"the reply to {excerpt(text)} does not carry the {name} of the request")


@case("10", SHOULD)
async def rearranged_blocks(context: CaseContext) -> None:
    """Two neighbouring blocks of a bet are swapped, which ECB does not notice: R2 or R3, nothing is taken."""
    player = await context.player()
    cipher = context.webhook.key.cipher
    sealed = cipher.seal(player.round().bet(1234).drop("feedback_data").text)
    blocks = [sealed[at : at + BLOCK_BYTES] for at in range(0, len(sealed), BLOCK_BYTES)]
    for at in range(len(blocks) - 1):
        swapped = [*blocks[:at], blocks[at + 1], blocks[at], *blocks[at + 2 :]]
        await _is_no_bet(context, b"".join(swapped), f"blocks {at} and {at + 1} swapped")


@case("10", SHOULD)
async def transplanted_blocks(context: CaseContext) -> None:
    """A block with another amount replaces the stake, so the total is wrong: R3 (R2 with GCM), nothing is taken."""
    player = await context.player()
    bet = player.round().bet(100).put("unknown", "?9000?").put("data.bets.0.bet_amount", "?1?")
    text = bet.text
    for name, digits in ((b"?1?", b"1"), (b"?9000?", b"9000")):  # from front to back, or the first would move
        at = text.index(b'"' + name + b'"')
        fill = b" " * (-at % BLOCK_BYTES) + digits.rjust(BLOCK_BYTES)
        text = text[:at] + fill + text[at + len(name) + 2 :]
    sealed = context.webhook.key.cipher.seal(text)
    large, small = (text.index(digits.rjust(BLOCK_BYTES)) for digits in (b"9000", b"1"))
    forged = sealed[:small] + sealed[large : large + BLOCK_BYTES] + sealed[small + BLOCK_BYTES :]
    await _is_no_bet(context, forged, "another block in place of the stake")


async def _is_no_bet(context: CaseContext, sealed: bytes, what: str) -> None:
    body = msgspec.json.encode(sealed)[1:-1]  # base64
    check_code(await context.webhook.exchange_body(body), what, R2, R3)
