"""Liveness, readiness and metrics."""

from __future__ import annotations

import asyncio

from tests.unit.backoffice.doubles import (
    slug,
)


async def test_health_needs_no_token(office):
    """Live always; ready with its components; 503 with why not."""
    no_token = {"token": "none"}
    assert (await office.call("GET", "/livez", **no_token))[0] == 200
    status, _, body = await office.call("GET", "/readyz", **no_token)
    assert (status, body) == (200, {"status": "ok", "components": {"redis": "ok", "ledger": "ok"}})
    office.health["redis"] = "no connection"
    status, headers, body = await office.call("GET", "/readyz", **no_token)
    assert (status, slug(body), headers["Retry-After"]) == (503, "not-ready", "1")
    assert body["components"] == {"redis": "no connection", "ledger": "ok"}
    assert (await office.call("GET", "/livez", **no_token))[0] == 200


async def test_a_readiness_check_that_fails_or_hangs_is_not_ready(office, monkeypatch):
    """503 within the limit, never an error of its own."""

    async def fails():
        raise RuntimeError("secret detail")

    async def hangs():
        await asyncio.Event().wait()

    monkeypatch.setattr("seamless_wallet.backoffice.health.READINESS_LIMIT_S", 0.01)
    for check in (fails, hangs):
        office.check = check
        status, _, body = await office.call("GET", "/readyz")
        assert (status, list(body["components"])) == (503, ["readiness"])
        assert "secret" not in str(body)


async def test_metrics_are_rendered_for_prometheus(office):
    """Without a token, in the text format, with every declared metric."""
    async with office.client.get("/metrics") as reply:
        assert reply.status == 200
        assert reply.headers["Content-Type"].startswith("text/plain; version=")
        assert "# HELP wallet_unexpected_errors_total" in await reply.text()
