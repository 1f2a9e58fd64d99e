"""The admin API, served."""

from __future__ import annotations

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from seamless_wallet.backoffice import backoffice_app
from seamless_wallet.observability.process_counters import ProcessCounters
from tests.unit.backoffice.doubles import (
    SCALES,
    TOKEN,
    FakeClock,
    FakeHistory,
    FakeLedger,
    FakeRandomness,
    FakeWallet,
    Office,
)


@pytest.fixture
async def office():
    """The admin API, served, with nothing in its ledger."""
    ledger = FakeLedger()
    wallet = FakeWallet(ledger)
    clock = FakeClock()

    async def readiness() -> dict[str, str]:
        return await served.check()

    def build() -> web.Application:
        return backoffice_app(
            wallet=wallet,
            ledger=ledger,  # type: ignore[arg-type]
            history=FakeHistory(ledger),  # type: ignore[arg-type]
            account_sums=ledger,
            clock=clock,
            randomness=FakeRandomness(),
            scales=SCALES,
            token=TOKEN,
            readiness=readiness,
            exposition=ProcessCounters("admin").exposition,
        )

    async with TestClient(TestServer(build())) as client:
        served = Office(client, wallet, ledger, {"redis": "ok", "ledger": "ok"}, build, clock)
        yield served
