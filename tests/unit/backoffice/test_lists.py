"""Players and rounds, page by page."""

from __future__ import annotations

import pytest

from seamless_wallet.commands import Item, Kind
from tests.unit.backoffice.doubles import played


async def test_players_by_id_page_by_page(office):
    """Each once, with its committed state"""
    for name in ("cat", "ann", "bob"):
        await office.create(name)
    status, _, page = await office.call("GET", "/v1/players?limit=2")
    assert status == 200
    assert [player["user_id"] for player in page["players"]] == ["ann", "bob"]
    assert page["next_cursor"] == "bob"
    _, _, page = await office.call("GET", "/v1/players?limit=2&cursor=bob")
    assert [player["user_id"] for player in page["players"]] == ["cat"]
    assert page["next_cursor"] is None
    assert page["players"][0] == (await office.call("GET", "/v1/players/cat"))[2]


async def test_players_by_what_they_are(office):
    """Prefix, status, debt"""
    for name in ("ann", "bob"):
        await office.create(name)
    await office.call("PATCH", "/v1/players/bob", {"status": "blocked"})
    for query, expected in (
        ("prefix=a", ["ann"]),
        ("status=blocked", ["bob"]),
        ("status=active&prefix=b", []),
        ("owing=true", []),
        ("owing=false", ["ann", "bob"]),
    ):
        _, _, page = await office.call("GET", f"/v1/players?{query}")
        assert [player["user_id"] for player in page["players"]] == expected


@pytest.mark.parametrize(
    "query",
    ["status=away", "owing=1", "limit=0", "x=1", "prefix=a&prefix=b", "prefix=%00", "cursor=", f"prefix={'a' * 129}"],
)
async def test_a_wrong_parameter_is_named(office, query):
    """400, never another list"""
    status, _, problem = await office.call("GET", f"/v1/players?{query}")
    assert (status, problem["type"]) == (400, "urn:problem-type:invalid-request")
    assert problem["errors"][0]["field"] == query.partition("=")[0]


async def test_rounds_of_a_player(office):
    """Newest first, each with its bets"""
    await office.create()
    await office.move("deposits", "10", "k1")
    office.ledger.post(played(Kind.BET, "b1", Item("1", "banker", 400)), -400, effects="+")
    office.ledger.post(played(Kind.BET, "b2", Item("2", "tie", 100)), -100, effects="+")
    office.ledger.post(played(Kind.RESULT, "w1", Item("1", "banker", 400, 300)), 700, effects="+")
    status, _, page = await office.call("GET", "/v1/players/ann/rounds")
    assert status == 200
    assert page["next_cursor"] is None
    (found,) = page["rounds"]
    assert (found["provider"], found["seq"], found["placed"]) == ("dowinn", 3, "2026-01-01T00:00:00.123Z")
    assert found["bets"] == [
        {"bet_index": "1", "state": "settled", "stake": "4.00", "winloss": "3.00", "changes": 0},
        {"bet_index": "2", "state": "open", "stake": "1.00", "winloss": "0.00", "changes": 0},
    ]
    assert (await office.call("GET", "/v1/players/bob/rounds"))[0] == 404
    assert (await office.call("GET", "/v1/players/ann/rounds?limit=x"))[0] == 400
