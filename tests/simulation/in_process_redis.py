"""A Redis in this process: fakeredis runs the real scripts at once, and a test stalls or replaces it."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any
from unittest import mock

import fakeredis
from hiredis import Reader
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError

from seamless_wallet.engine.ports import Message
from seamless_wallet.ports import Clock, Randomness

Reply = asyncio.Future[Any]

NO_LIMIT = b"0"
"""As BLOCK of an XREAD."""


@contextmanager
def redis_time(clock: Clock) -> Iterator[None]:
    """Meanwhile fakeredis goes by this clock: keys expire in virtual time."""
    replacement = SimpleNamespace(time=lambda: clock.now_ms() / 1000, monotonic=clock.monotonic_s)
    modules = [each for name, each in sys.modules.items() if name.startswith("fakeredis.")]
    with ExitStack() as stack:
        for module in modules:
            if getattr(module, "time", None) is time:
                stack.enter_context(mock.patch.object(module, "time", replacement))
        yield


class InProcessRedis:
    """A RedisAddress. Use it within `redis_time`."""

    def __init__(self, randomness: Randomness) -> None:
        self.stalled = False
        self.published: list[Message] = []
        self._randomness = randomness
        self._connections: list[InProcessConnection] = []
        self._waiting: list[tuple[list[bytes], Reply]] = []  # for the end of a stall, or for an entry
        self.replace()

    def replace(self) -> None:
        """Another server, which is empty, takes the place of this one. Every connection breaks."""
        self.server = fakeredis.FakeServer()
        self._client = fakeredis.FakeRedis(server=self.server, protocol=2)
        self._client.response_callbacks.clear()
        self._published = fakeredis.FakeRedis(server=self.server, protocol=2).pubsub(ignore_subscribe_messages=True)
        self._published.psubscribe("*")
        self._info = f"run_id:{self._randomness.token(20)}\r\nmaster_replid:{self._randomness.token(20)}\r\n"
        for _, reply in self._waiting:
            settle(reply, _gone())
        self._waiting.clear()
        for connection in self._connections:
            connection.end()
        self._connections.clear()

    def resume(self) -> None:
        """End a stall: all that was received is executed now, also for those who have given up."""
        self.stalled = False
        self._take_up()

    async def connect(self) -> InProcessConnection:
        self._connections.append(InProcessConnection(self))
        return self._connections[-1]

    def forget(self, connection: InProcessConnection) -> None:
        """It was closed by its owner."""
        if connection in self._connections:
            self._connections.remove(connection)

    def silence_subscriptions(self) -> None:
        """The packets of the present ones are dropped from now on, either way; nobody is told."""
        for connection in self._connections:
            connection.silent = connection.silent or bool(connection.channels)

    def dump(self) -> list[Any]:
        """All that it holds."""
        return [(name, self._client.dump(name)) for name in sorted(self._client.keys("*"))]

    def receive(self, command: list[bytes], reply: Reply) -> None:
        """Execute a command, unless it has to wait."""
        match command:
            case _ if self.stalled:
                self._waiting.append((command, reply))
            case [b"INFO", _]:
                settle(reply, f"{self._info}role:master\r\nmaxmemory_policy:noeviction\r\n".encode())
            case [b"PUBLISH", channel, _]:
                self._execute(command)
                settle(reply, self._listeners(channel.decode()))
            case [b"PUBSUB", b"NUMSUB", channel]:
                settle(reply, [channel, self._listeners(channel.decode())])
            case [b"XREAD", b"COUNT", _, b"BLOCK", ms, *streams]:
                found = self._execute([*command[:3], *streams])
                if found:
                    settle(reply, found)
                elif not reply.done():
                    self._waiting.append(([*command[:4], NO_LIMIT, *streams], reply))
                    if ms != NO_LIMIT:  # else its timer runs already
                        asyncio.get_running_loop().call_later(int(ms) / 1000, settle, reply, None)
            case _:
                settle(reply, self._execute(command))
                self._take_up()

    def _take_up(self) -> None:
        waiting, self._waiting = self._waiting, []
        for command, reply in waiting:
            self.receive(command, reply)

    def _execute(self, command: Sequence[bytes]) -> Any:
        try:
            reply = self._client.execute_command(*command)
        except RedisError as error:
            reply = error
        self._deliver()
        return reply

    def _deliver(self) -> None:
        """What was published meanwhile, by a script too."""
        while message := self._published.get_message():
            channel, text = message["channel"], message["data"]
            self.published.append(Message(channel.decode(), text.decode()))
            for connection in self._connections:
                if channel.decode() in connection.channels:
                    connection.push([b"message", channel, text])

    def _listeners(self, channel: str) -> int:
        return sum(channel in connection.channels for connection in self._connections)


class InProcessConnection:
    """A Connection. Replies come in the order of their commands."""

    def __init__(self, redis: InProcessRedis) -> None:
        self._redis = redis
        self._parser = Reader()
        self._replies: asyncio.Queue[Reply] = asyncio.Queue()
        self._broken = False
        self.channels: list[str] = []
        self.silent = False

    def write(self, commands: Sequence[bytes]) -> None:
        if self._broken:
            return
        for packed in commands:
            self._parser.feed(packed)
            command = self._parser.gets()
            if self.silent:
                continue
            if command[0] == b"SUBSCRIBE":
                self.channels = [name.decode() for name in command[1:]]
                for number, name in enumerate(command[1:], 1):
                    self.push([b"subscribe", name, b"%d" % number])
            elif command == [b"PING"] and self.channels:
                self.push([b"pong", b""])
            else:
                self._redis.receive(command, self._expect())

    def push(self, reply: list[bytes]) -> None:
        """A reply that no command waits for."""
        if not self.silent:
            settle(self._expect(), reply)

    def _expect(self) -> Reply:
        reply: Reply = asyncio.get_running_loop().create_future()
        self._replies.put_nowait(reply)
        return reply

    async def read_replies(self) -> list[Any]:
        reply = await (await self._replies.get())
        if isinstance(reply, Exception) and not isinstance(reply, ResponseError):
            raise reply
        return [reply]

    def end(self) -> None:
        """The server is gone, and whoever reads learns it."""
        self._broken = True
        settle(self._expect(), _gone())

    async def close(self) -> None:
        self._broken = True
        self._redis.forget(self)


def settle(reply: Reply, value: object) -> None:
    """Unless whoever waited has given up."""
    if not reply.done():
        reply.set_result(value)


def _gone() -> RedisConnectionError:
    return RedisConnectionError("the server is gone")
