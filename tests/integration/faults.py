"""What a scenario puts between the wallet and its surroundings: a clock, a store and a socket that it can disturb."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from seamless_wallet.observability import metrics
from seamless_wallet.stores.ledger import Ledger


class ShiftedClock:
    """The machine's clock, moved by the test."""

    def __init__(self) -> None:
        self.shift_ms = 0

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self.shift_ms

    def monotonic_s(self) -> float:
        return time.monotonic()


class FaultyStore:
    """The writer's ledger, which a test can make fail, hold or count."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.before: Callable[[str], Awaitable[None] | None] = lambda _: None
        self.after: Callable[[str], Awaitable[None] | None] = lambda _: None

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._ledger, name)
        if not asyncio.iscoroutinefunction(found):
            return found

        async def call(*args: Any) -> Any:
            waiting = self.before(name)
            if waiting is not None:
                await waiting
            result = await found(*args)
            waiting = self.after(name)
            if waiting is not None:
                await waiting
            return result

        return call


class _Link:
    """One connection through a proxy."""

    def __init__(self) -> None:
        self.asked: set[bytes] = set()
        self.silent = False
        self.ended = False


class Proxy:
    """A unix socket in front of Redis that can hold, drop or cut."""

    def __init__(self, path: Path, target: Path) -> None:
        self.path = path
        self._target = target
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._links: list[_Link] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.forward_requests = True
        self.forward_replies = True
        self.delay_s = 0.0  # of replies
        self.on_request: Callable[[bytes], None] = lambda _: None

    @property
    def url(self) -> str:
        return f"unix://{self.path}"

    async def start(self) -> None:
        self._server = await asyncio.start_unix_server(self._accept, self.path)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server_reader, server_writer = await asyncio.open_unix_connection(self._target)
        except OSError:
            writer.close()
            return
        self._writers |= {writer, server_writer}
        link = _Link()
        self._links.append(link)
        for job in (
            self._pump(link, reader, server_writer, to_server=True),
            self._pump(link, server_reader, writer, to_server=False),
        ):
            task = asyncio.create_task(job)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(
        self, link: _Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, to_server: bool
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if to_server:
                    link.asked.update(data.split())
                    self.on_request(data)
                elif self.delay_s:
                    await asyncio.sleep(self.delay_s)
                if not link.silent and (self.forward_requests if to_server else self.forward_replies):
                    writer.write(data)
                    await writer.drain()
        link.ended = True
        writer.close()

    def silence(self, *commands: bytes) -> int:
        """Drop, from now on, all packets of the connections that have asked one of these. Nobody is told.

        How many there are.
        """
        found = [link for link in self._links if not (link.silent or link.ended) and link.asked.intersection(commands)]
        for link in found:
            link.silent = True
        return len(found)

    def cut(self) -> None:
        """Break every connection at once."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def heal(self) -> None:
        """Break what is there; new connections work."""
        self.cut()
        self.forward_requests = self.forward_replies = True

    async def close(self) -> None:
        self.cut()
        if self._server:
            self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def connection_errors(kind: str) -> float:
    """How many connections to Redis have ended so, in this process."""
    return metrics.REDIS_CONNECTION_ERRORS.labels(kind).value
