"""The token, and every error as a problem."""

from __future__ import annotations

import asyncio
import gzip
import socket
import struct
import zlib

import pytest
import structlog
from aiohttp import web

from seamless_wallet.access_roles import AccessRole, TokenHolder, token_digest
from seamless_wallet.backoffice import backoffice_app, handlers
from seamless_wallet.backoffice import requests as parsing
from seamless_wallet.backoffice.application import BODY_BYTES_MAX
from seamless_wallet.backoffice.handlers import CREATE_ID
from seamless_wallet.commands import Answer, Code
from seamless_wallet.ledger.ports import Archived
from seamless_wallet.observability import metrics
from tests.unit.backoffice.doubles import (
    TOKEN,
    slug,
)


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", "Bearer \udcff\udcfe"],
)
@pytest.mark.parametrize("path", ["/v1/players/ann", "/v1/trial-balance", "/nowhere", "/livez/", "/livez%2F..%2Fv1"])
async def test_without_the_token_everything_is_401(office, authorization, path):
    """Paths that do not exist too; the answer names the scheme."""
    status, headers, body = await office.call("GET", path, headers={"Authorization": authorization})
    assert (status, slug(body)) == (401, "unauthorized")
    assert headers["WWW-Authenticate"].startswith("Bearer")
    assert TOKEN not in str(body)


async def test_the_scheme_is_case_insensitive(office):
    """RFC 9110: `bearer` is `Bearer`."""
    assert (await office.call("GET", "/v1/trial-balance", headers={"Authorization": f"bearer {TOKEN}"}))[0] == 200


def test_an_empty_token_is_refused_at_start():
    """Nobody must be able to get in with `Authorization: Bearer`."""
    with pytest.raises(ValueError, match="empty"):
        backoffice_app(
            wallet=None,  # type: ignore[arg-type]
            ledger=None,  # type: ignore[arg-type]
            history=None,  # type: ignore[arg-type]
            account_sums=None,  # type: ignore[arg-type]
            clock=None,  # type: ignore[arg-type]
            randomness=None,  # type: ignore[arg-type]
            scales={},
            holders=[TokenHolder("nobody", AccessRole.ADMIN, token_digest(""))],
            readiness=None,  # type: ignore[arg-type]
            exposition=None,  # type: ignore[arg-type]
            calls=None,  # type: ignore[arg-type]
            call_decoder=None,  # type: ignore[arg-type]
            actions=None,  # type: ignore[arg-type]
        )


async def test_what_aiohttp_refuses_is_a_problem_too(office):
    """404, 405 with Allow, 413, 415."""
    assert (await office.call("GET", "/v1/nothing"))[0] == 404
    status, headers, _ = await office.call("DELETE", "/v1/players/ann")
    assert (status, set(headers["Allow"].split(","))) == (405, {"GET", "HEAD", "PATCH"})
    long = b'{"user_id":"ann","currency":"KRW"}' + b" " * BODY_BYTES_MAX
    as_json = {"Content-Type": "application/json"}
    assert (await office.call("POST", "/v1/players", data=long, headers=as_json))[0] == 413
    status, _, body = await office.call("POST", "/v1/players", data={"user_id": "ann"})
    assert (status, slug(body)) == (415, "not-json")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"null",
        b"\xff\xfe",
        b"[" * 60_000,
        b'{"user_id":"\xff","currency":"KRW"}',
        b'{"user_id":"\\ud800","currency":"KRW"}',
        b'{"user_id":"\\udc00","currency":"KRW"}',
        b'{"user_id":"ann","user_id":"bob","currency":"KRW"}',
        b'{"user_id":"ann","\\u0075ser_id":"bob","currency":"KRW"}',
        b'{"user_id":"ann","currency":"KRW"} {}',
        b'{"x":' + b"[" * 60_000,
    ],
)
async def test_a_body_that_is_not_our_json_is_400(office, raw):
    """Malformed, too deep, not UTF-8, half a surrogate pair, a field twice."""
    as_json = {"Content-Type": "application/json; charset=utf-8"}
    status, _, body = await office.call("POST", "/v1/players", data=raw, headers=as_json)
    assert (status, slug(body)) == (400, "invalid-request")
    assert office.ledger.players == {}


WRONG = {
    "nothing": ("{}", "user_id", "missing"),
    "no object": ("[]", "body", "must be a JSON object"),
    "null": ("null", "body", "must be a JSON object"),
    "a number": ('{"user_id": 1, "currency": "KRW"}', "user_id", "must be a string of 1 to 128 characters"),
    "empty": ('{"user_id": "", "currency": "KRW"}', "user_id", "must be a string of 1 to 128 characters"),
    "long": (f'{{"user_id": "{"a" * 129}", "currency": "KRW"}}', "user_id", "must be a string of 1 to 128 characters"),
    "deep": ('{"user_id": "ann", "currency": [{"a": 1}]}', "currency", "must be a string"),
    "unknown": ('{"user_id": "ann", "currency": "KRW", "x": 1}', "x", "unknown field"),
    "unknown and strange": (
        '{"user_id": "ann", "currency": "KRW", "` - at `$.y`": 1}',
        "` - at `$.y`",
        "unknown field",
    ),
}


@pytest.mark.parametrize(("raw", "field", "detail"), WRONG.values(), ids=WRONG)
async def test_what_is_wrong_is_said_in_our_words(office, raw, field, detail):
    """No name of a Python type, no `$`."""
    as_json = {"Content-Type": "application/json"}
    status, _, body = await office.call("POST", "/v1/players", data=raw.encode(), headers=as_json)
    assert (status, slug(body)) == (400, "invalid-request")
    assert body["errors"] == [{"field": field, "detail": detail}]
    assert body["detail"] == f"{field}: {detail}"


@pytest.mark.parametrize(
    "given", ["gone", 1, None, "unknown field `x`", "Object missing required field `x` - at `$.y`"]
)
async def test_what_the_client_wrote_is_not_taken_for_what_is_wrong(office, given):
    """A value that reads like an error message."""
    await office.create()
    status, _, body = await office.call("PATCH", "/v1/players/ann", {"status": given})
    assert status == 400
    assert body["errors"] == [{"field": "status", "detail": "must be one of active, blocked"}]


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "identity", "", "x"])
async def test_an_encoded_body_is_415(office, caplog, encoding):
    """Whatever it says and is: never unpacked, and nothing is logged."""
    packed = {"Content-Type": "application/json", "Content-Encoding": encoding}
    for data in (b"{}", b"junk" * 9, gzip.compress(b"{}"), zlib.compress(b"{}")[:-3]):
        status, headers, body = await office.call("POST", "/v1/players", data=data, headers=packed)
        assert (status, slug(body)) == (415, "body-encoded")
        assert headers["Accept-Encoding"] == "identity"
    assert caplog.records == []


CREATE = f"POST /v1/players HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n"


async def test_a_late_body_is_408_and_the_connection_closes(office, monkeypatch):
    """A client that stops sending does not keep a handler for ever."""
    monkeypatch.setattr(parsing, "BODY_READ_S", 0.02)
    reader, writer = await asyncio.open_connection(office.client.host, office.client.port)
    writer.write(f"{CREATE}Content-Length: 50\r\n\r\n{{".encode())
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 1)
    assert head.startswith(b"HTTP/1.1 408 ")
    assert b"Connection: close" in head
    assert b"application/problem+json" in head
    writer.close()
    await writer.wait_closed()


async def test_a_broken_body_is_late(office, caplog, monkeypatch):
    """Framing that breaks half-way is the client's doing: no fault, no line. The rest of the body never comes."""
    monkeypatch.setattr(parsing, "BODY_READ_S", 0.05)
    reader, writer = await asyncio.open_connection(office.client.host, office.client.port)
    with structlog.testing.capture_logs() as logs:
        writer.write(f"{CREATE}Transfer-Encoding: chunked\r\n\r\n2\r\nAA\r\n".encode())
        await asyncio.sleep(0.02)
        writer.write(b"zz\r\n")
        assert (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 1)).startswith(b"HTTP/1.1 408 ")
    writer.close()
    await writer.wait_closed()
    assert logs == []
    assert caplog.records == []


@pytest.mark.parametrize("reset", [False, True])
async def test_an_upload_that_breaks_off_is_no_fault(office, caplog, reset):
    """The database is not away because a client is."""
    runner = web.AppRunner(office.build())  # not a TestServer: that one cancels the handler
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    with structlog.testing.capture_logs() as logs:
        _, writer = await asyncio.open_connection(*runner.addresses[0])
        writer.write(f"{CREATE}Content-Length: 50\r\n\r\n{{".encode())
        await asyncio.sleep(0.02)
        if reset:
            off = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, off)
        writer.close()
        await asyncio.sleep(0.02)
        await runner.cleanup()
    assert logs == []
    assert caplog.records == []


async def test_what_is_not_http_leaves_no_line(office, caplog):
    """HTTP's own 400, counted."""

    def count() -> float:
        return metrics.HTTP_MALFORMED_REQUESTS.labels("backoffice").value

    before = count()
    reader, writer = await asyncio.open_connection(office.client.host, office.client.port)
    writer.write(b"GET /livez HTTP/1.1\r\nbad header\r\n\r\n")
    assert (await asyncio.wait_for(reader.read(), 1)).startswith(b"HTTP/1.0 400 ")
    writer.close()
    await writer.wait_closed()
    assert count() == before + 1
    assert caplog.records == []


async def test_the_versions_of_the_software_are_not_told(office):
    """Nor in an error."""
    for path, token in (("/livez", TOKEN), ("/v1/trial-balance", "wrong"), ("/v1/nothing", TOKEN)):
        _, headers, _ = await office.call("GET", path, token=token)
        assert headers["Server"] == "wallet"


async def test_an_unexpected_error_is_counted_logged_once_and_told_without_a_traceback(office):
    """500; what happened stands in the log only."""

    def count() -> float:
        return metrics.UNEXPECTED_ERRORS.labels("backoffice").value

    await office.create()
    before = count()
    office.wallet.fault = RuntimeError("secret detail")
    with structlog.testing.capture_logs() as logs:
        status, _, body = await office.move("deposits", "1", "k")
    assert (status, slug(body)) == (500, "fault")
    assert "secret detail" not in str(body)
    assert count() == before + 1
    assert [line["event"] for line in logs] == ["backoffice_command", "backoffice_error"]


async def test_a_decision_that_cannot_be_is_a_fault(office):
    """An R2 for the back office, an R0 without a balance."""
    await office.create()
    for impossible in (Answer(Code.R2, "key"), Answer(Code.R0, "deposit")):
        office.wallet.answer = impossible
        assert (await office.move("deposits", "1", "k"))[0] == 500


async def test_a_ledger_that_is_away_is_503(office):
    """A read may simply be repeated; the outcome of anything else is unknown."""
    office.ledger.down = ConnectionRefusedError()
    status, headers, body = await office.call("GET", "/v1/players/ann")
    assert (status, headers["Retry-After"], slug(body)) == (503, "1", "unavailable")
    status, _, body = await office.create()
    assert (status, slug(body)) == (503, "outcome-unknown")


async def test_what_is_archived_is_410_and_the_file_is_named(office):
    """It is not in the ledger any more, so to repeat the request is of no use."""
    await office.create()
    office.ledger.down = Archived("the event T-9 is archived: january.zst (2026-01), shard 0, entry 3")
    status, _, body = await office.call("GET", "/v1/players/ann")
    assert (status, slug(body)) == (410, "archived")
    assert "january.zst" in body["detail"]


async def test_a_ledger_that_hangs_is_503(office, monkeypatch):
    """A call waits for a read for as long as for the wallet, not for ever."""
    monkeypatch.setattr(handlers, "READ_LIMIT_S", 0.01)
    await office.create()

    async def hang(*_):
        await asyncio.Event().wait()

    monkeypatch.setattr(office.ledger, "entries", hang)
    assert slug((await office.call("GET", "/v1/players/ann/entries"))[2]) == "unavailable"
    monkeypatch.setattr(office.ledger, "wallet", hang)
    assert slug((await office.call("GET", "/v1/players/ann"))[2]) == "unavailable"
    assert slug((await office.move("deposits", "1", "k"))[2]) == "outcome-unknown"


async def test_every_movement_leaves_one_line_in_the_audit_log(office):
    """Action, player, key and code, also of a refusal, and never the token."""
    with structlog.testing.capture_logs() as logs:
        await office.create()
        await office.move("withdrawals", "7", "k1")
        await office.call("PATCH", "/v1/players/ann", {"status": "blocked"}, key="k2")
        await office.call("GET", "/v1/players/ann")
    told = [(line["action"], line["user_id"], line["key"], line["code"], line["reason"]) for line in logs]
    assert told == [
        ("create", "ann", CREATE_ID, "R0", "create"),
        ("withdraw", "ann", "k1", "R4", "funds"),
        ("status", "ann", "k2", "R0", "status"),
    ]
    assert TOKEN not in str(logs)
