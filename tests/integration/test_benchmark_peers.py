"""The peers of the benchmarks take bets rightly: a peer that does less than it says would be no yardstick."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import IntEnum
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest
from redis.asyncio import Redis

from benchmarks.peers import bare_way, postgres_wallet, redis_wallet, tigerbeetle_wallet
from benchmarks.peers.webhook import Take
from seamless_wallet.commands import Answer, Code, Command, Item, Kind
from seamless_wallet.engine.connection import UrlAddress
from seamless_wallet.engine.pipeline import Pipeline
from seamless_wallet.engine.subscription import Subscription
from tests.integration.waiting import until
from tests.postgres_server import Postgres
from tests.valkey_server import start_valkey

NOW_MS = 1_700_000_000_000
BALANCE = 1_000


def bet(*stakes: int, tid: str = "t1", game: str = "g1", user: str = "ann", currency: str = "KRW") -> Command:
    """A bet of so many minor units, item by item."""
    items = tuple(Item(str(index), "P", stake) for index, stake in enumerate(stakes, 1))
    return Command(
        kind=Kind.BET,
        provider="bench",
        user_id=user,
        transaction_id=tid,
        timestamp_ms=NOW_MS,
        received_ms=NOW_MS,
        currency=currency,
        game_no=game,
        items=items,
    )


@asynccontextmanager
async def redis_peer() -> AsyncIterator[Take]:
    """Ann has money, nobody else is there."""
    with tempfile.TemporaryDirectory() as directory, start_valkey(Path(directory)) as valkey:
        async with Redis.from_url(valkey.url) as redis:
            await redis.hset(redis_wallet.wallet_key("ann"), "balance", str(BALANCE))
            yield redis_wallet.taking(redis)


@pytest.fixture(scope="module")
def postgres():
    """One server for all."""
    with Postgres() as server:
        yield server


@asynccontextmanager
async def postgres_peer(server: Postgres, *, constraints: bool) -> AsyncIterator[Take]:
    """The same, in tables of its own."""
    connection = await asyncpg.connect(server.url())
    await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    await connection.execute(postgres_wallet.SCHEMA.read_text())
    if constraints:
        await connection.execute(postgres_wallet.CONSTRAINTS.read_text())
    await connection.execute(
        "INSERT INTO wallet (user_id, currency, status, version, balance, renewed_ms, closed_ms) "
        "VALUES ('ann', 'KRW', 'active', 1, $1, $2, 0)",
        BALANCE,
        NOW_MS,
    )
    pool = await postgres_wallet.Pool.connect(server.url())
    try:
        yield postgres_wallet.taking(pool)
        entries, balance = await connection.fetchrow(
            "SELECT sum(balance_delta), (SELECT balance FROM wallet) FROM entry"
        )
        assert (entries or 0) + BALANCE == balance
    finally:
        await pool.close()
        await connection.close()


@pytest.fixture(params=["redis", "postgres", "constraints"])
async def take(request):
    """What decides a bet, of each peer."""
    if request.param == "redis":
        peer = redis_peer()
    else:
        peer = postgres_peer(request.getfixturevalue("postgres"), constraints=request.param == "constraints")
    async with peer as taking:
        yield taking


def told(answer: Answer) -> tuple[Code, int | None]:
    """Code and balance."""
    return answer.code, answer.balance


async def test_a_bet_is_taken_once(take):
    """However often it comes, and the copy is answered as the first one was"""
    assert told(await take(bet(300, 100))) == (Code.R0, 600)
    assert told(await take(bet(300, 100))) == (Code.R0, 600)
    assert told(await take(bet(100, tid="t2", game="g2"))) == (Code.R0, 500)


async def test_copies_at_the_same_time_are_taken_once(take):
    """One of them is first, and the others find it"""
    answers = await asyncio.gather(*(take(bet(300)) for _ in range(20)))
    assert {told(answer) for answer in answers} == {(Code.R0, 700)}


async def test_bets_at_the_same_time_take_no_more_than_there_is(take):
    """Ten fit, ten do not"""
    answers = await asyncio.gather(*(take(bet(100, tid=f"t{n}", game=f"g{n}")) for n in range(20)))
    assert sorted(answer.code for answer in answers) == [Code.R0] * 10 + [Code.R4] * 10
    assert {answer.balance for answer in answers if answer.code is Code.R0} == set(range(0, 1000, 100))


async def test_what_cannot_be_taken_moves_nothing(take):
    """Too much, nobody, another bet of the same id"""
    assert (await take(bet(1001))).code is Code.R4
    assert (await take(bet(1, user="bob"))).code is Code.R1
    assert told(await take(bet(400, tid="t2", game="g2"))) == (Code.R0, 600)
    assert (await take(bet(500, tid="t2", game="g2"))).code is Code.R3
    assert told(await take(bet(100, tid="t3", game="g3"))) == (Code.R0, 500)


@pytest.mark.parametrize("constraints", [False, True])
async def test_postgres_takes_a_bet_once_under_any_event(postgres, constraints):
    """A bet that comes again in another event is known by its round and index"""
    async with postgres_peer(postgres, constraints=constraints) as take:
        assert told(await take(bet(300))) == (Code.R0, 700)
        assert told(await take(bet(300, 50, tid="t2"))) == (Code.R0, 650)
        assert (await take(bet(200, tid="t3"))).code is Code.R3
        assert (await take(bet(1, tid="t4", game="g4", currency="USD"))).code is Code.R3


class Status(IntEnum):
    """Of the client library, as far as the peer knows them."""

    CREATED = 0
    EXISTS = 46
    EXCEEDS_CREDITS = 54
    DEBIT_ACCOUNT_NOT_FOUND = 21
    EXISTS_WITH_DIFFERENT_AMOUNT = 39


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (Status.CREATED, (Code.R0, 900)),
        (Status.EXISTS, (Code.R0, 900)),
        (Status.EXCEEDS_CREDITS, (Code.R4, None)),
        (Status.DEBIT_ACCOUNT_NOT_FOUND, (Code.R1, None)),
        (Status.EXISTS_WITH_DIFFERENT_AMOUNT, (Code.R3, None)),
    ],
)
async def test_tigerbeetle_is_asked_for_one_transfer(status, answer):
    """With the client's own words; its server is not among those that tests can start"""
    sent: list[Any] = []

    async def create_transfers(transfers: list[Any]) -> list[Any]:
        sent.extend(transfers)
        return [SimpleNamespace(status=status)]

    async def lookup_accounts(_: list[int]) -> list[Any]:
        return [SimpleNamespace(credits_posted=1000, debits_posted=100)]

    library = SimpleNamespace(CreateTransferStatus=Status, Transfer=SimpleNamespace)
    client = SimpleNamespace(create_transfers=create_transfers, lookup_accounts=lookup_accounts)
    assert told(await tigerbeetle_wallet.taking(library, client)(bet(60, 40))) == answer
    (transfer,) = sent
    assert (transfer.amount, transfer.debit_account_id) == (100, tigerbeetle_wallet.account_id("ann"))


async def test_a_bet_on_the_bare_way_is_told_once_it_is_in_the_file(tmp_path):
    """Both of its processes in one: the text is there, the balance is right, and nobody else was told"""
    (tmp_path / "redis").mkdir()
    with start_valkey(tmp_path / "redis") as valkey:
        address = UrlAddress(valkey.url)
        pipeline = Pipeline(address, deadline_ms=5_000, in_flight_max=100)
        way = bare_way.Way(pipeline)
        subscription = Subscription(address, bare_way.CHANNEL, receive=way.told)
        file = tmp_path / "bets"
        running = [asyncio.create_task(job) for job in (pipeline.run(), subscription.run())]
        await way.begin()
        taking = [asyncio.create_task(way.take(bet(100, tid=f"t{n}"))) for n in range(3)]
        await until(lambda: is_streamed(pipeline, 3), "the bets in Redis")
        assert not any(task.done() for task in taking)
        writing = bare_way.write_bets(str(valkey.socket_path), bare_way.kept_in_file(file))
        running.append(asyncio.create_task(writing))
        answers = await asyncio.gather(*taking)
        assert [told(answer) for answer in answers] == [(Code.R0, -100), (Code.R0, -200), (Code.R0, -300)]
        assert file.read_text() == "".join(f"ann t{n} g1 100\n" for n in range(3))
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def is_streamed(pipeline: Pipeline, bets: int) -> bool:
    """Whether Redis has taken so many."""
    return bool(await pipeline.execute("XLEN", bare_way.STREAM) == bets)
