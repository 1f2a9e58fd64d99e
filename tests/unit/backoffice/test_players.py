"""Players over HTTP: create, look up, block, and every user_id in a path."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given, settings
from hypothesis import strategies as st

from seamless_wallet.backoffice.handlers import CREATE_ID
from seamless_wallet.backoffice.requests import user_id_of
from seamless_wallet.commands import Answer, Code
from tests.unit.backoffice.doubles import (
    NOW_MS,
    fields,
    slug,
)


async def test_a_player_is_created_once_and_found(office):
    """201 with a Location, then 200 with the player as it is now, then 409 for another currency."""
    status, headers, body = await office.create()
    new = {"user_id": "ann", "currency": "KRW", "status": "active", "balance": "0.00", "debt": "0.00", "version": 1}
    assert (status, headers["Location"], body) == (201, "/v1/players/ann", new)
    await office.move("deposits", "1.50", "k1")
    status, headers, again = await office.create()
    assert (status, again["balance"], "Location" in headers) == (200, "1.50", False)
    assert (await office.call("GET", "/v1/players/ann"))[2] == again
    status, _, refused = await office.create("ann", "JPY")
    assert (status, slug(refused)) == (409, "player-exists")


async def test_creations_share_one_identity_that_no_key_can_take(office):
    """Two creations are one event; an Idempotency-Key equal to its id is not accepted."""
    await office.create()
    command = office.wallet.commands[0]
    assert (command.transaction_id, command.provider) == (CREATE_ID, "@back-office")
    assert (command.timestamp_ms, command.received_ms) == (NOW_MS, NOW_MS)
    assert (await office.move("deposits", "1", CREATE_ID))[0] == 400


async def test_a_creation_that_lost_a_race_against_another_currency_is_409(office):
    """The wallet's conflict on the one creation event is about the currency, not about a key."""
    office.wallet.answer = Answer(Code.R3, "conflict")
    status, _, body = await office.create()
    assert (status, slug(body)) == (409, "player-exists")


async def test_an_unknown_player_is_404_everywhere(office):
    """Reading, blocking and moving money alike."""
    replies = [
        await office.call("GET", "/v1/players/bob"),
        await office.call("GET", "/v1/players/bob/entries"),
        await office.call("PATCH", "/v1/players/bob", {"status": "blocked"}),
        await office.move("deposits", "1", "k", "bob"),
        await office.move("withdrawals", "1", "k", "bob"),
    ]
    assert {(status, slug(body)) for status, _, body in replies} == {(404, "unknown-player")}


@pytest.mark.parametrize(
    "user_id", ["a/b", "a%2Fb", "%FF", "{ann}", "안나", "a b+c?d#e", "..;", "é", "x" * 128, "a:b", "'\"\\"]
)
async def test_any_user_id_finds_its_way_through_the_path(office, user_id):
    """What was created under an id is found under the same id, percent-encoded, and under no other."""
    status, headers, body = await office.create(user_id)
    assert (status, body["user_id"]) == (201, user_id)
    assert (await office.call("GET", headers["Location"]))[2] == body
    assert (await office.move("deposits", "1", "k", user_id))[2]["user_id"] == user_id
    assert list(office.ledger.players) == [user_id]


@pytest.mark.parametrize("path", ["%00", "%0A", "%FF", "%ED%A0%80", "x" * 129, "%C2%85"])
async def test_a_path_that_is_no_user_id_is_400(office, path):
    """Control characters, bytes that are not UTF-8, encoded surrogates, over-long ids."""
    status, _, body = await office.call("GET", f"/v1/players/{path}")
    assert (status, fields(body)) == (400, ["user_id"])


@settings(deadline=None)  # the first request of a process is slow
@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20))
def test_every_id_survives_its_path(user_id):
    """Quoting into a path and reading from it are inverse."""
    request = make_mocked_request("GET", f"/v1/players/{quote(user_id, safe='')}/entries")
    assert user_id_of(request) == user_id


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"user_id": "", "currency": "KRW"}, "user_id"),
        ({"user_id": "x" * 129, "currency": "KRW"}, "user_id"),
        ({"user_id": "a\n", "currency": "KRW"}, "user_id"),
        ({"user_id": 7, "currency": "KRW"}, "user_id"),
        ({"user_id": "ann"}, "currency"),
        ({"user_id": "ann", "currency": "XXX"}, "currency"),
        ({"user_id": "ann", "currency": "KRW", "balance": "1"}, "balance"),
        (["ann"], "body"),
    ],
)
async def test_a_wrong_creation_is_400_and_names_the_field(office, body, field):
    """Nothing reaches the wallet."""
    status, _, problem = await office.call("POST", "/v1/players", body)
    assert (status, slug(problem), fields(problem)) == (400, "invalid-request", [field])
    assert office.wallet.commands == []


async def test_blocking_and_activating(office):
    """PATCH answers with the player; without a key each is an event of its own, with one it is not."""
    await office.create()
    for status_word in ("blocked", "active", "blocked"):
        status, _, body = await office.call("PATCH", "/v1/players/ann", {"status": status_word})
        assert (status, body["status"]) == (200, status_word)
    assert len({command.transaction_id for command in office.wallet.commands}) == 4
    for _ in range(2):
        assert (await office.call("PATCH", "/v1/players/ann", {"status": "active"}, key="k"))[0] == 200
    assert office.ledger.players["ann"].version == 5
    status, _, body = await office.call("PATCH", "/v1/players/ann", {"status": "gone"})
    assert (status, fields(body)) == (400, ["status"])
