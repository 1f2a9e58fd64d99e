"""The documents tell what is served."""

from __future__ import annotations

import json
import re
from pathlib import Path

from aiohttp import web

from seamless_wallet.backoffice.problems import Problem
from seamless_wallet.commands import Item, Kind
from tests.unit.backoffice.doubles import (
    played,
)
from tests.unit.backoffice.test_calls import cancel, keep

DOCS = Path(__file__).resolve().parents[3] / "docs"


def routes(app: web.Application) -> set[tuple[str, str]]:
    """Path and method of everything that is served."""
    found = set()
    for route in app.router.routes():
        assert route.resource is not None
        if route.method != "HEAD":
            found.add((re.sub(r":\[.*?\]\+", "", route.resource.canonical), route.method.lower()))
    return found


def test_the_document_tells_every_route_and_every_problem(office):
    """Neither one too many nor one too few."""
    text = (DOCS / "admin-api.md").read_text()
    documented = set(re.findall(r"^### `([A-Z]+) ([^`]+)`$", text, re.MULTILINE))
    assert {(path, method.lower()) for method, path in documented} == routes(office.client.app)
    assert set(re.findall(r"^\| (\d+) \| `([a-z-]+)` \|", text, re.MULTILINE)) == {
        (str(problem.status), problem.slug) for problem in Problem
    }


def test_the_openapi_document_tells_every_route(office):
    """Same paths and methods as the application; every reference leads somewhere."""
    text = (DOCS / "openapi.json").read_text()
    document = json.loads(text)
    assert {
        (path, method) for path, item in document["paths"].items() for method in item if method != "parameters"
    } == (routes(office.client.app))
    for reference in re.findall(r'"\$ref": "#/([^"]+)"', text):
        target = document
        for part in reference.split("/"):
            target = target[part]


async def test_the_openapi_document_names_just_the_fields_that_are_answered(office):
    """Each schema's properties are those of a real answer."""
    schemas = json.loads((DOCS / "openapi.json").read_text())["components"]["schemas"]

    def names(schema: str, *, required: bool = True) -> set[str]:
        return set(schemas[schema]["required"] if required else schemas[schema]["properties"])

    _, _, player = await office.create()
    assert set(player) == names("Player") == names("Player", required=False)
    _, _, movement = await office.move("deposits", "10", "k1")
    assert set(movement) == names("Movement") == names("Movement", required=False)
    office.ledger.post(played(Kind.BET, "b1", Item("1", "banker", 400)), -400, effects="+")
    office.ledger.post(played(Kind.RESULT, "w1", Item("1", "banker", 400, 300)), 700, effects="+")
    office.ledger.post(played(Kind.CHANGE, "c1", Item("1", "banker", 400, -400, 300)), -700, effects="+")
    await office.call("PATCH", "/v1/players/ann", {"status": "blocked"})
    _, _, page = await office.call("GET", "/v1/players/ann/entries")
    assert set(page) == names("Entries")
    entries = page["entries"]
    assert set.intersection(*map(set, entries)) == names("Entry")
    assert set.union(*map(set, entries)) == names("Entry", required=False)
    items = [item for entry in entries for item in entry.get("items", [])]
    assert set.intersection(*map(set, items)) == names("Item")
    assert set.union(*map(set, items)) == names("Item", required=False)
    _, _, balance = await office.call("GET", "/v1/players/ann/balance?at=2030-01-01")
    assert set(balance) == names("BalanceAt") == names("BalanceAt", required=False)
    _, _, listed = await office.call("GET", "/v1/players")
    assert set(listed) == names("Players") == names("Players", required=False)
    _, _, rounds = await office.call("GET", "/v1/players/ann/rounds")
    assert set(rounds) == names("Rounds") == names("Rounds", required=False)
    (round_,) = rounds["rounds"]
    assert set(round_) == names("Round") == names("Round", required=False)
    assert set(round_["bets"][0]) == names("Bet") == names("Bet", required=False)
    office.ledger.post(played(Kind.BET, "b2", Item("2", "banker", 100)), -100, effects="+")
    office.clock.ms += 25 * 3_600_000
    _, _, rounds = await office.call("GET", "/v1/rounds/open")
    assert set(rounds) == names("OpenRounds") == names("OpenRounds", required=False)
    assert set(rounds["rounds"][0]) == names("OpenRound") == names("OpenRound", required=False)
    await keep(office, cancel(reason="orphan", transaction_id="w9"))
    _, _, orphans = await office.call("GET", "/v1/orphans")
    assert set(orphans) == names("Orphans") == names("Orphans", required=False)
    assert set(orphans["orphans"][0]) == names("Orphan") == names("Orphan", required=False)
    _, _, imported = await office.call("POST", "/v1/imports", {"players": [{"user_id": "bob", "currency": "KRW"}]})
    assert set(imported) == names("Imported") == names("Imported", required=False)
    assert set(imported["results"][0]) == names("ImportedPlayer") == names("ImportedPlayer", required=False)
    _, _, balance = await office.call("GET", "/v1/trial-balance")
    assert set(balance) == names("TrialBalance")
    assert set(balance["currencies"]["KRW"]) == names("CurrencyBalance")
    _, _, problem = await office.call("POST", "/v1/players", {})
    assert set(problem) <= names("Problem", required=False)
