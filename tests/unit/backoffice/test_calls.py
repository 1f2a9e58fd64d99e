"""`/v1/calls`: look up, export, acknowledge, decide again, erase."""

from __future__ import annotations

import csv
import io
import json
import threading

import pytest

from seamless_wallet.access_roles import AccessRole
from seamless_wallet.backoffice import call_responses, calls_served
from seamless_wallet.calls.ports import StoredCall
from seamless_wallet.calls.record import TEXT_BYTES_MAX, CallRecord
from seamless_wallet.commands import Item, Kind
from seamless_wallet.ledger.ports import StoreError
from tests.call_history import call_record, encode_batch
from tests.unit.backoffice.doubles import NOW_MS, SCALES, TOKEN, TOKENS, fields, played, slug

CANCEL = {
    "transaction_id": "c-1",
    "event_type": "bet_cancel",
    "timestamp": NOW_MS // 1000,
    "user_id": "ann",
    "data": {
        "currency": "KRW",
        "game_type": "BAC",
        "table_no": "1",
        "game_no": "r1",
        "total_bet_cancel_amount": 4,
        "bet_cancels": [{"bet_index": "1", "bet_type": "banker", "bet_amount": 4}],
    },
}


def cancel(**changes) -> CallRecord:
    """A cancel that got R1."""
    text = json.dumps(CANCEL).encode()
    given = {
        "received_ms": NOW_MS,
        "provider": "dowinn",
        "event": "bet_cancel",
        "transaction_id": "c-1",
        "game_no": "r1",
        "code": "R1",
        "reason": "redis",
        "request": text,
        "request_bytes": len(text),
    }
    return call_record(**{**given, **changes})


async def keep(office, *records: CallRecord) -> list[str]:
    """Have calls kept; their ids, newest first."""
    office.spool.write(encode_batch(records), NOW_MS)
    await office.calls.collect()
    status, _, page = await office.call("GET", "/v1/calls?limit=500")
    assert status == 200
    return [call["id"] for call in page["calls"]]


async def test_calls_are_found_by_what_people_have(office):
    """Each parameter alone, and a cursor."""
    await keep(office, cancel(), cancel(received_ms=NOW_MS + 5, transaction_id="c-2", code="R0", commit_us=500_000))

    async def found(query: str) -> list[str]:
        status, _, page = await office.call("GET", f"/v1/calls?{query}")
        assert status == 200, page
        return [call["transaction_id"] for call in page["calls"]]

    assert await found("user_id=ann") == ["c-2", "c-1"]
    assert await found("failed=true") == ["c-1"]
    assert await found("unacknowledged=true") == ["c-1"]
    assert await found("slow_ms=500") == ["c-2"]
    assert await found("transaction_id=c-1&provider=dowinn&game_no=r1&event=bet_cancel&code=R1&reason=redis") == ["c-1"]
    assert await found("from=2026-01-01T00:00:00.124Z") == ["c-2"]
    assert await found("to=2026-01-01T00:00:00.124Z") == ["c-1"]
    _, _, page = await office.call("GET", "/v1/calls?limit=1")
    assert await found(f"cursor={page['next_cursor']}") == ["c-1"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=yesterday", "from"),
        ("to=", "to"),
        ("failed=1", "failed"),
        ("slow_ms=-1", "slow_ms"),
        ("cursor=x", "cursor"),
        ("cursor=9999999999999999999", "cursor"),
        ("limit=501", "limit"),
        ("user_id=", "user_id"),
        ("player=ann", "player"),
    ],
)
async def test_a_wrong_parameter_is_named(office, query, field):
    """And nothing is guessed."""
    status, _, body = await office.call("GET", f"/v1/calls?{query}")
    assert (status, fields(body)) == (400, [field])


async def test_a_call_is_told_with_its_entry_and_the_other_tries(office):
    """Support sees what the player's money did, also when the ledger is away."""
    await office.create()
    await office.move("deposits", "10", "k1")
    office.ledger.post(played(Kind.BET, "t-1", Item("1", "banker", 400)), -400, effects="+")
    first = call_record(received_ms=NOW_MS - 5, provider="dowinn", code="R1", reason="redis")
    _, call_id = await keep(office, first, call_record(received_ms=NOW_MS, provider="dowinn"))
    status, _, call = await office.call("GET", f"/v1/calls/{call_id}")
    assert status == 200
    assert call["entry"]["balance_delta"] == "-4.00"
    assert [(each["code"], each["reason"]) for each in call["tries"]] == [("R0", "bet")]
    assert call["request"] == '{"event_type":"bet"}'
    office.ledger.down = StoreError("away")
    _, _, call = await office.call("GET", f"/v1/calls/{call_id}")
    assert (call["entry"], call["entry_known"]) == (None, False)
    status, _, body = await office.call("GET", "/v1/calls/7")
    assert (status, slug(body)) == (404, "unknown-call")


async def test_calls_are_exported_in_both_forms(office):
    """With the header of the next page; what a stranger wrote is no formula."""
    await keep(office, cancel(), cancel(transaction_id="=cmd()", received_ms=NOW_MS + 1))
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with office.client.get("/v1/calls/export", headers=headers) as reply:
        lines = (await reply.text()).splitlines()
        assert (reply.content_type, "Next-Cursor" in reply.headers) == ("application/x-ndjson", False)
    assert [json.loads(line)["transaction_id"] for line in lines] == ["=cmd()", "c-1"]
    async with office.client.get("/v1/calls/export?format=csv&limit=1", headers=headers) as reply:
        (row,) = csv.DictReader(io.StringIO(await reply.text()))
        assert (reply.content_type, reply.headers["Next-Cursor"]) == ("text/csv", row["id"])
    assert row["transaction_id"] == "'=cmd()"
    assert call_responses.calls_csv([StoredCall(1, cancel(game_no="\n=cmd()"))]).count(b',"\'\n=cmd()",') == 1


async def test_what_is_read_at_once_is_bounded(office, monkeypatch):
    """A list reads no texts. An export reads some calls at a time, and is put together beside the event loop."""
    await keep(office, *(cancel(transaction_id=f"c-{number}") for number in range(250)))
    asked, threads, find = [], [], office.calls.find

    async def noted(query):
        asked.append(query)
        return await find(query)

    def written(calls):
        threads.append(threading.current_thread())
        return call_responses.calls_jsonl(calls)

    monkeypatch.setattr(office.calls, "find", noted)
    monkeypatch.setitem(calls_served._FORMS, "jsonl", (written, "application/x-ndjson"))
    await office.call("GET", "/v1/calls?limit=500")
    assert [query.texts for query in asked] == [False]
    asked.clear()
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with office.client.get("/v1/calls/export?limit=10000", headers=headers) as reply:
        assert len((await reply.text()).splitlines()) == 250
    assert [query.limit * 2 * TEXT_BYTES_MAX <= 2**24 for query in asked] == [True] * 3
    assert threads != [threading.main_thread()]


async def test_a_failed_call_is_acknowledged_once_and_for_all(office):
    """With a note of who did what."""
    (call_id,) = await keep(office, cancel())
    status, _, call = await office.call("POST", f"/v1/calls/{call_id}/acknowledgement", {"note": "told them"})
    assert (status, call["note"], call["acknowledged"]) == (200, "told them", "2026-01-01T00:00:00.123Z")
    _, _, page = await office.call("GET", "/v1/calls?unacknowledged=true")
    assert page["calls"] == []
    status, _, body = await office.call("POST", "/v1/calls/7/acknowledgement", {"note": ""})
    assert (status, slug(body)) == (404, "unknown-call")


async def test_a_cancel_is_decided_again_as_the_same_event(office):
    """Once, and the replay is in the history as what it is."""
    await office.create()
    (call_id,) = await keep(office, cancel())
    asked = {"confirm": "cancel", "reason": "they gave up"}
    status, _, body = await office.call("POST", f"/v1/calls/{call_id}/replay", asked)
    assert (status, body["replay_of"], body["code"]) == (200, call_id, "R0")
    command = office.wallet.commands[-1]
    assert (command.kind, command.provider, command.transaction_id) == (Kind.CANCEL, "dowinn", "c-1")
    assert command.items == (Item("1", "banker", 400),)
    (record,) = office.recorded
    assert (record.replay_of, record.peer, record.transaction_id) == (int(call_id), "@back-office", "c-1")
    assert SCALES["KRW"] == 2


@pytest.mark.parametrize(
    ("changes", "asked", "status", "kind"),
    [
        ({}, {"confirm": "bet", "reason": "x"}, 400, "invalid-request"),
        ({}, {"confirm": "cancel", "reason": ""}, 400, "invalid-request"),
        ({"key_slot": ""}, {"confirm": "cancel", "reason": "x"}, 409, "not-replayable"),
        ({"request": b""}, {"confirm": "cancel", "reason": "x"}, 409, "not-replayable"),
        ({"request": b"{}"}, {"confirm": "cancel", "reason": "x"}, 409, "not-replayable"),
        ({"request_bytes": 10**6}, {"confirm": "cancel", "reason": "x"}, 409, "not-replayable"),
        ({"provider": "gone"}, {"confirm": "cancel", "reason": "x"}, 409, "not-replayable"),
        ({"replay_of": 5}, {"confirm": "cancel", "reason": "x"}, 409, "not-replayable"),
        (
            {"request": b'{"transaction_id":"l","event_type":"login","timestamp":1767225600,"user_id":"ann"}'},
            {"confirm": "login", "reason": "x"},
            409,
            "not-replayable",
        ),
    ],
)
async def test_what_must_not_be_decided_again_is_refused(office, changes, asked, status, kind):
    """And the wallet is never asked."""
    (call_id,) = await keep(office, cancel(**changes))
    answered, _, body = await office.call("POST", f"/v1/calls/{call_id}/replay", asked)
    assert (answered, slug(body)) == (status, kind)
    assert office.wallet.commands == office.recorded == []


async def test_a_bet_is_decided_again_only_with_the_money_role(office):
    """Its game may be over. The support may have a cancel decided again."""
    bet = CANCEL | {
        "transaction_id": "b-1",
        "event_type": "bet",
        "data": {
            "currency": "KRW",
            "game_type": "BAC",
            "table_no": "1",
            "game_no": "r1",
            "total_bet_amount": 4,
            "bets": [{"bet_index": "1", "bet_type": "banker", "bet_amount": 4}],
        },
    }
    text = json.dumps(bet).encode()
    await office.create()
    bet_call = cancel(event="bet", request=text, request_bytes=len(text), received_ms=NOW_MS + 1)
    found = await keep(office, cancel(), bet_call)
    least = {"bet": AccessRole.MONEY, "cancel": AccessRole.SUPPORT}
    for call_id, (kind, needed) in zip(found, least.items(), strict=True):
        for role, token in TOKENS.items():
            asked = {"confirm": kind, "reason": "they gave up"}
            status, _, told = await office.call("POST", f"/v1/calls/{call_id}/replay", asked, token=token)
            assert status == (200 if role.includes(needed) else 403), (kind, role, told)


async def test_a_player_is_erased(office):
    """From the history alone."""
    await keep(office, cancel(), cancel(user_id="bob"))
    status, _, body = await office.call("DELETE", "/v1/players/ann/calls")
    assert (status, body) == (200, {"user_id": "ann", "erased": 1})
    _, _, page = await office.call("GET", "/v1/calls")
    assert [call["user_id"] for call in page["calls"]] == ["bob"]


async def test_the_openapi_document_names_the_fields_of_calls(office):
    """Each schema's properties are those of a real answer."""
    from tests.unit.backoffice.test_documents import DOCS  # noqa: PLC0415

    schemas = json.loads((DOCS / "openapi.json").read_text())["components"]["schemas"]
    (call_id,) = await keep(office, cancel())
    _, _, page = await office.call("GET", "/v1/calls")
    _, _, details = await office.call("GET", f"/v1/calls/{call_id}")
    _, _, replayed = await office.call("POST", f"/v1/calls/{call_id}/replay", {"confirm": "cancel", "reason": "x"})
    _, _, erased = await office.call("DELETE", "/v1/players/ann/calls")
    told = {"Calls": page, "Call": page["calls"][0], "CallDetails": details, "Replayed": replayed, "Erased": erased}
    for name, body in told.items():
        assert set(body) == set(schemas[name]["properties"]) == set(schemas[name]["required"]), name
