"""The provider's side of the webhook: what every kind of answer, and none, is called."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from seamless_wallet.clients.error_text import excerpt
from seamless_wallet.clients.provider_events import TransactionIds, new_event
from seamless_wallet.clients.webhook import (
    AnswerLost,
    NoAnswer,
    NotAReply,
    WebhookClient,
    WebhookError,
    WrongStatus,
    is_http_url,
)
from seamless_wallet.commands import Answer, Code, Command, Item, Kind
from seamless_wallet.errors import printable
from seamless_wallet.providers import Echo
from tests.unit.fake_wallet import fake_provider

PROVIDER = fake_provider()
KEY = PROVIDER.keys[0]
SEALED = PROVIDER.seal(PROVIDER.profile.encode_reply(Echo("login", 7, "ann"), Answer(Code.R0, "", 150), 2), KEY)


async def reply_from(answer, **options):
    """What the client makes of an endpoint that does this."""
    app = web.Application()
    app.router.add_post("/webhook", answer)
    async with (
        TestServer(app) as server,
        WebhookClient(PROVIDER, str(server.make_url("/webhook")), **options) as client,
    ):
        return await client.exchange(b"{}")


def answering(body: bytes, status: int = 200):
    """An endpoint that always answers this."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, status=status, headers={"Location": "/webhook"} if status == 307 else {})

    return answer


async def test_a_sealed_reply_is_read():
    """The request carries the headers and opens with the key."""
    seen = []

    async def answer(request: web.Request) -> web.Response:
        seen.append((request.headers["Api-Id"], request.headers["Api-Key"], await request.read()))
        return web.Response(body=SEALED)

    reply = await reply_from(answer)
    assert (reply.code, str(reply.latest_balance), reply.user_id) == (Code.R0, "1.5", "ann")
    ((api_id, api_key, body),) = seen
    assert (api_id, api_key, PROVIDER.open(body, KEY)) == (PROVIDER.api_id, KEY.text, b"{}")


@pytest.mark.parametrize(
    ("answer", "kind", "told"),
    [
        (answering(b"Bad \x1bGateway", 502), WrongStatus, r"HTTP 502, .*Bad \\x1bGateway"),
        (answering(SEALED, 307), WrongStatus, "HTTP 307"),
        (answering(b'{"code":"R2"}'), NotAReply, 'as for a wrong key: {"code":"R2"}'),
        (answering(b"R0"), NotAReply, "does not open with the key: R0"),
        (answering(PROVIDER.seal(b"[]", KEY)), NotAReply, r"not a reply: .*: \[\]"),
    ],
    ids=["status", "redirection", "plain", "not sealed", "no reply"],
)
async def test_what_is_no_reply_is_named(answer, kind, told):
    """Each by its own error, with the beginning of what came; a redirection is never followed."""
    with pytest.raises(kind, match=told):
        await reply_from(answer)


async def test_an_answer_that_is_late_is_told_from_one_that_is_lost():
    """Only a lost one may be asked for again at once: it was no matter of time."""

    async def late(_: web.Request) -> web.Response:
        await asyncio.sleep(1)
        return web.Response(body=SEALED)

    async def lost(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response(body=SEALED)

    with pytest.raises(NoAnswer, match="no answer: it took too long") as caught:
        await reply_from(late, timeout_s=0.1)
    assert not isinstance(caught.value, AnswerLost)
    with pytest.raises(AnswerLost, match="no answer: "):
        await reply_from(lost)
    async with WebhookClient(PROVIDER, "http://127.0.0.1:9/webhook") as client:
        with pytest.raises(AnswerLost, match="connection refused"):
            await client.exchange(b"{}")


def test_every_error_can_be_told_again_with_more_words():
    """A case adds what it sent."""
    for kind in (NoAnswer, AnswerLost, WrongStatus, NotAReply):
        assert issubclass(kind, WebhookError)
        assert str(kind("more words")) == "more words"


@pytest.mark.parametrize("url", ["http://h", "https://h:8080/webhook/x", "http://[::1]:1/"])
def test_the_url_of_a_webhook(url):
    """Any HTTP URL with a host."""
    assert is_http_url(url)


@pytest.mark.parametrize("url", ["", "h", "ftp://h", "http://", "http://h:0", "http://h:99999", "http://[x"])
def test_no_url_of_a_webhook(url):
    """No host, no port that can be called, another scheme."""
    assert not is_http_url(url)


def test_transaction_ids_are_new_and_tell_the_kind():
    """However fast they are made; another one of an event has its kind."""
    ids = TransactionIds("agent", lambda limit: limit - 1)
    made = [ids.new(Kind.CANCEL) for _ in range(1000)]
    assert len(set(made)) == len(made)
    kind, agent, epoch_ms, digits = made[0].split("_")
    assert (kind, agent, len(epoch_ms), digits) == ("3", "agent", 13, "9999")
    assert ids.another(made[0]).startswith("3_agent_")
    assert ids.another(made[0]) not in made


def test_an_event_without_items_has_no_currency():
    """A login and a logout carry none."""

    def made(kind: Kind, *items: Item) -> Command:
        return new_event(
            kind,
            provider="demo",
            user_id="ann",
            transaction_id="x",
            timestamp_ms=0,
            feedback_data="f",
            currency="KRW",
            items=items,
        )

    login, result = made(Kind.LOGIN), made(Kind.RESULT, Item("1", "banker", 5))
    assert (login.currency, login.context) == ("", {"feedback_data": "f"})
    assert result.currency == "KRW"
    assert {"game_type", "table_no", "result", "result_detail"} < set(result.context)


def test_what_came_is_shown_without_control_characters():
    """A terminal obeys none of it, XML can hold all of it; line ends stay."""
    assert printable("a\x1b[31m\n\tb\x00") == "a\\x1b[31m\n\tb\\x00"
    assert excerpt(b"x" * 500) == "x" * 120
    assert excerpt(b"\xff") == "\ufffd"
