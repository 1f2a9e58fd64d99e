"""Which Redis server this is. SQL keeps, for every epoch, the server on which it runs."""

from __future__ import annotations

import asyncio
from typing import Any, Final, NamedTuple

from redis.exceptions import ReadOnlyError, ResponseError

from seamless_wallet.engine.packing import packed
from seamless_wallet.engine.ports import RedisAddress

ANSWER_LIMIT_S: Final = 2.0
"""How long a server may take to be connected to and to say who it is."""

SECTIONS: Final = ("server", "replication")
"""Of INFO: they have the two ids and the role."""


class Server(NamedTuple):
    """Identity of a Redis server. A fail-over changes the replication id, a restart both."""

    run_id: str
    replid: str


def parse_server(*info: bytes) -> Server:
    """From the SECTIONS of INFO. Raises ReadOnlyError for a replica."""
    text = b"\r\n".join(info).decode()
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    if fields["role"] != "master":
        raise ReadOnlyError("the server is a replica")
    return Server(fields["run_id"], fields["master_replid"])


async def server_at(address: RedisAddress) -> Server:
    """Where the address leads a new connection, now. Raises RedisError or OSError."""
    async with asyncio.timeout(ANSWER_LIMIT_S):
        connection = await address.connect()
        try:
            connection.write([packed("INFO", section) for section in SECTIONS])
            replies: list[Any] = []
            while len(replies) < len(SECTIONS):
                replies += await connection.read_replies()
            for refused in (reply for reply in replies if isinstance(reply, ResponseError)):
                raise refused
            return parse_server(*replies)
        finally:
            await connection.close()
