"""What no standby has is not told, however the server has come to show it."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import asynccontextmanager
from subprocess import CalledProcessError

import pytest

from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.stores.postgres import PostgresLedger, init, primary
from tests.integration.waiting import until
from tests.postgres_server import Postgres
from tests.store.absent_standby import WAITING, do_without_standby, require_standby
from tests.store.backends import PostgresBackend
from tests.store.books import CURRENCIES, Book


@pytest.fixture(scope="module")
def server(postgres_server):  # so that a machine without one skips
    """One that may crash."""
    with Postgres() as made:
        yield made


class Waiting:
    """A writer whose commit waits for a standby that is away, and who else reads."""

    def __init__(self, server: Postgres, name: str) -> None:
        self.server = server
        server.sql(f"CREATE DATABASE {name}")
        self.url = server.url(name)
        init(self.url, 2, CURRENCIES)
        self.backend = PostgresBackend(server, name)
        self.writer, self.reader, self.people = (
            PostgresLedger.open(self.url, replicated=replicated) for replicated in (True, True, False)
        )
        self.book = Book(0, 2)

    async def begin(self) -> None:
        await self.writer.take_over("n", range(2), 0)
        await self.writer.open_epoch(0, 0, 1, "run", "repl", "")
        self.book.create()
        await self.writer.commit([self.book.take()])
        for ledger in (self.writer, self.reader, self.people):
            await ledger.heads()
        await require_standby(self.server)
        self.entry = self.book.deposit(100)
        self.commit = asyncio.ensure_future(self.writer.commit([self.book.take()]))
        await until(self.waits, "the commit to wait")
        assert not await self.shows(self.reader)

    async def rows(self, sql):
        return await asyncio.to_thread(self.backend.rows, sql)

    async def waits(self):
        return await self.rows(WAITING) == [(1,)]

    async def shows(self, ledger):
        """Whether the event whose commit waits is there."""
        found = await ledger.find_events([(self.entry.user_id, self.entry.event_digest)])
        return bool(found.events)

    async def shown_to_people(self):
        try:
            return await self.shows(self.people)
        except StoreError:  # the server starts again
            return False


@asynccontextmanager
async def waiting(server, name):
    """Until the test ends."""
    world = Waiting(server, name)
    await world.begin()
    try:
        yield world
    finally:
        await until(lambda: can(do_without_standby(server)), "the server")
        await asyncio.gather(world.commit, return_exceptions=True)
        for ledger in (world.writer, world.reader, world.people):
            await ledger.close()


async def can(attempt):
    """Whether it succeeds."""
    try:
        await attempt
    except CalledProcessError:
        return False
    return True


async def test_what_a_crash_shows_is_told_only_when_a_standby_has_it(server, monkeypatch):
    """The kernel kills a process of the server: all connections break, and recovery makes what had waited visible"""
    monkeypatch.setattr(primary, "BARRIER_LIMIT_S", 0.3)
    async with waiting(server, "crash") as world:
        ((pid,),) = await world.rows(
            "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() LIMIT 1"
        )
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(StoreError):
            await world.commit
        await until(world.shown_to_people, "the recovery")
        for call in (lambda: world.shows(world.reader), world.reader.heads, world.writer.heads):
            with pytest.raises(StoreError, match="no standby has what the ledger"):
                await call()

        async def nobody_waits():
            return await world.rows(WAITING) == [(0,)]

        await until(nobody_waits, "the server to be told that nobody waits any more")
        await do_without_standby(server)
        assert await world.shows(world.reader)


async def test_a_commit_whose_wait_an_administrator_cancels_is_of_unknown_outcome(server, monkeypatch):
    """It returns as if all was well, and warns. Its writer tells nothing of it before it was sent again"""
    monkeypatch.setattr(primary, "BARRIER_LIMIT_S", 0.3)
    async with waiting(server, "cancel") as world:
        await world.rows("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
        with pytest.raises(StoreError, match="the server warns"):
            await world.commit
        assert await world.shown_to_people()
        with pytest.raises(StoreError, match="no standby has"):
            await world.writer.heads()
        with pytest.raises(StoreError, match="no standby has"):
            await world.writer.commit([world.book.entries[-1:]])
        await do_without_standby(server)
        await world.writer.commit([world.book.entries[-1:]])
        assert (await world.writer.heads())[0].seq == 2


async def test_a_role_may_have_limits_of_its_own(server):
    """They are not those of the service: a commit may take long, and reads what was committed last"""
    async with waiting(server, "limits") as world:
        await do_without_standby(server)
        await world.commit
        limits = {"statement_timeout": "5s", "lock_timeout": "5s", "transaction_timeout": "5s"}
        limits["default_transaction_isolation"] = "serializable"
        names = [name for (name,) in await world.rows("SELECT name FROM pg_settings") if name in limits]
        for name in names:
            await asyncio.to_thread(world.backend.alter, f"ALTER DATABASE limits SET {name} = '{limits[name]}'")

        async def ask(connection):
            return {name: await connection.fetchval(f"SHOW {name}") for name in names}

        found = await asyncio.to_thread(world.backend.run, ask)
        assert found.pop("default_transaction_isolation") == "read committed"
        assert set(found.values()) == {"0"}
