"""One call for all who ask: it has a limit of its own, and its exception is never lost."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from structlog.testing import capture_logs

from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.wallet.shared_calls import SharedCalls
from tests.simulation.virtual_time import VirtualLoop

LIMIT_S = 10.0


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> list[Any]:
    """On a loop of virtual time. Fails if an exception is lost. What was logged."""
    lost: list[dict[str, Any]] = []
    with asyncio.Runner(loop_factory=VirtualLoop) as runner, capture_logs() as logs:
        runner.get_loop().set_exception_handler(lambda _, context: lost.append(context))
        runner.run(main())
        gc.collect()
    assert not lost
    return logs


class Slow:
    """Takes so long, and counts how often it was begun."""

    def __init__(self, takes_s: float, fault: Exception | None = None) -> None:
        self.takes_s = takes_s
        self.fault = fault
        self.begun = 0

    async def __call__(self) -> int:
        self.begun += 1
        await asyncio.sleep(self.takes_s)
        if self.fault:
            raise self.fault
        return self.begun


async def within(limit_s: float, job: Coroutine[Any, Any, int]) -> int:
    """A caller with a deadline."""
    async with asyncio.timeout(limit_s):
        return await job


def test_all_who_ask_meanwhile_share_one_call():
    """By key; later ones begin another."""

    async def main() -> None:
        calls: SharedCalls[str, int] = SharedCalls("load", LIMIT_S)
        ann, bob = Slow(1.0), Slow(1.0)
        assert [*await asyncio.gather(calls.join("ann", ann), calls.join("ann", ann))] == [1, 1]
        assert [*await asyncio.gather(calls.join("ann", ann), calls.join("bob", bob))] == [2, 1]
        assert not calls

    assert run(main) == []


def test_who_gives_up_leaves_the_call_to_the_others_and_to_the_next():
    """A call that takes longer than any deadline is there for the retry."""

    async def main() -> None:
        calls: SharedCalls[str, int] = SharedCalls("load", LIMIT_S)
        slow = Slow(3.0)
        with pytest.raises(TimeoutError):
            await within(2.0, calls.join("ann", slow))
        assert await within(2.0, calls.join("ann", slow)) == 1
        assert slow.begun == 1

    assert run(main) == []


def test_a_call_that_hangs_ends_at_its_limit():
    """Then the next one who asks begins anew."""

    async def main() -> None:
        calls: SharedCalls[str, int] = SharedCalls("load", LIMIT_S)
        slow = Slow(1000.0)
        for _ in range(5):
            with pytest.raises(TimeoutError):
                await within(2.0, calls.join("ann", slow))
        assert asyncio.get_running_loop().time() == pytest.approx(LIMIT_S, abs=0.01)
        await asyncio.sleep(0.01)
        assert not calls
        with pytest.raises(TimeoutError):
            await calls.join("ann", slow)  # the limit's own
        assert slow.begun == 2

    assert [log["event"] for log in run(main)] == ["abandoned_call_failed"]


@pytest.mark.parametrize("fault", [StoreError("the disk is gone"), ValueError("a bug")])
def test_whoever_waits_gets_the_exception(fault: Exception):
    """And so nothing is logged here."""

    async def main() -> None:
        calls: SharedCalls[str, int] = SharedCalls("load", LIMIT_S)
        slow = Slow(1.0, fault)
        got = await asyncio.gather(*(calls.join("ann", slow) for _ in range(52)), return_exceptions=True)
        assert got == [fault] * 52

    assert run(main) == []


@pytest.mark.parametrize("fault", [StoreError("the disk is gone"), ValueError("a bug")])
def test_an_exception_that_nobody_waits_for_is_logged(fault: Exception):
    """Once a second at the most."""

    async def main() -> None:
        calls: SharedCalls[int, int] = SharedCalls("load", LIMIT_S)
        slow = Slow(1.0, fault)
        jobs = (within(0.5, calls.join(number, slow)) for number in range(52))
        assert {type(got) for got in await asyncio.gather(*jobs, return_exceptions=True)} == {TimeoutError}
        await asyncio.sleep(1.0)

    [log] = run(main)
    assert log["event"] == "abandoned_call_failed"
    assert str(fault) in log["error"]


def test_closing_ends_all_calls():
    """Nothing is left to run, and nothing is logged."""

    async def main() -> None:
        calls: SharedCalls[str, int] = SharedCalls("load", LIMIT_S)
        with pytest.raises(TimeoutError):
            await within(0.5, calls.join("ann", Slow(1000.0)))
        await calls.close()
        assert not calls
        assert len(asyncio.all_tasks()) == 1

    assert run(main) == []
