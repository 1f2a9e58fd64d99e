"""Each answer of the admin API names its request."""

from __future__ import annotations

import re


async def test_the_callers_id_comes_back(office):
    """Whatever came of the request."""
    for path in ("/v1/players/ann", "/livez", "/nowhere"):
        _, headers, _ = await office.call("GET", path, headers={"X-Request-Id": "abc-1"})
        assert headers["X-Request-Id"] == "abc-1"


async def test_a_request_without_one_gets_one(office):
    """Each another."""
    ids = [(await office.call("GET", "/v1/players"))[1]["X-Request-Id"] for _ in range(2)]
    assert all(re.fullmatch("[0-9a-f]{16}", each) for each in ids)
    assert ids[0] != ids[1]
