"""Where the address of Redis leads: after a fail-over old connections may still be to the server before."""

from __future__ import annotations

import asyncio
from typing import Final

from redis.exceptions import RedisError

from seamless_wallet.engine.ports import RedisAddress
from seamless_wallet.engine.server import server_at
from seamless_wallet.writer.pipelines import Pipelines

PROBE_EVERY_S: Final = 1.0
"""How often the writer connects anew and compares."""


async def probe_for_ever(redis: RedisAddress, pipelines: Pipelines) -> None:
    """Leave the connections once the address leads to another server than they do."""
    while True:
        await asyncio.sleep(PROBE_EVERY_S)
        try:
            server = await server_at(redis)
        except (RedisError, OSError):
            continue  # nobody answers, or a replica: keep the connections
        if pipelines.commands.usable.is_set() and server != pipelines.commands.server:
            pipelines.drop()
