"""Many players in one request: each is judged for itself, and an opening balance is there once."""

from __future__ import annotations

import pytest

from seamless_wallet.backoffice.imports import OPENING_ID
from seamless_wallet.commands import Answer, Code, Kind
from seamless_wallet.ledger.ports import Archived
from tests.unit.backoffice.doubles import FakeHistory, fields, slug


def player(user_id: str, balance: str = "5", currency: str = "KRW") -> dict[str, str]:
    """One player of a request."""
    return {"user_id": user_id, "currency": currency, "balance": balance}


async def outcomes(office, *players: dict[str, str]) -> list[tuple[str, str | None]]:
    """Outcome and problem of each."""
    status, _, body = await office.call("POST", "/v1/imports", {"players": list(players)})
    assert status == 200
    assert [result["user_id"] for result in body["results"]] == [each["user_id"] for each in players]
    return [(result["outcome"], result["problem"]) for result in body["results"]]


async def test_players_with_opening_balances(office):
    """Created and deposited by two commands each, in the order of the request; without a balance by one."""
    assert await outcomes(office, player("ann"), player("bob", "0")) == [("taken", None)] * 2
    assert (await office.call("GET", "/v1/players/ann"))[2]["balance"] == "5.00"
    deposits = [each for each in office.wallet.commands if each.kind is Kind.DEPOSIT]
    assert [(each.user_id, each.transaction_id, each.amount) for each in deposits] == [("ann", OPENING_ID, 500)]
    assert not OPENING_ID.isascii()  # no Idempotency-Key is equal to it


async def test_the_same_again_changes_nothing(office):
    """All are known. A player who had no opening balance may still get one."""
    await outcomes(office, player("ann"), player("bob", "0"))
    entries = len(office.ledger.all)
    assert await outcomes(office, player("ann"), player("bob", "0")) == [("known", None)] * 2
    assert len(office.ledger.all) == entries
    assert await outcomes(office, player("bob", "7")) == [("taken", None)]


async def test_another_opening_balance_is_refused_without_an_alarm(office):
    """Also from another file. The wallet is not even asked: it would tell the operator of an attack."""
    await outcomes(office, player("ann"))
    asked = len(office.wallet.commands)
    assert await outcomes(office, player("ann", "6")) == [("refused", "key-reused")]
    assert [each.kind for each in office.wallet.commands[asked:]] == [Kind.CREATE]


async def test_one_bad_player_concerns_no_other(office):
    """Each has a reason of its own."""
    await office.create("jay", "JPY")
    assert await outcomes(
        office,
        player("a"),
        player("b", currency="XXX"),
        player("c", "1.001"),
        player("d", "-1"),
        player(".."),
        player("x\n"),
        player("jay"),
        player("z"),
    ) == [("taken", None), *[("refused", "invalid-request")] * 5, ("refused", "player-exists"), ("taken", None)]


async def test_an_unknown_outcome_is_told_as_such(office):
    """Redis or the ledger was away: the same again tells."""
    office.wallet.answer = Answer(Code.R1, "deadline")
    assert await outcomes(office, player("ann")) == [("unknown", "outcome-unknown")]
    office.wallet.answer = None
    await office.create("bob")
    office.ledger.down = OSError()
    assert await outcomes(office, player("bob")) == [("unknown", "outcome-unknown")]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"players": []}, "players"),
        ({"players": [player("a")] * 401}, "players"),
        ({"players": [{"user_id": "a"}]}, "currency"),
        ({"players": [player("a") | {"x": "1"}]}, "x"),
        ({"players": [player("a") | {"balance": 5}]}, "balance"),
        ({"players": ["a"]}, "body"),
        ({}, "players"),
    ],
)
async def test_a_request_of_another_form_is_refused_as_a_whole(office, body, field):
    """And names the field."""
    status, _, problem = await office.call("POST", "/v1/imports", body)
    assert (status, slug(problem), fields(problem)) == (400, "invalid-request", [field])
    assert not office.wallet.commands


async def test_a_repeated_field_is_refused_wherever_it_stands(office):
    """The last one would count otherwise."""
    headers = {"Content-Type": "application/json"}
    raw = b'{"players": [{"user_id": "a", "currency": "KRW", "balance": "1", "balance": "2"}]}'
    status, _, problem = await office.call("POST", "/v1/imports", headers=headers, data=raw)
    assert (status, fields(problem)) == (400, ["body"])


async def test_an_opening_balance_that_is_archived_is_known(office, monkeypatch):
    """Its entry is in a file, but its mark is in the ledger for ever: the same file may be imported again."""
    await outcomes(office, player("ann"))
    entries = len(office.ledger.all)

    async def archived(*_: str) -> None:
        raise Archived("in january.zst")

    monkeypatch.setattr(FakeHistory, "event", archived)
    assert await outcomes(office, player("ann")) == [("known", None)]
    assert len(office.ledger.all) == entries
