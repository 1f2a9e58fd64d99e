"""Who may do what: every route for every role, and what a token that may not is told."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from seamless_wallet.access_roles import AccessRole
from seamless_wallet.observability import metrics
from tests.unit.backoffice.doubles import TOKENS, slug

DOCS = Path(__file__).resolve().parents[3] / "docs"
OPERATIONS = {
    (method.upper(), path): operation["security"]
    for path, item in json.loads((DOCS / "openapi.json").read_text())["paths"].items()
    for method, operation in item.items()
    if method != "parameters"
}


@pytest.mark.parametrize(("method", "path"), list(OPERATIONS))
async def test_every_route_is_for_the_role_that_the_document_names(office, method, path):
    """And for those above it. What is open needs no token."""
    url = path.replace("{user_id}", "ann").replace("{call_id}", "1")
    body: dict | None = {} if method in {"POST", "PATCH"} else None
    if not OPERATIONS[method, path]:
        assert (await office.client.get(url)).status == 200
        return
    ((least,),) = (security["token"] for security in OPERATIONS[method, path])
    for role, token in TOKENS.items():
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "k"}
        async with office.client.request(method, url, json=body, headers=headers) as reply:
            if role.includes(AccessRole(least)):
                assert reply.status not in {401, 403, 429, 500}, (role, await reply.text())
            else:
                told = await reply.json(content_type="application/problem+json")
                assert (reply.status, slug(told), told["role"]) == (403, "role-needed", least)
                assert least in told["detail"]
    assert (await office.call(method, url, body, token="wrong"))[0] == 401


def test_the_page_names_the_role_of_every_route(office):
    """In the table, as in the document for machines."""
    text = (DOCS / "admin-api.md").read_text()
    rows = re.findall(r"^\| `([A-Z]+) (/v1\S*)` \| `(\w+)` \|", text, re.MULTILINE)
    told = {(method, path): role for method, path, role in rows}
    assert told == {operation: security[0]["token"][0] for operation, security in OPERATIONS.items() if security}


async def test_a_role_that_is_not_enough_is_counted_and_no_wrong_token(office):
    """It does not slow its holder down."""
    before = metrics.BACKOFFICE_UNAUTHORIZED.labels("role").value
    for _ in range(30):
        assert (await office.call("GET", "/v1/audit", token=TOKENS[AccessRole.READ]))[0] == 403
    assert metrics.BACKOFFICE_UNAUTHORIZED.labels("role").value == before + 30
    assert (await office.call("GET", "/v1/players", token=TOKENS[AccessRole.READ]))[0] == 200
