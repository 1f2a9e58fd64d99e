"""What is PostgreSQL's own: one statement a commit, what a server must be, roles, partitions."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from pathlib import Path

import asyncpg
import pytest
from structlog.testing import capture_logs

from seamless_wallet.commands import shard_of
from seamless_wallet.ledger.conflicts import Displaced, EpochMoved
from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.stores.postgres import PostgresLedger, connections, primary
from seamless_wallet.stores.postgres.sql import READ_SQL, VERIFY_SQL, WRITE_SQL
from tests.entries import forged
from tests.integration.waiting import until
from tests.store.books import Book
from tests.store.postgres_proxy import PostgresProxy

BACKENDS = ("postgres",)
ROOT = Path(__file__).parents[2]


def test_every_statement_can_be_prepared(backend):
    """On the tables as they are"""

    async def prepare(connection):
        for statement in (*READ_SQL.values(), *WRITE_SQL.values(), *VERIFY_SQL.values()):
            await connection.prepare(statement)

    backend.run(prepare)


@pytest.mark.parametrize("sql", ["UPDATE entry SET kind = 'x'", "DELETE FROM entry", "TRUNCATE entry"])
async def test_entries_are_append_only(backend, store, book, sql):
    """Even for whoever owns the tables"""
    await store.commit([book.take()])

    async def change(connection):
        with pytest.raises(asyncpg.RaiseError, match="append-only"):
            await connection.execute(sql)

    await asyncio.to_thread(backend.run, change)


async def test_a_commit_is_on_disk_whatever_a_role_says(backend, store, book):
    """A default of the database, or of a role, that turns waiting off is turned on again in the transaction"""

    async def turn_off(connection):
        name = await connection.fetchval("SELECT current_database()")
        await connection.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')

    backend.run(turn_off)
    async with backend.open() as relaxed:
        await relaxed.take_over("relaxed", range(2), 0)
        await relaxed.commit([book.take()])

        async def written(connection):
            assert await connection.fetchval("SHOW synchronous_commit") == "off"
            await connection.execute("BEGIN")
            await connection.execute("SELECT ledger.commit_durably()")
            turned_on = await connection.fetchval("SHOW synchronous_commit")
            await connection.execute("ROLLBACK")
            return turned_on

        assert backend.run(written) == "on"


async def test_a_writer_that_stops_in_the_middle_holds_no_lock(backend, store, book, other):
    """Of its statement only a part has arrived: another writer takes over, and commits, as if there was nothing"""
    async with PostgresProxy(backend.server.socket_directory) as proxy:
        frozen = PostgresLedger.open(backend.url)
        frozen._connections._url = proxy.url(backend.url)
        await frozen.take_over("frozen", range(2), 0)
        await frozen.commit([book.take()])
        book.bet("g1", a=5)
        proxy.bytes_left = 300
        commit = asyncio.ensure_future(frozen.commit([[book.entries[-1]]]))
        await proxy.stopped.wait()
        await store.take_over("next", range(2), 0)
        await asyncio.wait_for(store.commit([book.take(), other.take()]), 10)
        proxy.cut()
        with pytest.raises(StoreError):
            await commit
        await frozen.close()
    assert [head.seq for head in await store.heads()] == [3, 2]


async def test_a_commit_whose_answer_is_lost_is_recognised(backend, store, book):
    """It was committed. Sent again it is confirmed, after a statement that has come back"""
    async with PostgresProxy(backend.server.socket_directory) as proxy:
        writer = PostgresLedger.open(backend.url)
        writer._connections._url = proxy.url(backend.url)
        await writer.take_over("cut", range(2), 0)
        await writer.commit([book.take()])
        book.deposit(1)
        proxy.answers = False
        commit = asyncio.ensure_future(writer.commit([book.take()]))

        async def committed():
            return (await store.heads())[0].seq == len(book.entries)

        await until(committed, "the commit")
        proxy.cut()
        with pytest.raises(StoreError):
            await commit
        proxy.answers = True
        ((before,),) = backend.rows("SELECT xmin::text FROM shard WHERE shard = 0")
        await writer.commit([book.entries])
        ((after,),) = backend.rows("SELECT xmin::text FROM shard WHERE shard = 0")
        assert before != after, "what stands there may still wait for a standby: a later commit has to have come back"
        book.deposit(1)
        await writer.commit([book.take()])
        await writer.close()
    assert [finding async for finding in store.verify()] == []


async def test_a_connection_that_was_ended_is_replaced(backend, store, book):
    """Reads notice nothing; a commit is of unknown outcome, and succeeds when it is sent again"""
    await store.commit([book.take()])
    end_all = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname IS NOT NULL"
    )

    for _ in range(3):
        await store.heads()
        backend.rows(end_all)
        assert (await store.heads())[0].seq == len(book.entries)
        book.deposit(5)
        backend.rows(end_all)
        try:
            await store.commit([book.entries])
        except StoreError:
            await store.commit([book.entries])


@pytest.mark.parametrize("read", ["lookup", "heads", "registered_scripts"])
async def test_a_connection_that_is_dead_stops_nobody(backend, store, book, monkeypatch, read):
    """A firewall has forgotten it: what is sent is never answered. Another one is used soon, also by who comes next"""
    monkeypatch.setattr(connections, "STATEMENT_LIMIT_S", 0.2)
    await store.commit([book.take()])
    entry = book.entries[-1]
    async with PostgresProxy(backend.server.socket_directory) as proxy:
        reader = PostgresLedger.open(backend.url)
        reader._connections._url = proxy.url(backend.url)
        calls = {
            "lookup": lambda: reader.lookup(0, entry.command, entry.event_digest),
            "heads": reader.heads,
            "registered_scripts": reader.registered_scripts,
        }
        await calls[read]()
        proxy.answers = False
        waiting = [asyncio.ensure_future(calls[read]())]
        await proxy.stopped.wait()
        proxy.answers = True
        waiting.append(asyncio.ensure_future(calls[read]()))
        await asyncio.wait_for(asyncio.gather(*waiting), 20)
        await reader.close()


async def test_a_server_that_falls_silent_while_it_is_connected_to(backend, monkeypatch):
    """Whatever it was asked last: connecting ends"""

    async def never(*_):
        await asyncio.Event().wait()

    monkeypatch.setattr(primary, "CONNECT_LIMIT_S", 0.2)
    monkeypatch.setattr(primary, "_check_server", never)
    with pytest.raises(StoreError, match="failed: TimeoutError"):
        await asyncio.wait_for(primary.connect(backend.url), 20)


async def test_the_months_of_a_shard_never_go_back(backend, store, book):
    """A clock that is set back leaves entries in the month of the one before; other shards are not touched"""
    backend.tamper("UPDATE shard SET month = date_trunc('month', now()) + interval '1 month' WHERE shard = 0")
    await store.commit([book.take()])
    other = Book(1, 2)
    other.create()
    await store.commit([other.take()])
    months = backend.rows("SELECT DISTINCT id % 2, month - date_trunc('month', now())::date > 20 FROM entry ORDER BY 1")
    assert months == [(0, True), (1, False)]


def drop_months(backend):
    """As if nobody had made them."""
    for table in months(backend):
        backend.alter(f"DROP TABLE {table}")


async def test_a_missing_month_is_made_by_who_misses_it(backend, store, book):
    """It is no entry's fault: nothing is refused, nothing is void, and the next attempt succeeds"""
    drop_months(backend)
    with pytest.raises(StoreError, match="no table for this month"):
        await store.commit([book.entries])
    await store.commit([book.entries])
    assert [finding async for finding in store.verify()] == []


async def test_the_next_months_cannot_be_made(backend, store, book):
    """What was committed is committed; it is tried again later"""
    backend.alter("ALTER FUNCTION ledger.add_months RENAME TO gone")
    with capture_logs() as logs:
        await store.commit([book.take()])
        book.deposit(1)
        await store.commit([book.take()])
    assert [line["event"] for line in logs] == ["months_not_prepared"]
    backend.alter("ALTER FUNCTION ledger.gone RENAME TO add_months")
    drop_months_after_this_one(backend)
    store._writer.prepare_after_s = 0.0
    book.deposit(1)
    await store.commit([book.take()])
    assert len(months(backend)) == 3


def months(backend):
    """The tables there are."""
    return [
        name
        for (name,) in backend.rows(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'ledger.entry'::regclass ORDER BY 1"
        )
    ]


def drop_months_after_this_one(backend):
    """They are still empty."""
    for table in months(backend)[1:]:
        backend.alter(f"DROP TABLE {table}")


async def test_a_clock_that_is_far_ahead_makes_no_month(backend, store, book):
    """Its months would be those of all entries to come. After a rest that was so long the owner says so"""
    await store.commit([book.take()])
    backend.tamper("UPDATE shard SET month = date_trunc('month', now()) - interval '3 months'")
    backend.tamper("DELETE FROM entry")
    drop_months(backend)
    deposit = book.deposit(5)
    for _ in range(2):
        with pytest.raises(
            StoreError, match=r"the server's clock says .*: set the clock; .*`wallet init` as the owner"
        ):
            await store.commit([[deposit]])
    backend.init()
    await store.commit([[deposit]])


async def test_what_a_role_may_not_is_a_fault_of_the_store(backend, store, book):
    """Neither a refusal nor an epoch"""
    backend.alter("ALTER FUNCTION ledger.commit_durably() RENAME TO gone")
    with pytest.raises(StoreError, match="commit_durably"):
        await store.commit([book.entries])
    backend.alter("ALTER FUNCTION ledger.gone() RENAME TO commit_durably")
    await store.commit([book.entries])


async def test_two_writers_in_opposite_order(backend, store, book, other):
    """Each commits both shards as long as it may. Nobody waits for a deadlock to be found"""
    await store.commit([book.take(), other.take()])
    async with backend.open() as second:
        for turn in range(10):
            for number, writer in enumerate((store, second)):
                await writer.take_over(f"{number}-{turn}", range(2), 0)
                for each in (book, other):
                    each.deposit(1)
                first, then = (book, other) if number else (other, book)
                await writer.commit([first.take(), then.take()])
    ((deadlocks,),) = backend.rows("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    assert deadlocks == 0
    assert [finding async for finding in store.verify()] == []


async def test_two_writers_at_once_in_opposite_order(backend, store, book, other):
    """One is displaced while it commits. It stores all or nothing, and neither waits for a deadlock to be found"""
    await store.commit([book.take(), other.take()])
    async with backend.open() as second:
        writers = [store, second]
        for turn in range(20):
            first, next_ = writers
            for each in (book, other):
                each.deposit(1)
            entries = book.entries[-1:], other.entries[-1:]
            taking = next_.take_over(f"n{turn}", range(2), 0)
            crossed = await asyncio.gather(first.commit(entries), taking, return_exceptions=True)
            assert crossed[0] is None or isinstance(crossed[0], Displaced), crossed
            both = await asyncio.gather(first.commit(entries), next_.commit(entries[::-1]), return_exceptions=True)
            assert isinstance(both[0], Displaced), both
            assert both[1] is None, both
            writers.reverse()
    ((deadlocks,),) = backend.rows("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    assert deadlocks == 0
    assert [finding async for finding in store.verify()] == []


async def test_a_text_with_a_nul_is_refused_and_kept_as_void(backend, store, book):
    """PostgreSQL has no such text; the payload of a void entry is bytes"""
    await store.commit([book.take()])
    odd = book.deposit(5, transaction_id="with\0nul")
    refused = (await refusals(store, [odd]))[0]
    assert refused.seq == odd.seq
    odd.void = refused.cause
    await store.commit([[odd]])
    assert [finding async for finding in store.verify()] == []


LONG = "".join(sha256(str(n).encode()).hexdigest() for n in range(100))
"""It cannot be packed."""


@pytest.mark.parametrize("name", ["a\0b", LONG], ids=["NUL", "too long"])
@pytest.mark.parametrize("of", ["a bet", "a player"])
async def test_a_name_that_no_index_holds_is_refused_and_kept_as_void(backend, store, book, name, of):
    """Only who writes to Redis can make it. Its shard goes on"""
    await store.commit([book.take()])
    before = book.copy()
    player = next(text for text in (f"{name}{n}" for n in range(100)) if shard_of(text, 2) == 0)
    odd = book.bet("g", **{name: 5}) if of == "a bet" else book.create(player)
    (refused,) = await refusals(store, [odd])
    assert (refused.seq, refused.cause) == (odd.seq, "unstorable")
    odd.void = refused.cause
    if of == "a player":  # as the writer reads its name
        odd = forged(odd, user_id=odd.user_id.replace("\0", "\\x00"))
        odd.void = refused.cause
    await store.commit([[odd]])
    assert [finding async for finding in store.verify()] == []
    assert (await store.wallet(before.user)) == before.wallets[before.user]


async def refusals(store, *batches):
    """What is refused."""
    from seamless_wallet.ledger.conflicts import EntriesRefused  # noqa: PLC0415

    with pytest.raises(EntriesRefused) as caught:
        await store.commit(batches)
    return caught.value.refusals


async def test_an_epoch_that_another_process_opened_is_seen(backend, store, book):
    """By a writer that remembers the head of before"""
    await store.commit([book.take()])
    backend.tamper("UPDATE shard SET epoch = 5 WHERE shard = 0")
    with pytest.raises(EpochMoved):
        await store.commit([[book.bet("g1", a=5)]])
