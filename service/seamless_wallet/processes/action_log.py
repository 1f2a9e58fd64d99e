"""The audit log of the admin process, and who forgets in it what the settings do not keep."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.observability.structlog_import import structlog
from seamless_wallet.ports import Clock
from seamless_wallet.settings import Settings
from seamless_wallet.stores.sqlite_actions import SqliteActions

FORGET_EVERY_S: Final = 3600.0
YEAR_MS: Final = 366 * 86_400_000

log = structlog.get_logger(__name__)


def open_action_log(settings: Settings) -> SqliteActions:
    """The audit log: enter it."""
    return SqliteActions(settings.audit_path)


@asynccontextmanager
async def kept_actions(settings: Settings, clock: Clock) -> AsyncIterator[SqliteActions]:
    """The audit log, of which the oldest part is deleted until the context ends."""
    async with open_action_log(settings) as actions:
        task = asyncio.create_task(_forget_for_ever(actions, settings.audit_years * YEAR_MS, clock))
        try:
            yield actions
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _forget_for_ever(actions: SqliteActions, keep_ms: int, clock: Clock) -> None:
    while True:
        try:
            while await actions.prune(max(0, clock.now_ms() - keep_ms)):
                pass
        except StoreError as error:
            log.warning("audit_log_not_pruned", error=str(error))
        await asyncio.sleep(FORGET_EVERY_S)
