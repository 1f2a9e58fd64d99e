"""What a worker or admin process tries in Redis before it serves, once in its life."""

from __future__ import annotations

import asyncio
from typing import Final

from seamless_wallet.engine.permissions import NUMBERS, MissingPermission, check_permissions
from seamless_wallet.engine.pipeline import Pipeline
from seamless_wallet.engine.ports import RedisAddress
from seamless_wallet.ports import Randomness
from seamless_wallet.processes.event_loop import Unstartable
from seamless_wallet.wallet.self_test import SelfTestFailed, self_test, wait_for_scripts


class StartChecks:
    """The checks, and their outcome: `passed` is done when all have passed, or raises Unstartable."""

    def __init__(self, redis: RedisAddress, ledger_uuid: str, randomness: Randomness) -> None:
        self.passed: Final[asyncio.Future[None]] = asyncio.get_running_loop().create_future()
        self._redis = redis
        self._ledger_uuid = ledger_uuid
        self._randomness = randomness
        self._permitted = False

    async def permissions(self) -> bool:
        """Whether the user may do all that the service does, on whatever server. Raises RedisError or OSError."""
        if not self._permitted and not self.passed.done():
            try:
                await check_permissions(self._redis, self._ledger_uuid, self._randomness.below(NUMBERS))
            except MissingPermission as error:
                self._fail(str(error))
            else:
                self._permitted = True
        return self._permitted

    async def scripts(self, pipeline: Pipeline) -> bool:
        """Whether all scripts work on this server, which has to be the recorded one: the writer loads them there."""
        if not self.passed.done():
            await wait_for_scripts(pipeline)
            try:
                await self_test(pipeline, self._randomness)
            except SelfTestFailed as error:
                self._fail(f"{error}; check the server's version and the user's permissions")
            else:
                self.passed.set_result(None)
        return not self.passed.cancelled() and self.passed.exception() is None

    def _fail(self, line: str) -> None:
        if not self.passed.done():
            self.passed.set_exception(Unstartable(line))
