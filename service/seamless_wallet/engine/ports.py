"""What the engine needs of the way to Redis. `connection.py` has redis-py's; a simulation has one without sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import Any, NamedTuple, Protocol


class Message(NamedTuple):
    """What was published: on which channel, and its text."""

    channel: str
    text: str


class Connection(Protocol):
    """One open connection. Commands leave packed, replies come back in the order of the commands.

    After a SUBSCRIBE, what is published comes as a reply: `message`, channel, text.
    """

    def write(self, commands: Sequence[bytes]) -> None:
        """Hand over packed commands, which leave at once, on this connection or never: `read_replies` tells its end."""

    async def read_replies(self) -> Sequence[Any]:
        """The replies that have come, at least one, bytes undecoded; in place of an error reply a ResponseError.

        Raises RedisError or OSError at the end of the connection. A cancellation is its end, too.
        """

    async def close(self) -> None:
        """Close at once, without waiting for replies. Raises nothing."""


class RedisReads(Protocol):
    """Reads that are gathered, and leave together."""

    def hmget(self, name: str, keys: list[str], /) -> object:
        """Gather one: these fields of a hash; None for one that is not there."""

    def execute(self) -> Awaitable[Sequence[Any]]:
        """All replies, in order. Raises RedisError."""


class RedisReader(Protocol):
    """The reads of a client that decodes replies."""

    def pipeline(self, *, transaction: bool) -> RedisReads:
        """Begin to gather reads."""

    def scan_iter(self, *, match: str, count: int) -> AsyncIterator[str]:
        """Names of keys, in no order, one perhaps twice. Raises RedisError."""


class RedisAddress(Protocol):
    """Where Redis is reached. After a fail-over an address leads to another server."""

    async def connect(self) -> Connection:
        """A new connection, to whatever server is there now. Raises RedisError or OSError; it never tries again.

        It does not wait for ever for a server that accepts connections and then says nothing.
        """
