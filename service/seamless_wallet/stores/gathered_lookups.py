"""Look-ups of many callers in one snapshot: what is asked while a read is under way is read together after it.

A look-up costs a database less than the way to it: a change of threads, or of processes (LEDGER, rule 14).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

from seamless_wallet.commands import Command
from seamless_wallet.ledger.records import LedgerLookup

GATHERED_MAX: Final = 100
"""Look-ups of one snapshot. None of them has to wait for more."""


class AskedLookup(NamedTuple):
    """What a caller wants to know."""

    shard: int
    command: Command
    digest: bytes


ReadTogether = Callable[[Sequence[AskedLookup]], Awaitable[Sequence[LedgerLookup | Exception]]]
"""Answers all in one snapshot, in their order; an exception for what could not be read. Raises if nothing could."""


class GatheredLookups:
    """Asks for one snapshot at a time. Each began after all that it answers was asked."""

    def __init__(self, read: ReadTogether) -> None:
        self._read = read
        self._asked: list[tuple[AskedLookup, asyncio.Future[LedgerLookup]]] = []
        self._reading: asyncio.Task[None] | None = None

    async def look_up(self, asked: AskedLookup) -> LedgerLookup:
        """One of them. Raises what the read raises."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[LedgerLookup] = loop.create_future()
        self._asked.append((asked, answer))
        if self._reading is None:
            self._reading = loop.create_task(self._read_all())
        return await answer

    async def _read_all(self) -> None:
        try:
            while self._asked:
                await self._read_some()
        finally:
            self._reading = None
            for _, answer in self._asked:
                answer.cancel()
            self._asked = []

    async def _read_some(self) -> None:
        gathered, self._asked = self._asked[:GATHERED_MAX], self._asked[GATHERED_MAX:]
        waiting = [(asked, answer) for asked, answer in gathered if not answer.done()]  # others have given up
        found: Sequence[LedgerLookup | Exception]
        try:
            found = await self._read([asked for asked, _ in waiting])
        except Exception as error:  # noqa: BLE001 - raised in each who waits for it
            found = [error] * len(waiting)
        except BaseException:
            for _, answer in waiting:
                answer.cancel()
            raise
        for (_, answer), told in zip(waiting, found, strict=True):
            if answer.done():
                continue
            if isinstance(told, Exception):
                answer.set_exception(told)
            else:
                answer.set_result(told)
