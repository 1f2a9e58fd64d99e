from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
from ipaddress import ip_network
from pathlib import Path

import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.typedefs import LooseHeaders

import seamless_wallet.http_server.serving
import seamless_wallet.webhook.endpoint
from seamless_wallet.commands import Answer, Code, Command, Policy
from seamless_wallet.observability import metrics
from seamless_wallet.ports import Moments
from seamless_wallet.providers import build_provider
from seamless_wallet.webhook.endpoint import webhook_app

SAMPLES = Path(__file__).parents[1] / "samples" / "dowinn_v3"
KEY = "k3y-of-32-bytes-for-tests-only!!"
OLD_KEY = "old-key-of-32-bytes-for-tests!!!"
LIMIT = 4096
HEADERS = {"Api-Id": "agent7", "Api-Key": KEY}
BET = (SAMPLES / "bet_batch.body").read_bytes()
R2 = b'{"code":"R2"}'


class StoppedClock:
    def now_ms(self) -> int:
        return 1_771_000_009_000

    def monotonic_s(self) -> float:
        return 5.0


class FakeWallet:
    """Answers what it is told to, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Command, Policy]] = []
        self.answer: Answer | BaseException = Answer(Code.R0, "ok", 9250000, 0, "KRW")

    async def apply(self, command: Command, policy: Policy, moments: Moments | None = None) -> Answer:
        self.asked.append((command, policy))
        await asyncio.sleep(0)
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


def provider(**settings):
    """The provider of the samples."""
    defaults = {"name": "dowinn", "api_id": "agent7", "api_key": KEY, "currencies": {"KRW": 2}}
    return build_provider(random_bytes=os.urandom, **defaults | settings)


def opened(body: bytes, key: str = KEY) -> dict:
    """The reply in a sealed body."""
    reader = provider(api_key=key)
    return json.loads(reader.open(body, reader.keys[0]))


@pytest.fixture
def wallet():
    """A wallet that says yes."""
    return FakeWallet()


@pytest.fixture
async def serve(wallet):
    """Starts the application with a provider and gives a client."""
    clients = []

    async def start(trusted_proxies=(), **settings) -> TestClient:
        configured = provider(**settings)
        app = webhook_app(
            {configured.name: configured},
            wallet,
            body_bytes_max=LIMIT,
            clock=StoppedClock(),
            trusted_proxies=trusted_proxies,
        )
        client = TestClient(TestServer(app))
        await client.start_server()
        clients.append(client)
        return client

    yield start
    for client in clients:
        await client.close()


async def call(client: TestClient, body: bytes = BET, headers: LooseHeaders = HEADERS, path: str = "/webhook/dowinn"):
    """One call: the response and its body. It is HTTP 200, always."""
    response = await client.post(path, data=body, headers=headers)
    assert response.status == 200
    return response, await response.read()


def counted(event: str, code: str, reason: str, name: str = "dowinn") -> float:
    """The counter of answered calls."""
    return metrics.WEBHOOK_REQUESTS.labels(name, event, code, reason).value


async def test_a_good_event_is_applied_and_its_reply_sealed_as_in_the_sample(serve, wallet):
    """A bet reaches the wallet as a command, and the reply is the one that openssl sealed."""
    before = counted("bet", "R0", "ok")
    response, body = await call(await serve())
    assert body == (SAMPLES / "reply_r0.body").read_bytes()
    assert response.headers["Api-Id"] == "agent7"
    assert response.headers["Api-Key"] == KEY
    assert response.content_type == "text/plain"
    [(command, policy)] = wallet.asked
    assert (command.user_id, command.received_ms) == ("player-1", 1_771_000_009_000)
    assert policy == Policy()
    assert counted("bet", "R0", "ok") == before + 1


@pytest.mark.parametrize("content_type", ["text/plain", "application/json", "application/x-whatever", ""])
@pytest.mark.parametrize("quoted", [False, True])
async def test_the_content_type_is_never_looked_at(serve, content_type, quoted):
    """Bare and quoted bodies are accepted under any content type."""
    sent = b'"%s"' % BET if quoted else BET
    _, body = await call(await serve(), sent, {**HEADERS, "Content-Type": content_type})
    assert opened(body)["code"] == "R0"


async def test_a_json_string_reply_is_quoted_and_says_so(serve):
    """With `reply_body = json-string` the reply is JSON."""
    response, body = await call(await serve(reply_body="json-string"))
    assert response.content_type == "application/json"
    assert json.loads(body).encode() == (SAMPLES / "reply_r0.body").read_bytes()


async def test_gcm_replies_are_sealed_by_gcm(serve):
    """The cipher is a setting of the provider."""
    gcm = provider(cipher="aes-256-gcm")
    text = (SAMPLES / "bet_batch.json").read_bytes()
    client = await serve(cipher="aes-256-gcm")
    _, body = await call(client, gcm.seal(text, gcm.keys[0]))
    assert json.loads(gcm.open(body, gcm.keys[0]))["latest_balance"] == 92500


STRANGERS = {
    "no headers": ("/webhook/dowinn", {}),
    "no Api-Key": ("/webhook/dowinn", {"Api-Id": "agent7"}),
    "empty Api-Key": ("/webhook/dowinn", {"Api-Id": "agent7", "Api-Key": ""}),
    "wrong Api-Key": ("/webhook/dowinn", {"Api-Id": "agent7", "Api-Key": "x" * 32}),
    "a prefix of the key": ("/webhook/dowinn", {"Api-Id": "agent7", "Api-Key": KEY[:-1]}),
    "a key that is not ASCII": ("/webhook/dowinn", {"Api-Id": "agent7", "Api-Key": "\u03b1" * 16}),
    "wrong in both": ("/webhook/dowinn", {"Api-Id": "x", "Api-Key": "y"}),
    "unknown provider": ("/webhook/nobody", HEADERS),
}


@pytest.mark.parametrize(("path", "headers"), STRANGERS.values(), ids=STRANGERS)
@pytest.mark.parametrize("body", [BET, b"", b"junk"])
async def test_strangers_get_one_plain_answer_and_never_the_key(serve, wallet, path, headers, body):
    """Row 10: without a matching key the reply is a plain R2, the same for every cause."""
    response, reply = await call(await serve(), body, headers, path)
    assert reply == R2
    assert response.content_type == "application/json"
    assert not {"Api-Id", "Api-Key"} & set(response.headers)
    assert wallet.asked == []


@pytest.mark.parametrize(
    ("method", "path", "status", "allowed"),
    [
        ("GET", "/webhook/dowinn", 405, "POST"),
        ("HEAD", "/webhook/nobody", 405, "POST"),
        ("POST", "/webhook/dowinn/", 404, None),
        ("GET", "/webhook/nobody/bet", 404, None),
        ("POST", "/webhook/", 404, None),
        ("GET", "/", 404, None),
    ],
)
async def test_another_path_or_method_is_an_error_of_http(serve, wallet, method, path, status, allowed):
    """As `docs/wire.md` says: it is no answer of a wallet."""
    response = await (await serve()).request(method, path, data=BET if method == "POST" else None, headers=HEADERS)
    assert (response.status, response.headers.get("Allow")) == (status, allowed)
    assert await response.text() == ("" if method == "HEAD" else f"{status}: {response.reason}")
    assert not {"Api-Id", "Api-Key"} & set(response.headers)
    assert wallet.asked == []


UNDECRYPTABLE = {
    "empty": b"",
    "not base64": b"!!!!",
    "half a block": b"AAAA",
    "a random block": b"A" * 64,
    "bad padding": BET[:64],
    "bytes": bytes(range(256)),
    "the plain text": (SAMPLES / "bet_batch.json").read_bytes(),
    "sealed with another key": provider(api_key=OLD_KEY).seal(
        b'{"event_type":"login"}', provider(api_key=OLD_KEY).keys[0]
    ),
}


async def test_every_failure_to_decrypt_is_the_same_sealed_answer(serve, wallet):
    """Row 10: replies to a matching key differ in nothing, whether the body or the Api-Id was wrong."""
    client = await serve()
    calls = [await call(client, body) for body in UNDECRYPTABLE.values()]
    calls.append(await call(client, BET, {"Api-Id": "other", "Api-Key": KEY}))
    calls.append(await call(client, BET, {"Api-Key": KEY}))
    assert len({body for _, body in calls}) == 1
    assert len({tuple((k, v) for k, v in r.headers.items() if k != "Date") for r, _ in calls}) == 1
    assert opened(calls[0][1]) == {"code": "R2"}
    assert calls[0][0].headers["Api-Key"] == KEY
    assert wallet.asked == []


async def test_while_keys_are_rotated_both_work_and_each_caller_gets_his_own_back(serve):
    """The previous key opens and seals for whoever still sends it."""
    client = await serve(previous_api_key=OLD_KEY)
    old = provider(api_key=OLD_KEY)
    text = (SAMPLES / "bet_batch.json").read_bytes()
    response, body = await call(client, old.seal(text, old.keys[0]), {"Api-Id": "agent7", "Api-Key": OLD_KEY})
    assert response.headers["Api-Key"] == OLD_KEY
    assert opened(body, OLD_KEY)["code"] == "R0"
    response, body = await call(client)
    assert response.headers["Api-Key"] == KEY
    assert opened(body)["code"] == "R0"
    _, body = await call(client, BET, {"Api-Id": "agent7", "Api-Key": OLD_KEY})
    assert opened(body, OLD_KEY) == {"code": "R2"}


@pytest.mark.parametrize(
    ("change", "echo"),
    [
        ((b'"event_type":"bet"', b'"event_type":"jackpot"'), {"event_type": "jackpot"}),
        ((b"7500", b"7501"), {}),
        ((b":5000", b":-5000"), {}),
        ((b'"KRW"', b'"USD"'), {}),
        ((b'"data":', b'"other":'), {}),
    ],
)
async def test_an_invalid_event_is_a_sealed_r3_with_an_echo(serve, wallet, change, echo):
    """Rows 11, 14, 15, 17: nothing reaches the wallet."""
    key = provider().keys[0]
    text = (SAMPLES / "bet_batch.json").read_bytes().replace(*change)
    _, body = await call(await serve(), provider().seal(text, key))
    expected = {"code": "R3", "event_type": "bet", "timestamp": 1771000001, "user_id": "player-1"} | echo
    assert opened(body) == expected
    assert wallet.asked == []


async def test_the_log_tells_where_a_request_is_wrong_and_the_provider_is_not_told(serve):
    """Row 11: the path of the field, once for each reason, and neither values of the body nor keys."""
    key = provider().keys[0]
    text = (SAMPLES / "bet_batch.json").read_bytes()
    client = await serve()
    with structlog.testing.capture_logs() as logs:
        for changed in (
            text.replace(b":5000", b':"s3cret"'),
            text.replace(b":5000", b":[]"),
            text.replace(b'"bet",', b'"x",'),
        ):
            response, body = await call(client, provider().seal(changed, key))
            assert opened(body)["code"] == "R3"
            assert not any("bet_amount" in part for part in (str(response.headers), str(opened(body))))
    common = {"event": "request_invalid", "log_level": "warning", "provider": "dowinn", "suppressed": 0}
    assert logs == [
        common | {"event_type": event, "reason": reason, "place": place, "problem": problem}
        for event, reason, place, problem in (
            ("bet", "schema", "data.bets[0].bet_amount", "is no JSON number"),
            ("unknown", "event_type", "event_type", "is no event that we know"),
        )
    ]


async def test_what_is_no_json_is_a_sealed_r3_without_an_echo(serve):
    """Row 11: it decrypts, but is not JSON."""
    _, body = await call(await serve(), provider().seal(b"hello", provider().keys[0]))
    assert opened(body) == {"code": "R3"}


async def test_a_label_is_never_taken_from_the_caller(serve):
    """An unknown event or provider is counted as unknown."""
    key = provider().keys[0]
    client = await serve()
    event, stranger = counted("unknown", "R3", "event_type"), counted("unknown", "R2", "no_provider", "unknown")
    await call(client, provider().seal(b'{"event_type":"evil","user_id":"x"}', key))
    await call(client, path="/webhook/evil")
    assert counted("unknown", "R3", "event_type") == event + 1
    assert counted("unknown", "R2", "no_provider", "unknown") == stranger + 1
    assert not any("evil" in str(labels) for metric in metrics.ALL for labels in metric.series)


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_over_the_limit_is_r2_and_the_connection_closes(serve, wallet, chunked):
    """Row 13: sealed for a caller with the key, and not read to its end."""
    client = await serve()

    async def pieces():
        for _ in range(3):
            yield b"x" * LIMIT

    response = await client.post("/webhook/dowinn", data=pieces() if chunked else b"x" * (LIMIT + 1), headers=HEADERS)
    assert response.status == 200
    assert opened(await response.read()) == {"code": "R2"}
    assert response.headers["Connection"] == "close"
    response, body = await call(client, b"x" * (LIMIT + 1), {}, "/webhook/nobody")
    assert body == R2
    assert response.headers["Connection"] == "close"
    assert wallet.asked == []


@pytest.mark.parametrize(
    ("path", "headers"),
    [("/webhook/nobody", HEADERS), ("/webhook/dowinn", {}), ("/webhook/dowinn", {**HEADERS, "Api-Id": "other"})],
)
async def test_a_stranger_is_answered_before_the_body(serve, path, headers):
    """What strangers send is not gathered in memory: they are answered, and the connection closes."""
    client = await serve()
    reader, writer = await asyncio.open_connection(client.host, client.port)
    lines = [f"POST {path} HTTP/1.1", "Host: w", f"Content-Length: {LIMIT}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + b"x" * (LIMIT - 1))
    told = await reader.read()
    writer.close()
    assert told.startswith(b"HTTP/1.1 200 OK")
    assert b"Connection: close" in told


async def test_a_body_at_the_limit_is_read(serve):
    """Row 13: white space fills a good body up to the limit."""
    _, body = await call(await serve(), BET.ljust(LIMIT))
    assert opened(body)["code"] == "R0"


async def test_a_good_body_over_the_limit_that_is_there_at_once_is_r2(serve, wallet):
    """Row 13: also if it came in one piece with its headers."""
    client = await serve()
    reader, writer = await asyncio.open_connection(client.host, client.port)
    lines = ["POST /webhook/dowinn HTTP/1.1", "Host: w", "Connection: close", f"Content-Length: {LIMIT + 1}"]
    lines += [f"{name}: {value}" for name, value in HEADERS.items()]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + BET.ljust(LIMIT + 1))
    _, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    assert opened(body) == {"code": "R2"}
    assert wallet.asked == []


async def test_a_compressed_body_is_not_inflated(serve):
    """Row 13: a small body cannot become a large one."""
    response = await (await serve()).post("/webhook/dowinn", data=BET, headers={**HEADERS, "Content-Encoding": "gzip"})
    assert opened(await response.read())["code"] == "R0"


async def test_a_late_body_is_r2_and_the_connection_closes(serve, monkeypatch):
    """A caller who stops sending does not keep a handler for ever."""
    monkeypatch.setattr(seamless_wallet.webhook.endpoint, "BODY_READ_S", 0.02)
    client = await serve()
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(
        b"POST /webhook/dowinn HTTP/1.1\r\nHost: x\r\nApi-Id: agent7\r\nApi-Key: %s\r\n"
        b"Content-Length: 100\r\n\r\nAAAA" % KEY.encode()
    )
    head = await reader.readuntil(b"\r\n\r\n")
    assert b"200 OK" in head
    assert b"Connection: close" in head
    writer.close()
    await writer.wait_closed()


NOT_HTTP = {
    "a TLS greeting": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(50) + b"\r\n\r\n",
    "a strange method": b"B@D / HTTP/1.1\r\n\r\n",
    "no version": b"POST /webhook/dowinn\r\n\r\n",
    "a bad header": b"POST /webhook/dowinn HTTP/1.1\r\nbad header\r\n\r\n",
    "a huge header": b"POST /webhook/dowinn HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 20_000 + b"\r\n\r\n",
    "two lengths": b"POST /webhook/dowinn HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "a bad length": b"POST /webhook/dowinn HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    "a bad address": b"POST //[ HTTP/1.1\r\nHost: x\r\n\r\n",
    "a bad chunk": b"POST /webhook/dowinn HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "a bad later chunk": b"POST /webhook/dowinn HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"2\r\nAA\r\nzz\r\n",
    "GET": b"GET /webhook/dowinn HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "another path": b"POST /other HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "an expectation": b"POST /webhook/dowinn HTTP/1.1\r\nHost: x\r\nExpect: cake\r\nConnection: close\r\n\r\n",
    "an upgrade": b"POST /webhook/dowinn HTTP/1.1\r\nHost: x\r\nConnection: upgrade, close\r\n"
    b"Upgrade: websocket\r\nContent-Length: 0\r\n\r\n",
    "a cut body": b"POST /webhook/dowinn HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nAA",
}


@pytest.mark.parametrize("sent", NOT_HTTP.values(), ids=NOT_HTTP)
async def test_what_is_not_http_leaves_no_traceback(serve, wallet, caplog, monkeypatch, sent):
    """Malformed requests are the caller's fault: nothing is logged, and the service goes on."""
    monkeypatch.setattr(seamless_wallet.webhook.endpoint, "BODY_READ_S", 0.05)
    client = await serve()
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(sent)
    writer.write_eof()
    await asyncio.wait_for(reader.read(), 0.8)
    writer.close()
    await writer.wait_closed()
    assert wallet.asked == []
    _, body = await call(client)
    assert opened(body)["code"] == "R0"
    assert [record for record in caplog.records if record.exc_info or record.levelname == "ERROR"] == []


def broken() -> float:
    """The counter of requests that were not HTTP."""
    return metrics.HTTP_MALFORMED_REQUESTS.labels("webhook").value


@pytest.mark.parametrize("what", ["a TLS greeting", "a strange method", "a bad header", "a huge header"])
async def test_what_is_not_http_is_counted(serve, what):
    """HTTP's own 400, and one more in the metric; whatever level aiohttp would have logged it at."""
    client = await serve()
    before = broken()
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(NOT_HTTP[what])
    assert (await asyncio.wait_for(reader.read(), 0.8)).startswith(b"HTTP/1.0 400 ")
    writer.close()
    await writer.wait_closed()
    assert broken() == before + 1


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize(
    ("path", "key", "reason"),
    [("dowinn", KEY, "body"), ("dowinn", "wrong", "api_key"), ("nobody", "", "no_provider")],
)
async def test_a_caller_who_breaks_off_is_counted_and_leaves_no_line(caplog, wallet, reset, path, key, reason):
    """Half a body and away, politely or not: an R2 that nobody reads, and nothing in the log."""
    name = "dowinn" if path == "dowinn" else "unknown"
    before = counted("unknown", "R2", reason, name)
    app = webhook_app({"dowinn": provider()}, wallet, body_bytes_max=LIMIT, clock=StoppedClock())
    runner = web.AppRunner(app)  # not a TestServer: that one cancels the handler
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    _, writer = await asyncio.open_connection(*runner.addresses[0])
    writer.write(
        f"POST /webhook/{path} HTTP/1.1\r\nHost: x\r\nApi-Id: agent7\r\nApi-Key: {key}\r\n"
        "Content-Length: 50\r\n\r\nAAA".encode()
    )
    await asyncio.sleep(0.02)
    if reset:
        off = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, off)
    writer.close()
    await asyncio.sleep(0.02)
    await runner.cleanup()
    assert counted("unknown", "R2", reason, name) == before + 1
    assert caplog.records == []
    assert wallet.asked == []


@pytest.mark.parametrize("sent", [b"", b"POST /webhook/dowinn HTTP/1.1\r\nHost: x\r\nX-Slow: "])
async def test_a_connection_without_a_whole_request_is_closed(serve, monkeypatch, sent):
    """Nobody holds a connection by sending nothing, or headers without an end."""
    monkeypatch.setattr(seamless_wallet.http_server.serving, "IDLE_S", 0.05)
    client = await serve()
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(sent)
    assert await asyncio.wait_for(reader.read(), 0.8) == b""
    writer.close()
    await writer.wait_closed()


async def test_the_versions_of_the_software_are_not_told(serve):
    """Neither to a caller with the key nor to a stranger."""
    client = await serve()
    for headers, path in ((HEADERS, "dowinn"), ({}, "dowinn"), ({}, "nobody")):
        response, _ = await call(client, BET, headers, f"/webhook/{path}")
        assert response.headers["Server"] == "wallet"


async def test_a_bug_is_r1_counted_and_logged_once_without_secrets(serve, wallet):
    """The provider may try again; the log tells the place and neither key, header nor body."""
    wallet.answer = KeyError(f"{KEY} player-1")
    client = await serve()
    before = metrics.UNEXPECTED_ERRORS.labels("webhook").value
    with structlog.testing.capture_logs() as logs:
        response, body = await call(client)
    expected = {"code": "R1", "event_type": "bet", "timestamp": 1771000001, "user_id": "player-1"}
    assert opened(body) == expected
    assert response.headers["Api-Key"] == KEY
    [line] = logs
    assert line["error"] == "KeyError"
    assert "apply" in line["traceback"]
    assert not any(secret in str(line) for secret in (KEY, "player-1", BET.decode()))
    assert metrics.UNEXPECTED_ERRORS.labels("webhook").value == before + 1


@pytest.mark.parametrize("answer", ["no answer", TimeoutError(), OverflowError()])
async def test_even_an_answer_that_cannot_be_written_is_r1(serve, wallet, answer):
    """A bug in the last step is survived as well."""
    wallet.answer = answer
    with structlog.testing.capture_logs() as logs:
        _, body = await call(await serve())
    assert opened(body)["code"] == "R1"
    assert len(logs) == 1


@pytest.mark.parametrize(
    ("answer", "balance"),
    [
        (Answer(Code.R4, "funds", 105, 0, "KRW"), 1.05),
        (Answer(Code.R1, "blocked", 0, 0, "KRW"), 0),
        (Answer(Code.R0, "ok", 700, 0, "JPY"), 700),
        (Answer(Code.R0, "ok", 700, 0, "XXX"), None),
        (Answer(Code.R3, "player"), None),
    ],
)
async def test_the_balance_is_told_whenever_it_is_known(serve, wallet, answer, balance):
    """In the player's currency, even one that this provider never sends."""
    wallet.answer = answer
    _, body = await call(await serve(scales={"JPY": 0}))
    assert opened(body)["code"] == answer.code
    assert opened(body).get("latest_balance") == balance


LOCAL = ip_network("127.0.0.0/8")
OFFICE = ip_network("203.0.113.0/24")
SIX = ip_network("2001:db8::/32")
SOURCES = {
    "off": ((), (), None, "R0"),
    "the peer itself": ((LOCAL,), (), None, "R0"),
    "another network": ((OFFICE,), (), None, "R2"),
    "a header from an untrusted peer": ((OFFICE,), (), "203.0.113.7", "R2"),
    "a header from a trusted proxy": ((OFFICE,), (LOCAL,), "203.0.113.7", "R0"),
    "a forged address on the left": ((OFFICE,), (LOCAL,), "203.0.113.7, 198.51.100.1", "R2"),
    "two trusted proxies": ((OFFICE,), (LOCAL, ip_network("10.0.0.0/8")), "203.0.113.7, 10.1.2.3", "R0"),
    "only trusted proxies": ((OFFICE,), (LOCAL,), "127.0.0.9", "R2"),
    "no header from a trusted proxy": ((OFFICE,), (LOCAL,), None, "R2"),
    "an unreadable address": ((OFFICE,), (LOCAL,), "203.0.113.7, unknown", "R2"),
    "IPv6": ((SIX,), (LOCAL,), "2001:db8::7", "R0"),
    "IPv4 in IPv6": ((OFFICE,), (LOCAL,), "::ffff:203.0.113.7", "R0"),
    "IPv6 of another network": ((OFFICE,), (LOCAL,), "2001:db8::7", "R2"),
    "a port": ((OFFICE,), (LOCAL,), "203.0.113.7:4711", "R0"),
    "a port on the right": ((OFFICE,), (LOCAL,), "198.51.100.1, 203.0.113.7:4711", "R0"),
    "a port of a trusted proxy": ((OFFICE,), (LOCAL, ip_network("10.0.0.0/8")), "203.0.113.7:1, 10.1.2.3:65535", "R0"),
    "a port of another network": ((OFFICE,), (LOCAL,), "198.51.100.1:4711", "R2"),
    "IPv6 in brackets": ((SIX,), (LOCAL,), "[2001:db8::7]", "R0"),
    "IPv6 in brackets with a port": ((SIX,), (LOCAL,), "[2001:db8::7]:4711", "R0"),
    "IPv4 in IPv6 with a port": ((OFFICE,), (LOCAL,), "[::ffff:203.0.113.7]:4711", "R0"),
    "IPv4 in brackets": ((OFFICE,), (LOCAL,), "[203.0.113.7]:4711", "R2"),
    "a port that is no number": ((OFFICE,), (LOCAL,), "203.0.113.7:http", "R2"),
    "a port without an address": ((OFFICE,), (LOCAL,), ":4711", "R2"),
    "an open bracket": ((SIX,), (LOCAL,), "[2001:db8::7", "R2"),
    "nothing behind the last comma": ((OFFICE,), (LOCAL,), "203.0.113.7,", "R2"),
    "an empty header": ((LOCAL,), (LOCAL,), "", "R0"),
}


@pytest.mark.parametrize(("allow", "proxies", "header", "code"), SOURCES.values(), ids=SOURCES)
async def test_only_allowed_sources_are_served(serve, wallet, allow, proxies, header, code):
    """Row 18: a source outside gets the stranger's R2, even with the key."""
    client = await serve(proxies, allow=allow)
    headers = HEADERS if header is None else {**HEADERS, "X-Forwarded-For": header}
    response, body = await call(client, BET, headers)
    if code == "R2":
        assert body == R2
        assert "Api-Key" not in response.headers
    else:
        assert opened(body)["code"] == "R0"
    assert len(wallet.asked) == (code == "R0")


REFUSED = {
    "another network": ((OFFICE,), (), None, "source", "127.0.0.1"),
    "another network behind a proxy": ((OFFICE,), (LOCAL,), "198.51.100.1:7", "source", "198.51.100.1"),
    "a proxy that is not trusted": ((OFFICE,), (), "203.0.113.7", "proxy_untrusted", "127.0.0.1"),
    "a second proxy that is not trusted": (
        (OFFICE,),
        (LOCAL,),
        "203.0.113.7, 198.51.100.1",
        "proxy_untrusted",
        "198.51.100.1",
    ),
    "an unreadable address": ((OFFICE,), (LOCAL,), "k3y, unknown", "source_unreadable", None),
}


@pytest.mark.parametrize(("allow", "proxies", "header", "reason", "source"), REFUSED.values(), ids=REFUSED)
async def test_an_operator_finds_out_why_a_source_was_refused(serve, allow, proxies, header, reason, source):
    """Row 18: the reason is counted, and logged once with the address that counted; a flood adds no lines."""
    client = await serve(proxies, allow=allow)
    before = counted("unknown", "R2", reason)
    headers = HEADERS if header is None else {**HEADERS, "X-Forwarded-For": header}
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            assert (await call(client, BET, headers))[1] == R2
    assert counted("unknown", "R2", reason) == before + 3
    [line] = logs
    assert line == {
        "event": "source_refused",
        "log_level": "warning",
        "provider": "dowinn",
        "reason": reason,
        "source": source,
        "peer": "127.0.0.1",
        "suppressed": 0,
    }


async def test_several_forwarded_headers_are_one_list(serve):
    """Row 18: the right-most address of the last header counts."""
    client = await serve((LOCAL,), allow=(OFFICE,))
    for values, code in ((["198.51.100.1", "203.0.113.7"], "R0"), (["203.0.113.7", "198.51.100.1"], "R2")):
        headers = [*HEADERS.items(), *(("X-Forwarded-For", value) for value in values)]
        _, body = await call(client, BET, headers)
        assert (opened(body)["code"] if code == "R0" else json.loads(body)["code"]) == code


async def test_a_disconnect_does_not_stop_the_wallet(serve, wallet):
    """Money in flight is not abandoned because the caller went away, and nothing is logged."""
    entered, release, finished = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow(command, policy, moments):
        entered.set()
        await release.wait()
        finished.set()
        return Answer(Code.R0, "ok", 0, 0, "KRW")

    wallet.apply = slow
    client = await serve()
    task = asyncio.create_task(call(client))
    await entered.wait()
    task.cancel()
    await asyncio.wait([task])
    release.set()
    await asyncio.wait_for(finished.wait(), 1)


async def test_a_cancelled_handler_is_cancelled_and_not_a_fault(wallet):
    """A stop of the service must not be mistaken for a bug."""
    wallet.answer = asyncio.CancelledError()
    webhook = seamless_wallet.webhook.endpoint.Webhook(provider(), wallet, StoppedClock(), ())
    app = web.Application()
    app.router.add_post("/", webhook.handle)
    before = metrics.UNEXPECTED_ERRORS.labels("webhook").value
    client = TestClient(TestServer(app))
    await client.start_server()
    with pytest.raises(Exception, match="disconnected"):
        await client.post("/", data=BET, headers=HEADERS)
    await client.close()
    assert metrics.UNEXPECTED_ERRORS.labels("webhook").value == before


@pytest.mark.parametrize(
    ("sample", "taken"),
    [
        ("login", False),
        ("bet_batch", False),
        ("bet_cancel_one", True),
        ("bet_result_fraction", True),
        ("result_change_down", True),
        ("logout", True),
    ],
)
async def test_a_provider_that_is_switched_to_settlements_starts_nothing_new(serve, wallet, sample, taken):
    """Row 83: logins and bets are R1 and never reach the wallet, everything that ends a round is as always."""
    client, body = await serve(accept="settlements"), (SAMPLES / f"{sample}.body").read_bytes()
    asked = json.loads((SAMPLES / f"{sample}.json").read_bytes())
    before = metrics.WEBHOOK_REQUESTS.labels("dowinn", asked["event_type"], "R1", "settlements_only").value
    reply = opened((await call(client, body))[1])
    assert reply["code"] == ("R0" if taken else "R1")
    assert len(wallet.asked) == taken
    after = metrics.WEBHOOK_REQUESTS.labels("dowinn", asked["event_type"], "R1", "settlements_only").value
    assert after - before == (not taken)
