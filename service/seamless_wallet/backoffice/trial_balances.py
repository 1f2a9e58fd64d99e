"""The trial balance, which reads the whole ledger: one is computed at a time, and a costly one is told again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from seamless_wallet.backoffice.responses import json_response, trial_balance_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

    from seamless_wallet.backoffice.responses import Scales
    from seamless_wallet.ports import Clock

QUICK_S: Final = 0.25
"""What took less is computed afresh for every request that comes after it."""

REST_FACTOR: Final = 10
"""What took longer is told for so many times as long as it took: however many ask, it costs a tenth of a processor."""


class AccountSums(Protocol):
    """Where the sums come from: a reader of the ledger behind which nothing else waits."""

    async def trial_balance(self) -> Mapping[str, Mapping[str, int]]:
        """Currency → account → sum in minor units."""


class Computed(NamedTuple):
    """A trial balance. The clock is the monotonic one."""

    sums: Mapping[str, Mapping[str, int]]
    begun_s: float
    ended_s: float

    def is_fresh(self, now_s: float) -> bool:
        """Whether it may still be told."""
        took_s = self.ended_s - self.begun_s
        return took_s >= QUICK_S and now_s < self.ended_s + REST_FACTOR * took_s


class TrialBalances:
    """The handler of `/v1/trial-balance`."""

    def __init__(self, account_sums: AccountSums, clock: Clock, scales: Scales) -> None:
        self._account_sums = account_sums
        self._clock = clock
        self._scales = scales
        self._latest: Computed | None = None
        self._computing: asyncio.Task[Computed] | None = None

    async def show(self, _: web.Request) -> web.Response:
        """`GET /v1/trial-balance`: the sums of all accounts, and since when they are true."""
        computed = await self._current()
        age_ms = round((self._clock.monotonic_s() - computed.begun_s) * 1000)
        return json_response(trial_balance_json(computed.sums, self._scales) | {"age_ms": age_ms})

    async def _current(self) -> Computed:
        """The latest one, if it may still be told. Else the one that is being computed, or a new one."""
        if self._latest is not None and self._latest.is_fresh(self._clock.monotonic_s()):
            return self._latest
        if self._computing is None or self._computing.done():
            self._computing = asyncio.create_task(self._compute())
            self._computing.add_done_callback(_retrieve)  # all who waited for it may have gone
        return await asyncio.shield(self._computing)

    async def _compute(self) -> Computed:
        begun_s = self._clock.monotonic_s()
        sums = await self._account_sums.trial_balance()
        self._latest = Computed(sums, begun_s, self._clock.monotonic_s())
        return self._latest


def _retrieve(computing: asyncio.Task[Computed]) -> None:
    """Have asyncio know that nobody forgot the task's exception."""
    if not computing.cancelled():
        computing.exception()
