"""A call ends at its deadline, wherever it waits, and leaves its task as it was."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from seamless_wallet.wallet.deadlines import Deadlines
from tests.simulation.virtual_time import VirtualLoop

LIMIT_S = 2.0


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """On a loop of virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main())


def now_s() -> float:
    """By the clock of the loop."""
    return asyncio.get_running_loop().time()


async def call(deadlines: Deadlines, *parts_s: float) -> float:
    """Waits for each part in turn. When it ended."""
    with deadlines.call():
        for part_s in parts_s:
            await asyncio.sleep(part_s)
    return now_s()


def test_each_call_ends_at_its_own_deadline():
    """Begun one after the other, with some that are done early in between; whatever they are made of."""

    async def main() -> None:
        deadlines = Deadlines(LIMIT_S)
        ended: dict[int, float] = {}

        async def late(number: int) -> None:
            with pytest.raises(TimeoutError):
                await call(deadlines, *[0.3] * 10)
            ended[number] = now_s()

        async with asyncio.TaskGroup() as group:
            for number in range(40):
                group.create_task(late(number))
                group.create_task(call(deadlines, 0.5, number / 30))
                await asyncio.sleep(0.1)
        assert ended == {number: pytest.approx(number / 10 + LIMIT_S, abs=0.01) for number in range(40)}
        assert not deadlines.open

    run(main)


def test_it_leaves_its_task_as_it_was():
    """After a call that was late the same task can go on, and have further calls."""

    async def main() -> None:
        deadlines = Deadlines(LIMIT_S)
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await call(deadlines, 60)
            task = asyncio.current_task()
            assert task
            assert task.cancelling() == 0
            assert await call(deadlines, 1.0) == now_s()

    run(main)


def test_a_cancellation_from_outside_stays_one():
    """Also one that comes at the same time as the deadline: who cancels must see the task end."""

    async def main() -> None:
        deadlines = Deadlines(LIMIT_S)
        for after_s in (0.5, LIMIT_S):
            task = asyncio.create_task(call(deadlines, 60))
            await asyncio.sleep(0)
            asyncio.get_running_loop().call_later(after_s, task.cancel)
            await asyncio.wait([task])
            assert task.cancelled()

    run(main)


def test_other_exceptions_pass():
    """They are no business of the deadline."""

    async def main() -> None:
        deadlines = Deadlines(LIMIT_S)
        with pytest.raises(ValueError, match="other"), deadlines.call():
            raise ValueError("other")
        assert not deadlines.open

    run(main)


def test_a_thousand_calls_take_one_timer(monkeypatch):
    """It is set again for the oldest call, once a limit at the most."""
    timers = 0

    async def main() -> None:
        nonlocal timers
        loop = asyncio.get_running_loop()
        call_at = loop.call_at

        def counted(when_s: float, callback: Callable[..., object], *args: Any, **more: Any) -> Any:
            nonlocal timers
            timers += "_end_overdue" in repr(callback)
            return call_at(when_s, callback, *args, **more)

        monkeypatch.setattr(loop, "call_at", counted)
        deadlines = Deadlines(LIMIT_S)
        async with asyncio.TaskGroup() as group:
            for _ in range(1000):
                group.create_task(call(deadlines, 0.05))
                await asyncio.sleep(0.01)

    run(main)
    assert 4 <= timers <= 7  # ten seconds
