"""The ledger read back over HTTP."""

from __future__ import annotations

import pytest

from seamless_wallet.commands import Item, Kind
from tests.unit.backoffice.doubles import (
    fields,
    played,
    slug,
)


async def test_entries_tell_everything_and_page_from_the_newest(office):
    """Pages of two: every entry once, newest first, with legs that sum to zero."""
    await office.create()
    await office.create("bob")
    await office.move("deposits", "10", "k1")
    office.ledger.post(played(Kind.BET, "b1", Item("1", "banker", 400)), -400, effects="+")
    office.ledger.post(played(Kind.RESULT, "w1", Item("1", "banker", 400, 300)), 700, effects="+")
    office.ledger.post(played(Kind.CHANGE, "c1", Item("1", "banker", 400, -400, 300)), -1300, -0, effects="+")
    found, path = [], "/v1/players/ann/entries?limit=2"
    while True:
        _, _, page = await office.call("GET", path)
        found += page["entries"]
        if page["next_cursor"] is None:
            break
        path = f"/v1/players/ann/entries?limit=2&cursor={page['next_cursor']}"
    assert [entry["kind"] for entry in found] == ["change", "result", "bet", "deposit", "create"]
    assert [entry["seq"] for entry in found] == [6, 5, 4, 3, 1]
    assert found[1] == {
        "shard": 0,
        "epoch": 1,
        "seq": 5,
        "kind": "result",
        "provider": "dowinn",
        "transaction_id": "w1",
        "received": "2026-01-01T00:00:00.123Z",
        "timestamp": "2025-12-31T23:59:59.000Z",
        "balance_delta": "7.00",
        "debt_delta": "0.00",
        "balance": "13.00",
        "debt": "0.00",
        "version": 4,
        "legs": [
            {"account": "player", "amount": "7.00"},
            {"account": "debt", "amount": "0.00"},
            {"account": "house:dowinn", "amount": "-7.00"},
        ],
        "game_no": "r1",
        "items": [{"bet_index": "1", "bet_type": "banker", "effect": "applied", "amount": "4.00", "winloss": "3.00"}],
    }
    assert found[0]["items"][0]["winloss_before"] == "3.00"
    assert found[3]["legs"][2] == {"account": "cash", "amount": "-10.00"}
    assert "items" not in found[3]


async def later(office) -> None:
    """Ann's creation and two deposits, a minute apart."""
    await office.create()
    for key in ("k1", "k2"):
        office.clock.ms += 60_000
        await office.move("deposits", "10", key)


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ("from=2026-01-01T00:01:00Z", ["k2", "k1"]),
        ("from=2026-01-01T00:01:01Z&to=2026-01-02", ["k2"]),
        ("to=2026-01-01T00:02:00.123Z", ["k1", "«create»"]),
        ("to=2026-01-01T09:02:00.123%2B09:00&limit=1", ["k1"]),
        ("from=2027-01-01", []),
    ],
)
async def test_entries_of_a_time(office, query, keys):
    """From a moment on, before another one; a moment without a zone is in UTC"""
    await later(office)
    _, _, page = await office.call("GET", f"/v1/players/ann/entries?{query}")
    assert [entry["transaction_id"] for entry in page["entries"]] == keys


async def test_a_balance_of_a_time(office):
    """After the newest entry that had been received by then"""
    await later(office)
    path = "/v1/players/ann/balance?at="
    status, _, told = await office.call("GET", f"{path}2026-01-01T00:01:30Z")
    assert (status, told) == (
        200,
        {
            "user_id": "ann",
            "at": "2026-01-01T00:01:30.000Z",
            "currency": "KRW",
            "balance": "10.00",
            "debt": "0.00",
            "seq": 2,
            "received": "2026-01-01T00:01:00.123Z",
        },
    )
    assert (await office.call("GET", f"{path}2030-01-01"))[2]["balance"] == "20.00"
    assert (await office.call("GET", f"{path}2025-01-01"))[0] == 404
    assert (await office.call("GET", "/v1/players/bob/balance?at=2030-01-01"))[0] == 404


@pytest.mark.parametrize("query", ["", "at=", "at=soon", "at=2026-01-01&at=2026-01-02", "at=2026-01-01&limit=1"])
async def test_a_balance_needs_its_time(office, query):
    """400, never that of another time"""
    await office.create()
    status, _, problem = await office.call("GET", f"/v1/players/ann/balance?{query}")
    assert (status, problem["type"]) == (400, "urn:problem-type:invalid-request")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=soon", "from"),
        ("to=", "to"),
        ("from=2026-01-01&from=2026-01-02", "from"),
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=x", "limit"),
        ("limit=", "limit"),
        ("cursor=-1", "cursor"),
        ("cursor=", "cursor"),
        ("cursor=9999999999999999", "cursor"),
        ("page=2", "page"),
        ("limit=1&limit=2", "limit"),
    ],
)
async def test_a_wrong_page_is_400(office, query, field):
    """Limits, cursors and unknown parameters are named."""
    await office.create()
    status, _, body = await office.call("GET", f"/v1/players/ann/entries?{query}")
    assert (status, fields(body)) == (400, [field])


async def test_the_trial_balance_sums_every_kind_of_account(office):
    """By currency; the houses together and one by one; money that came from nowhere shows."""
    assert (await office.call("GET", "/v1/trial-balance"))[2] == {"currencies": {}, "balanced": True, "age_ms": 0}
    office.ledger.sums = {
        "KRW": {"player": 900, "debt": -100, "house:a": -300, "house:b": 500, "cash": -1000},
        "JPY": {"player": 5, "cash": -5},
    }
    _, _, body = await office.call("GET", "/v1/trial-balance")
    assert body["balanced"] is True
    assert body["currencies"]["KRW"] == {
        "player": "9.00",
        "debt": "-1.00",
        "house": "2.00",
        "houses": {"a": "-3.00", "b": "5.00"},
        "cash": "-10.00",
        "total": "0.00",
        "balanced": True,
    }
    office.ledger.sums["JPY"]["player"] = 6
    _, _, body = await office.call("GET", "/v1/trial-balance")
    assert (body["balanced"], body["currencies"]["JPY"]["total"]) == (False, "1")


async def test_a_currency_that_left_the_settings_is_told(office):
    """500 with what to do, instead of amounts in the wrong digits."""
    office.ledger.sums = {"USD": {"player": 1, "cash": -1}}
    status, _, body = await office.call("GET", "/v1/trial-balance")
    assert (status, slug(body)) == (500, "currency-not-configured")
    assert "USD" in body["detail"]
