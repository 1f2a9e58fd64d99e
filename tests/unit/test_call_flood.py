"""Strangers flood the webhook: the disk gets a bounded sample of their calls, and every other one is counted."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from ipaddress import ip_network

from aiohttp.test_utils import TestClient, TestServer

from seamless_wallet.calls.record import decode_batch
from seamless_wallet.calls.recorder import Recorder
from seamless_wallet.calls.spool import Spool
from seamless_wallet.calls.strangers import A_SOURCE_MAX, ALL_MAX
from seamless_wallet.observability import metrics
from seamless_wallet.providers import build_provider
from seamless_wallet.webhook.endpoint import webhook_app
from tests.unit.test_call_records import HEADERS, KEY, SayingYes, SteppingClock, bet_text

FLOOD = 60
"""Calls of each kind, from one address, and the same from as many addresses."""

MINUTES = 2
IN_FLIGHT = 8


class MinuteClock(SteppingClock):
    """Of a minute that a test chooses."""

    minute = 0

    def now_ms(self) -> int:
        return 1_771_000_020_000 + self.minute * 60_000


def kinds() -> dict[str, tuple[str, dict[str, str], bytes]]:
    """Reason → path, headers and body of a call that gets R2 for it. Bodies are much larger than what may be kept."""
    return {
        "api_key": ("/webhook/dowinn", {**HEADERS, "Api-Key": "guess"}, b"A" * 4096),
        "api_id": ("/webhook/dowinn", {**HEADERS, "Api-Id": "guess" * 100}, b"A" * 4096),
        "undecryptable": ("/webhook/dowinn", HEADERS, b"A" * 4096),
        "no_provider": (f"/webhook/{'x' * 1000}", HEADERS, b"A" * 4096),
    }


async def test_a_flood_of_strangers_fills_no_disk_and_hides_nobody(tmp_path):
    """Of each kind, of one address and of many. What is kept and what is counted are all that came."""
    provider = build_provider(
        random_bytes=os.urandom, name="dowinn", api_id="agent7", api_key=KEY, currencies={"KRW": 2}
    )
    clock, spool = MinuteClock(), Spool(tmp_path / "calls", "a")
    recorder = Recorder(spool, clock.now_ms, clock.monotonic_s)
    app = webhook_app(
        {"dowinn": provider}, SayingYes(), body_bytes_max=2**20, clock=clock,
        trusted_proxies=(ip_network("127.0.0.0/8"),), recorder=recorder,
    )  # fmt: skip
    left_out = metrics.CALLS_DROPPED.labels("strangers")
    before, turns = left_out.value, asyncio.Semaphore(IN_FLIGHT)

    async def send(path: str, headers: dict[str, str], body: bytes, source: str) -> None:
        async with turns:
            response = await client.post(path, data=body, headers={**headers, "X-Forwarded-For": source})
            await response.read()

    async with TestClient(TestServer(app)) as client, recorder.running():
        for clock.minute in range(MINUTES):
            sources = ["192.0.2.1"] * FLOOD + [f"198.51.100.{number}" for number in range(FLOOD)]
            await asyncio.gather(*(send(*call, source) for source in sources for call in kinds().values()))
            await send("/webhook/dowinn", HEADERS, provider.seal(bet_text(), provider.keys[0]), "192.0.2.1")
    kept = [call for path in spool.batches() for call in decode_batch(path.read_bytes())]
    codes = Counter(call.code for call in kept)
    assert codes == {"R2": MINUTES * 2 * ALL_MAX, "R0": MINUTES}  # of strangers, and of who has the provider's key
    assert left_out.value - before + codes["R2"] == MINUTES * 2 * FLOOD * len(kinds())
    assert Counter(call.peer for call in kept if call.code == "R2")["192.0.2.1"] == MINUTES * 2 * A_SOURCE_MAX
    assert sum(path.stat().st_size for path in spool.batches()) < len(kept) * 1000
