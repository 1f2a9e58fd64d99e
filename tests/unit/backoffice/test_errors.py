"""The token, and every error as a problem."""

from __future__ import annotations

import pytest
import structlog
from prometheus_client import REGISTRY

from service.backoffice import build_app
from service.backoffice.app import BODY_BYTES_MAX
from service.backoffice.players import CREATE_ID
from service.commands import Answer, Code
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
        build_app(wallet=None, ledger=None, clock=None, scales={}, token="", readiness=None)  # type: ignore[arg-type]


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


async def test_a_body_that_cannot_be_unpacked_is_400(office):
    """It says gzip and is not."""
    packed = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert (await office.call("POST", "/v1/players", data=b"{}", headers=packed))[0] == 400


async def test_an_unexpected_error_is_counted_logged_once_and_told_without_a_traceback(office):
    """500; what happened stands in the log only."""

    def count() -> float:
        return REGISTRY.get_sample_value("wallet_faults_total", {"place": "backoffice"}) or 0.0

    await office.create()
    before = count()
    office.wallet.fault = RuntimeError("secret detail")
    with structlog.testing.capture_logs() as logs:
        status, _, body = await office.move("deposits", "1", "k")
    assert (status, slug(body)) == (500, "fault")
    assert "secret detail" not in str(body)
    assert count() == before + 1
    assert [line["event"] for line in logs] == ["backoffice.movement", "backoffice.fault"]


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
