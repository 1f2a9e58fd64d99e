"""Results without a bet, and bets without a result."""

from __future__ import annotations

import pytest

from seamless_wallet.commands import Item, Kind
from tests.unit.backoffice.doubles import NOW_MS, fields, played, slug
from tests.unit.backoffice.test_calls import cancel, keep

HOUR_MS = 3_600_000


def orphan(transaction_id: str, received_ms: int = NOW_MS, **changes):
    """A result whose bet is not known."""
    given = {"event": "bet_result", "reason": "orphan", "transaction_id": transaction_id, "received_ms": received_ms}
    return cancel(**{**given, **changes})


async def orphans(office, query: str = "") -> list[dict]:
    """All on one page."""
    status, _, page = await office.call("GET", f"/v1/orphans?{query}")
    assert status == 200, page
    assert page["next_cursor"] is None
    return page["orphans"]


async def test_a_result_without_a_bet_is_told_once_with_its_tries(office):
    """By its newest call, with when it came first."""
    ids = await keep(office, orphan("w1"), orphan("w2", NOW_MS + 1), orphan("w1", NOW_MS + 2), cancel())
    found = await orphans(office)
    assert [(each["transaction_id"], each["tries"], each["call"]) for each in found] == [
        ("w1", 2, ids[0]),
        ("w2", 1, ids[1]),
    ]
    assert found[0]["first"] == "2026-01-01T00:00:00.123Z"
    assert found[0]["last"] == "2026-01-01T00:00:00.125Z"
    assert await orphans(office, "transaction_id=w2") == found[1:]
    assert await orphans(office, "game_no=x") == []


async def test_a_result_that_was_settled_since_is_none(office):
    """The ledger knows: also if the call that did it is not kept."""
    await keep(office, orphan("w1"), orphan("w2"))
    await office.create()
    await office.move("deposits", "10", "k1")
    office.ledger.post(played(Kind.BET, "b1", Item("1", "banker", 400)), -400, effects="+")
    office.ledger.post(played(Kind.RESULT, "w1", Item("1", "banker", 400, 300)), 700, effects="+")
    assert [each["transaction_id"] for each in await orphans(office)] == ["w2"]
    office.ledger.down = OSError()
    assert (await office.call("GET", "/v1/orphans"))[0] == 503


async def test_orphans_page_by_page(office):
    """A cursor as for calls."""
    await keep(office, *(orphan(f"w{number}", NOW_MS + number) for number in range(3)))
    _, _, page = await office.call("GET", "/v1/orphans?limit=2")
    assert [each["transaction_id"] for each in page["orphans"]] == ["w2", "w1"]
    assert [each["transaction_id"] for each in await orphans(office, f"cursor={page['next_cursor']}")] == ["w0"]
    assert fields((await office.call("GET", "/v1/orphans?failed=true"))[2]) == ["failed"]


async def test_rounds_that_are_open_for_long(office):
    """24 hours if nothing is said; those that were placed first in front."""
    await office.create()
    await office.move("deposits", "10", "k1")
    office.ledger.post(played(Kind.BET, "b1", Item("1", "banker", 400)), -400, effects="+")

    async def found(query: str = "") -> list[dict]:
        status, _, page = await office.call("GET", f"/v1/rounds/open?{query}")
        assert status == 200, page
        return page["rounds"]

    assert await found() == []
    office.clock.ms += 2 * HOUR_MS
    assert await found("hours=3") == []
    (round_,) = await found("hours=1")
    assert round_ == {
        "user_id": "ann",
        "currency": "KRW",
        "placed": "2026-01-01T00:00:00.123Z",
        "seq": 3,
        "provider": "dowinn",
        "game_no": "r1",
        "bets": [{"bet_index": "1", "state": "open", "stake": "4.00", "winloss": "0.00", "changes": 0}],
    }
    assert await found("hours=1&provider=x") == []
    assert await found("hours=1&cursor=3") == []


@pytest.mark.parametrize("query", ["hours=-1", "hours=1.5", "hours=9999999", "cursor=x", "limit=0", "who=ann"])
async def test_a_question_about_open_rounds_is_read_strictly(office, query):
    """And the field is named."""
    status, _, problem = await office.call("GET", f"/v1/rounds/open?{query}")
    assert (status, slug(problem), fields(problem)) == (400, "invalid-request", [query.partition("=")[0]])
