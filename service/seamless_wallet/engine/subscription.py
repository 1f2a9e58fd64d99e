"""Listening to channels for ever, over as many connections as it takes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Final

import structlog
from redis.exceptions import RedisError

from seamless_wallet.engine.ports import Message, RedisAddress

RESUBSCRIBE_S: Final = 0.2
"""After a connection broke, before the next one."""

log = structlog.get_logger(__name__)


async def listen(address: RedisAddress, *channels: str) -> AsyncIterator[Message]:
    """Each message, for ever. What is published while the connection is broken is lost."""
    silent = False
    while True:
        try:
            async with aclosing(address.subscribe(*channels)) as messages:
                async for message in messages:
                    silent = False
                    yield message
        except (RedisError, OSError) as error:
            if not silent:
                log.info(
                    "subscription_lost",
                    error=str(error),
                    remedy="none: it subscribes again, and SQL is asked",
                )
            silent = True  # until there is a message again: one line says it
        await asyncio.sleep(RESUBSCRIBE_S)
