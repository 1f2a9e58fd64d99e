"""What only a database has to do for the history of calls: several machines, partitions, indexes, and to be away."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from seamless_wallet.calls.ports import CallsQuery
from seamless_wallet.calls.spool import Spool
from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.stores import call_batches
from seamless_wallet.stores.call_queries import Search
from seamless_wallet.stores.postgres_calls import PostgresCalls, init_calls
from seamless_wallet.stores.postgres_calls.calls_store import numbered
from tests.call_history import NOW_MS, call_record, encode_batch
from tests.chosen_ledger import drop_database, new_database
from tests.store.postgres_proxy import PostgresProxy

DAY_MS = 86_400_000


@pytest.fixture
async def connection(calls_url):
    """To the same database."""
    connected = await asyncpg.connect(calls_url)
    yield connected
    await connected.close()


def leave(spool: Spool, *transaction_ids: str, **changes) -> None:
    """A batch."""
    spool.write(encode_batch(call_record(transaction_id=each, **changes) for each in transaction_ids), NOW_MS)


async def count(calls: PostgresCalls) -> int:
    """All calls."""
    return len((await calls.find(CallsQuery(limit=100_000))).calls)


async def test_machines_write_one_history(calls_url, connection, tmp_path, monkeypatch):
    """At the same time and of the same milliseconds. None of them forgets or takes the batches of another one."""
    monkeypatch.setattr(call_batches, "TAKEN_BYTES_MAX", 1)
    spools = [Spool(tmp_path / name, name) for name in "abc"]
    for number in range(10):
        for spool in spools:
            leave(spool, *(f"{spool.directory.name}-{number}-{each}" for each in range(20)))
    stores = [PostgresCalls(calls_url, spool) for spool in spools]
    await asyncio.gather(*(store.collect() for store in stores))
    found = (await stores[0].find(CallsQuery(limit=1000))).calls
    assert len({stored.id for stored in found}) == len({stored.call.transaction_id for stored in found}) == 600
    assert await connection.fetchval("SELECT count(*) FROM calls.batch") == 0
    for store in stores:
        await store.__aexit__(None, None, None)


async def test_every_look_up_has_an_index(calls_url, connection, tmp_path):
    """However many days there are, no question reads all of them."""
    spool = Spool(tmp_path / "calls", "a")
    async with PostgresCalls(calls_url, spool) as calls:
        for day in range(4):
            leave(spool, *(f"t-{day}-{number}" for number in range(300)), received_ms=NOW_MS + day * DAY_MS)
        await calls.collect()
    await connection.execute("ANALYZE calls.call")
    await connection.execute("SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off")
    for query, index in (
        (CallsQuery(), "pkey"),
        (CallsQuery(user_id="ann"), "user_id"),
        (CallsQuery(transaction_id="t-1-1"), "transaction_id"),
        (CallsQuery(game_no="g-1"), "game_no"),
        (CallsQuery(failed=True), "id_idx"),
        (CallsQuery(unacknowledged=True, provider="acme"), "id_idx"),
        (CallsQuery(code="R3", slow_ms=5), "pkey"),
    ):
        search = Search(query, "calls.call")
        bound = search.bound
        for statement in filter(None, (bound, search.found)):
            rows = await connection.fetch(f"EXPLAIN {numbered(statement.sql)}", *statement.parameters)
            plan = "\n".join(row[0] for row in rows)
            assert index in plan, plan
            assert "Seq Scan" not in plan
            if bound in {None, statement}:  # else there are no more than that has counted
                assert "Sort" not in plan, plan


async def test_a_partition_is_a_day_or_less(calls_url, connection, tmp_path):
    """One that gets large ends with its last call. What is too old goes with its partition."""
    spool = Spool(tmp_path / "calls", "a")
    async with PostgresCalls(calls_url, spool) as calls:
        for number in range(3):
            leave(spool, *map(str, range(400)), received_ms=NOW_MS + number)
            await calls.collect()
            await calls.prune(0, 8 * 100_000)
        pieces = await connection.fetch("SELECT first_id >> 20, end_id >> 20 FROM calls.piece ORDER BY 1")
        day = NOW_MS // DAY_MS * DAY_MS
        assert [tuple(piece) for piece in pieces] == [
            (day, NOW_MS + 1), (NOW_MS + 1, NOW_MS + 2), (NOW_MS + 2, NOW_MS + 3),
        ]  # fmt: skip
        assert await count(calls) == 1200
        await calls.prune(NOW_MS + 2, 2**30)
        assert await count(calls) == 400
        leave(spool, "of the rest of the day", received_ms=NOW_MS + 1000)
        leave(spool, "of the part that is gone", received_ms=NOW_MS)
        await calls.collect()
        assert await count(calls) == 402


async def test_a_database_that_is_away_costs_time_and_no_call(calls_url, postgres_server, tmp_path):
    """The batches wait, also those of a transaction that broke; nothing is there twice."""
    spool = Spool(tmp_path / "calls", "a")
    async with (
        PostgresProxy(postgres_server.socket_directory) as proxy,
        PostgresCalls(proxy.url(calls_url), spool) as calls,
    ):
        leave(spool, "t-1")
        await calls.collect()
        leave(spool, "t-2")
        proxy.answers = False
        collecting = asyncio.create_task(calls.collect())
        await proxy.stopped.wait()
        proxy.cut()
        with pytest.raises(StoreError):
            await collecting
        assert len(list(spool.batches())) == 1
        proxy.answers = True
        await calls.collect()
        assert await count(calls) == 2
        assert list(spool.batches()) == []


async def test_missing_tables_are_told_with_what_to_do(postgres_server, tmp_path):
    """Of a database that an older program has made. To make them twice changes nothing."""
    name = new_database()
    url = postgres_server.url(name)
    spool = Spool(tmp_path / "calls", "a")
    leave(spool, "t-1")
    async with PostgresCalls(url, spool) as calls:
        for ask in (calls.collect(), calls.find(CallsQuery()), calls.prune(0, 1)):
            with pytest.raises(StoreError, match=r"has no history of calls .* run `wallet init` and `grants.sql`"):
                await ask
        init_calls(url)
        init_calls(url)
        await calls.collect()
        assert await count(calls) == 1
    drop_database(name)
