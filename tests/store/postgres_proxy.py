"""A socket in front of PostgreSQL that a test can hold or cut: what a client sends, or what it is answered."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Final, Self

from tests.guardian import guarded_directory

CHUNK_BYTES: Final = 65_536


class PostgresProxy:
    """Use it as a context manager. `url` is that of the ledger, by way of the proxy."""

    def __init__(self, socket_directory: Path) -> None:
        self._target = socket_directory / ".s.PGSQL.5432"
        self.directory = guarded_directory("pgp-")
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.bytes_left: int | None = None
        """How much of what clients send is still passed on; None: all."""
        self.answers = True
        """Whether answers are passed on. What is not is lost."""
        self.stopped = asyncio.Event()
        """Something was not passed on."""
        self._breaks = False

    def url(self, database_url: str) -> str:
        """The URL with this socket in it."""
        return f"{database_url.partition('?')[0]}?host={self.directory}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_unix_server(self._serve, self.directory / ".s.PGSQL.5432")
        return self

    async def __aexit__(self, *_: object) -> None:
        self.cut()
        assert self._server
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        shutil.rmtree(self.directory)

    def cut(self) -> None:
        """Every connection, at once."""
        for writer in self._writers:
            writer.transport.abort()

    def break_next(self, phase: str) -> None:
        """Cut every connection `before` anything more is passed on, `during` the next statement, or `after` it."""
        if phase == "before":
            self.cut()
            return
        self._breaks = True
        if phase == "during":
            self.bytes_left = 500
        else:
            self.answers = False

    def _stop(self) -> None:
        self.stopped.set()
        if self._breaks:
            self._breaks, self.bytes_left, self.answers = False, None, True
            self.cut()

    def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._connect(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, to = await asyncio.open_unix_connection(self._target)
        self._writers |= {writer, to}
        ways = [asyncio.ensure_future(self._ask(reader, to)), asyncio.ensure_future(self._answer(there, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for each in (writer, to):
                each.transport.abort()
            self._writers -= {writer, to}

    async def _ask(self, reader: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK_BYTES):
            if self.bytes_left is not None:
                passed, self.bytes_left = data[: self.bytes_left], max(0, self.bytes_left - len(data))
                if len(passed) < len(data):
                    self._stop()
                data = passed
            to.write(data)
            await to.drain()

    async def _answer(self, reader: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK_BYTES):
            if self.answers:
                to.write(data)
                await to.drain()
            else:
                self._stop()
