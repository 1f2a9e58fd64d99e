"""The audit log: recorded before it is done, completed afterwards, and never with a token in it."""

from __future__ import annotations

import json

import pytest

from seamless_wallet.access_roles import AccessRole
from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.observability import metrics
from tests.unit.backoffice.doubles import TOKEN, TOKENS, fields, slug


async def recorded(office, query: str = "") -> list[dict]:
    """The actions, newest first."""
    status, _, page = await office.call("GET", f"/v1/audit?{query}")
    assert status == 200, page
    return page["actions"]


async def test_an_action_is_told_with_who_what_why_and_what_came_of_it(office):
    """Each field as it was."""
    await office.create()
    office.clock.ms += 1000
    money = TOKENS[AccessRole.MONEY]
    path, why = "/v1/players/ann/deposits", {"Audit-Reason": "Zahlung 7, geprüft"}
    await office.call(
        "POST",
        path,
        {"amount": "100"},
        key="k-1",
        token=money,
        headers={"Authorization": f"Bearer {money}", "Idempotency-Key": "k-1", **why},
    )
    deposit, created = await recorded(office)
    outcome = deposit.pop("outcome")
    assert deposit.pop("id") > created["id"]
    assert deposit == {
        "time": "2026-01-01T00:00:01.123Z",
        "actor": "money-holder",
        "role": "money",
        "peer": "127.0.0.1",
        "action": "deposit",
        "method": "POST",
        "path": path,
        "user_id": "ann",
        "key": "k-1",
        "parameters": '{"amount": "100"}',
        "reason": "Zahlung 7, geprüft",
    }
    assert (outcome["status"], outcome["problem"]) == (201, "")
    assert json.loads(outcome["answer"])["balance"] == "100.00"
    assert (created["actor"], created["action"], created["user_id"]) == ("admin-holder", "create_player", "ann")


async def test_every_action_leaves_a_record_and_nothing_else_does(office):
    """Whether it is done or refused. Looking is no action, but for an export."""
    await office.create()
    await office.move("deposits", "10", "k1")
    await office.move("withdrawals", "999", "k2")
    await office.call("PATCH", "/v1/players/ann", {"status": "blocked"})
    await office.call("DELETE", "/v1/players/ann/calls")
    await office.call("POST", "/v1/calls/7/acknowledgement", {"note": "told them"})
    await office.call("POST", "/v1/calls/7/replay", {"confirm": "bet", "reason": "they asked"})
    await office.client.get("/v1/calls/export?user_id=ann", headers={"Authorization": f"Bearer {TOKEN}"})
    await office.call("GET", "/v1/players/ann/entries")
    await office.call("GET", "/v1/calls")
    told = [(each["action"], each["outcome"]["status"], each["outcome"]["problem"]) for each in await recorded(office)]
    assert told == [
        ("export_calls", 200, ""),
        ("replay_call", 404, "unknown-call"),
        ("acknowledge_call", 404, "unknown-call"),
        ("erase_calls", 200, ""),
        ("set_status", 200, ""),
        ("withdraw", 409, "insufficient-funds"),
        ("deposit", 201, ""),
        ("create_player", 201, ""),
    ]
    reasons = [each["reason"] for each in await recorded(office)]
    assert reasons[1:3] == ["they asked", "told them"]
    (exported,) = await recorded(office, "action=export_calls")
    assert (exported["parameters"], exported["outcome"]["answer"]) == ("user_id=ann", "")


async def test_what_a_role_forbids_is_recorded_as_refused(office):
    """Who tried it is of interest."""
    await office.create()
    await office.call("POST", "/v1/players/ann/deposits", {"amount": "1"}, key="k", token=TOKENS[AccessRole.READ])
    told = (await recorded(office))[0]
    assert (told["actor"], told["outcome"]["status"], told["outcome"]["problem"]) == ("read-holder", 403, "role-needed")


async def test_what_cannot_be_recorded_is_not_done(office, monkeypatch):
    """503, and the wallet is never asked."""

    async def fail(_: object) -> int:
        raise StoreError("the disk is full")

    before = metrics.ACTIONS_NOT_RECORDED.labels("begin").value
    with monkeypatch.context() as context:
        context.setattr(office.actions, "begin", fail)
        status, headers, body = await office.create()
    assert (status, slug(body), headers["Retry-After"]) == (503, "not-recorded", "1")
    assert office.wallet.commands == []
    assert metrics.ACTIONS_NOT_RECORDED.labels("begin").value == before + 1
    assert (await office.create())[0] == 201


async def test_what_was_done_is_answered_although_its_outcome_cannot_be_recorded(office, monkeypatch):
    """The record says that the outcome is unknown."""

    async def fail(*_: object) -> None:
        raise StoreError("the disk is full")

    with monkeypatch.context() as context:
        context.setattr(office.actions, "end", fail)
        assert (await office.create())[0] == 201
    (told,) = await recorded(office)
    assert told["outcome"] is None


async def test_a_fault_is_an_outcome_too(office, monkeypatch):
    """Whatever is raised."""

    async def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(office.wallet, "apply", fail)
    assert (await office.create())[0] == 500
    (told,) = await recorded(office)
    assert (told["outcome"]["status"], told["outcome"]["problem"]) == (500, "fault")


async def test_no_token_is_ever_recorded(office):
    """Not even where its holder has written it by mistake."""
    body = {"user_id": TOKEN, "currency": TOKEN}
    headers = {"Authorization": f"Bearer {TOKEN}", "Idempotency-Key": TOKEN, "Audit-Reason": f"my token is {TOKEN}"}
    await office.call("POST", f"/v1/players?token={TOKEN.replace(' ', '%20')}", body, headers=headers)
    await office.call("PATCH", f"/v1/players/{TOKEN.replace(' ', '%20')}", {"status": "blocked"}, headers=headers)
    await office.client.get("/v1/calls/export", params={"token": TOKEN}, headers=headers)
    actions = await recorded(office)
    assert len(actions) == 3
    assert TOKEN not in str(actions)
    assert "***" in actions[2]["parameters"]


async def test_a_record_has_bounds(office):
    """Whoever has a token of the least role must not be able to fill the disk; nor is half a token kept at the end."""
    long = {"user_id": "u" * 60_000, "currency": "KRW", "note": "n" * 2_000}
    await office.call("POST", "/v1/players", long, headers={"Idempotency-Key": "k" * 4_000})
    crossing = {"user_id": "ann", "currency": "x" * (4_096 - len('{"user_id":"ann","currency":"') - 4) + TOKEN}
    await office.call("POST", "/v1/players", crossing)
    second, first = await recorded(office)
    assert sum(len(value) for value in first.values() if isinstance(value, str)) < 6_000
    assert (len(first["user_id"]), len(first["key"]), len(first["reason"])) == (128, 128, 1_000)
    assert not second["parameters"].endswith(TOKEN[:4])


async def test_actions_are_found_by_time_actor_player_and_kind(office):
    """Each parameter alone, and a cursor."""
    await office.create()
    office.clock.ms += 60_000
    await office.call("PATCH", "/v1/players/ann", {"status": "blocked"}, token=TOKENS[AccessRole.SUPPORT])
    await office.create("bob")

    async def found(query: str) -> list[str]:
        return [each["action"] for each in await recorded(office, query)]

    assert await found("actor=support-holder") == ["set_status"]
    assert await found("user_id=ann") == ["set_status", "create_player"]
    assert await found("action=create_player") == ["create_player", "create_player"]
    assert await found("from=2026-01-01T00:01:00Z") == ["create_player", "set_status"]
    assert await found("to=2026-01-01T00:01:00Z") == ["create_player"]
    _, _, page = await office.call("GET", "/v1/audit?limit=2")
    assert await found(f"cursor={page['next_cursor']}") == ["create_player"]


@pytest.mark.parametrize("query", ["when=now", "from=yesterday", "limit=0", "cursor=x", "actor=", "actor=a&actor=b"])
async def test_a_wrong_question_names_its_parameter(office, query):
    """As everywhere."""
    status, _, body = await office.call("GET", f"/v1/audit?{query}")
    assert (status, fields(body)) == (400, [query.partition("=")[0]])


async def test_a_reason_that_no_log_can_hold_is_refused(office):
    """Before anything is done."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Audit-Reason": "x" * 1001}
    status, _, body = await office.call("POST", "/v1/players", {"user_id": "ann", "currency": "KRW"}, headers=headers)
    assert (status, fields(body)) == (400, ["Audit-Reason"])
    assert office.wallet.commands == []
