"""Whether a process may do in Redis what the service does there.

A user who may not use channels, say, would get a process that starts, and answers each bet late. So every command is
tried out once, at the start, on keys and channels of the names that the service uses. Nothing of it stays. What only
scripts call, `wallet.self_test` tries.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Final

from redis.exceptions import NoPermissionError, ResponseError

from seamless_wallet.engine import keys
from seamless_wallet.engine.arguments import GateArgs
from seamless_wallet.engine.packing import packed
from seamless_wallet.engine.ports import Connection, RedisAddress
from seamless_wallet.engine.scripts import load_scripts
from seamless_wallet.engine.server import SECTIONS
from seamless_wallet.errors import WalletError

CHECK_LIMIT_S: Final = 5.0

NUMBERS: Final = 2**31
"""Of shards that do not exist, on which is tried."""

_EPOCH: Final = 1
_SCRIPT: Final = "return 1"
"""A script that nothing runs."""

_Words = tuple[str | int, ...]
"""Of a command."""


class MissingPermission(WalletError):
    """The user of this process may not do all that the service does in Redis. One line that says what is missing."""


async def check_permissions(address: RedisAddress, ledger_uuid: str, number: int) -> None:
    """Try every command that worker, admin and writer send. All have the same user, so each process tries all.

    `number` is a random one, from 0 to NUMBERS - 1: no two processes that try at the same time should have the same.
    Raises MissingPermission; RedisError or OSError if the server goes away or does not answer. Whatever else the server
    refuses, because it is full, say, is no question of permission.
    """
    async with asyncio.timeout(CHECK_LIMIT_S):
        connection = await address.connect()
        try:
            shard = -1 - number
            for command in _commands(shard, ledger_uuid):
                await _try(connection, command, replies=1)
            channels = _channels(ledger_uuid)
            await _try(connection, ("SUBSCRIBE", *channels), replies=len(channels))
            await _try(connection, ("PING",), replies=1)
        finally:
            await connection.close()


async def _try(connection: Connection, command: _Words, replies: int) -> None:
    connection.write([packed(*command)])
    while replies > 0:
        for reply in await connection.read_replies():
            if isinstance(reply, NoPermissionError):
                name = next((word for word in command if isinstance(word, str) and ":" in word), "")  # key or channel
                raise MissingPermission(
                    f"the Redis user of WALLET_REDIS_URL lacks a permission for {command[0]} {name}".rstrip()
                    + f": {reply}; give it all that `wallet docs operations` lists"
                )
            if isinstance(reply, ResponseError):
                return
            replies -= 1


def _commands(shard: int, ledger_uuid: str) -> Iterator[_Words]:
    head, stream, heartbeat = keys.head(shard), keys.stream(shard, _EPOCH), keys.heartbeat(shard)
    sha = load_scripts()["gate"].sha
    yield ("PING",)
    for section in (*SECTIONS, "memory"):
        yield "INFO", section
    yield "SCRIPT", "EXISTS", sha
    yield "SCRIPT", "LOAD", _SCRIPT
    yield "EVAL", _SCRIPT, 0
    yield "EVALSHA", sha, 2, head, stream, *GateArgs(_EPOCH, 0, "self-test", "", "", "")
    for name in (head, stream, keys.wallet(shard, _EPOCH, "x"), keys.round_(shard, _EPOCH, bytes(16))):
        yield "EXISTS", name
    yield "EXISTS", keys.events(shard, _EPOCH, "x", 0)
    yield "HGET", head, "epoch"
    yield "HMGET", head, "epoch", "seq"
    yield "XREAD", "COUNT", 1, "STREAMS", stream, "0"
    yield "XLEN", stream
    yield "UNLINK", head, stream
    yield "SCAN", 0, "MATCH", keys.epoch_pattern(shard), "COUNT", 1
    yield "SET", heartbeat, "", "NX", "PX", 1  # changes nothing if there is a heartbeat
    yield "GET", heartbeat
    for channel in _channels(ledger_uuid):
        yield "PUBLISH", channel, ""
    yield "PUBSUB", "NUMSUB", keys.committed_channel(ledger_uuid)


def _channels(ledger_uuid: str) -> tuple[str, ...]:
    """Of a ledger that does not exist, but for its name: nobody listens there, and nobody is taken for a listener."""
    nobody = f"{ledger_uuid}:try"
    return keys.recover_channel(nobody), keys.committed_channel(nobody)
