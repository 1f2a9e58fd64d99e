"""A trial balance reads the whole ledger: however many ask, one is computed at a time, and nothing waits behind it."""

from __future__ import annotations

import asyncio

from tests.unit.backoffice.doubles import slug

SUMS = {"KRW": {"player": 1000, "cash": -1000}}


class SlowLedger:
    """Counts trial balances, and finishes each one when it is told to."""

    def __init__(self, office) -> None:
        self.started = asyncio.Event()
        self.count = 0
        self.finish = asyncio.Event()
        self.fault: Exception | None = None
        self._clock = office.clock
        self.costs_s = 0.0
        office.ledger.trial_balance = self.trial_balance

    async def trial_balance(self) -> dict[str, dict[str, int]]:
        self.started.set()
        self.count += 1
        await self.finish.wait()
        self._clock.seconds += self.costs_s
        if self.fault:
            raise self.fault
        return SUMS


async def test_twelve_at_once_read_the_ledger_once_while_everything_else_is_answered(office):
    """Who comes while one is computed gets that one. Readiness and a deposit do not wait for it."""
    slow = SlowLedger(office)
    await office.create()
    asked = [asyncio.create_task(office.call("GET", "/v1/trial-balance")) for _ in range(12)]
    await slow.started.wait()
    assert (await office.call("GET", "/readyz"))[0] == 200
    assert (await office.move("deposits", "1.00", "key"))[0] == 201
    slow.finish.set()
    answers = await asyncio.gather(*asked)
    assert {status for status, _, _ in answers} == {200}
    assert slow.count == 1


async def test_what_took_long_is_told_again_with_its_age(office):
    """For ten times as long as it took: so it costs at most a tenth of one processor. What was quick is read afresh."""
    slow = SlowLedger(office)
    slow.finish.set()
    slow.costs_s = 2.0
    assert (await office.call("GET", "/v1/trial-balance"))[2]["age_ms"] == 2000
    office.clock.seconds += 19.0
    assert (await office.call("GET", "/v1/trial-balance"))[2]["age_ms"] == 21_000
    assert slow.count == 1
    office.clock.seconds += 1.5
    slow.costs_s = 0.01
    assert (await office.call("GET", "/v1/trial-balance"))[2]["age_ms"] == 10
    assert (await office.call("GET", "/v1/trial-balance"))[2]["age_ms"] == 10
    assert slow.count == 3


async def test_one_that_fails_is_an_error_for_all_who_wait_and_is_not_kept(office):
    """The next request tries again."""
    slow = SlowLedger(office)
    slow.fault = OSError("disk")
    asked = [asyncio.create_task(office.call("GET", "/v1/trial-balance")) for _ in range(3)]
    await slow.started.wait()
    slow.finish.set()
    assert [(status, slug(body)) for status, _, body in await asyncio.gather(*asked)] == [(503, "unavailable")] * 3
    slow.fault = None
    assert (await office.call("GET", "/v1/trial-balance"))[0] == 200


async def test_a_client_that_goes_away_does_not_stop_it_for_the_others(office):
    """The computation belongs to all who wait for it."""
    slow = SlowLedger(office)
    impatient, patient = [asyncio.create_task(office.call("GET", "/v1/trial-balance")) for _ in range(2)]
    await slow.started.wait()
    impatient.cancel()
    await asyncio.gather(impatient, return_exceptions=True)
    slow.finish.set()
    assert (await patient)[0] == 200
    assert slow.count == 1
