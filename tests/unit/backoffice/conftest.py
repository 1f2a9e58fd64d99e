"""The admin API, served."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from seamless_wallet.backoffice import backoffice_app
from seamless_wallet.calls.record import CallRecord
from seamless_wallet.calls.spool import Spool
from seamless_wallet.observability.process_counters import ProcessCounters
from seamless_wallet.processes.call_decoder import RecordedRequests
from seamless_wallet.providers import build_provider
from seamless_wallet.stores.sqlite_actions import SqliteActions
from seamless_wallet.stores.sqlite_calls import SqliteCalls
from tests.unit.backoffice.doubles import (
    HOLDERS,
    SCALES,
    FakeClock,
    FakeHistory,
    FakeLedger,
    FakeRandomness,
    FakeWallet,
    Office,
)


@pytest.fixture
async def office(tmp_path):
    """The admin API, served, with nothing in its ledger."""
    ledger = FakeLedger()
    wallet = FakeWallet(ledger)
    clock = FakeClock()
    spool = Spool(tmp_path / "calls", "a")
    actions = SqliteActions(tmp_path / "audit.db")
    calls = SqliteCalls(tmp_path / "calls.db", spool)
    provider = build_provider(
        random_bytes=os.urandom, name="dowinn", api_id="a", api_key="k" * 32, currencies={"KRW": 2}
    )
    recorded: list[CallRecord] = []

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
            holders=HOLDERS,
            readiness=readiness,
            exposition=ProcessCounters("admin").exposition,
            calls=calls,
            actions=actions,
            call_decoder=RecordedRequests({"dowinn": provider}, clock),
            recorder=SimpleNamespace(record=recorded.append),
        )

    async with calls, actions, TestClient(TestServer(build())) as client:
        served = Office(client, wallet, ledger, {"redis": "ok", "ledger": "ok"}, build, clock)
        served.calls, served.spool, served.recorded, served.actions = calls, spool, recorded, actions
        yield served
