"""The pipeline: replies in order whatever happens, nothing executed twice, nothing reported that Redis did not say."""

from __future__ import annotations

import asyncio
import random
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ReadOnlyError, ResponseError

from seamless_wallet.engine.connection import UrlAddress
from seamless_wallet.engine.pipeline import NotSent, OutcomeUnknown, Pipeline, RedisUnavailable
from seamless_wallet.engine.server import Server
from tests.guardian import guarded_directory
from tests.integration.faults import Proxy
from tests.integration.waiting import until
from tests.valkey_server import Valkey, start_valkey

DEADLINE_MS = 400
SEED = 20


@pytest.fixture(scope="module")
def directory():
    """Short enough for a socket."""
    path = guarded_directory("l-")
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def server(directory):
    """One for all tests of this file."""
    with start_valkey(directory) as running:
        yield running


@pytest.fixture
async def redis(server):
    """A client of its own, to look and to disturb."""
    async with Redis.from_url(server.url) as client:
        await client.flushall()
        yield client


@pytest.fixture
async def proxy(server, directory):
    """Between pipeline and server."""
    proxy = Proxy(directory / "proxy.sock", server.socket_path)
    await proxy.start()
    yield proxy
    await proxy.close()


@asynccontextmanager
async def connected(url: str, *, in_flight_max: int = 10_000, admit=None) -> AsyncIterator[Pipeline]:
    """A running pipeline, usable unless `admit` has to say so first."""
    pipeline = Pipeline(UrlAddress(url), deadline_ms=DEADLINE_MS, in_flight_max=in_flight_max)
    if admit:
        pipeline.admit_by(admit)
    running = asyncio.create_task(pipeline.run())
    try:
        if not admit:
            await asyncio.wait_for(pipeline.usable.wait(), 5)
        yield pipeline
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await pipeline.close()


async def test_every_caller_gets_its_own_reply(server):
    """3,000 callers in 50 tasks, with errors in between and every ninth caller gone before the reply."""
    rng = random.Random(SEED)
    async with connected(server.url) as pipeline:

        async def call(task: int) -> None:
            for n in range(60):
                word = f"{task}-{n}".encode()
                match rng.randrange(9):
                    case 0:
                        pipeline.execute("ECHO", word).cancel()
                    case 1:
                        with pytest.raises(ResponseError, match=word.decode()):
                            await pipeline.execute(b"NO-" + word)
                    case 2:
                        left = asyncio.create_task(wait_for(pipeline, word))
                        await asyncio.sleep(0)
                        left.cancel()
                    case _:
                        assert await pipeline.execute("ECHO", word) == word

        await asyncio.gather(*(call(task) for task in range(50)))
        assert await pipeline.execute("ECHO", "last") == b"last"


async def wait_for(pipeline: Pipeline, word: bytes) -> bytes:
    """A caller that can be cancelled."""
    return await pipeline.execute("ECHO", word)


@pytest.mark.parametrize("lost", ["request", "reply"])
async def test_an_overdue_reply_makes_all_in_flight_ambiguous(proxy, redis, lost):
    """Nobody knows: neither when the requests were lost nor when the replies were. Nothing is sent again."""
    async with connected(proxy.url) as pipeline:
        await pipeline.execute("PING")
        if lost == "request":
            proxy.forward_requests = False
        else:
            proxy.forward_replies = False
        results = await asyncio.gather(*(pipeline.execute("INCR", "n") for _ in range(100)), return_exceptions=True)
        assert {type(result) for result in results} == {OutcomeUnknown}
        proxy.heal()
        await asyncio.wait_for(pipeline.usable.wait(), 5)
        assert await pipeline.execute("ECHO", "x") == b"x"
        assert int(await redis.get("n") or 0) == (0 if lost == "request" else 100)


async def test_nothing_is_executed_twice_while_connections_break(proxy, redis):
    """Every command has a key of its own: at most 1, and exactly 1 if its reply came; broken by both ends."""
    rng = random.Random(SEED)
    answered: list[str] = []
    ambiguous = sent = 0
    async with connected(proxy.url) as pipeline:
        for cut in range(12):
            await asyncio.wait_for(pipeline.usable.wait(), 5)
            jobs = []
            for n in range(200):
                jobs.append((f"k{cut}-{n}", pipeline.execute("INCR", f"k{cut}-{n}")))
                if rng.random() < 0.02:
                    await asyncio.sleep(0)
            sent += len(jobs)
            if cut % 3 == 0:
                await redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            elif cut % 3 == 1:
                proxy.cut()
            else:
                proxy.forward_replies = False
                await asyncio.sleep(0.02)
                proxy.heal()
            for key, job in jobs:
                try:
                    assert await job == 1
                    answered.append(key)
                except RedisUnavailable:
                    ambiguous += 1
    counts = [int(await redis.get(f"k{cut}-{n}") or 0) for cut in range(12) for n in range(200)]
    assert max(counts) == 1
    assert sum(counts) <= sent
    assert {int(value) for value in await redis.mget(answered)} == {1}
    assert ambiguous > 0
    assert len(answered) + ambiguous == sent


async def test_a_pipeline_that_is_down_or_full_refuses_at_once(directory, proxy):
    """What was not sent is NotSent, not OutcomeUnknown; what is in flight is not disturbed by it."""
    pipeline = Pipeline(UrlAddress(f"unix://{directory}/nobody.sock"), deadline_ms=DEADLINE_MS, in_flight_max=10)
    with pytest.raises(NotSent):
        await pipeline.execute("PING")
    async with connected(proxy.url, in_flight_max=10) as full:
        proxy.forward_replies = False
        under_way = [full.execute("PING") for _ in range(10)]
        with pytest.raises(NotSent, match="too many"):
            await full.execute("PING")
        results = await asyncio.gather(*under_way, return_exceptions=True)
        assert {type(result) for result in results} == {OutcomeUnknown}


async def test_readonly_closes_the_connection_and_the_server_is_asked_who_it_is_again(server, redis):
    """A demoted server is left; after its promotion it has another replication id."""
    seen: list[Server] = []

    async def admit(who: Server, _pipeline: Pipeline) -> bool:
        seen.append(who)
        return True

    async with connected(server.url, admit=admit) as pipeline:
        await asyncio.wait_for(pipeline.usable.wait(), 5)
        assert await pipeline.execute("SET", "x", "1") == b"OK"
        await redis.execute_command("REPLICAOF", "127.0.0.1", "1")
        try:
            with pytest.raises(ReadOnlyError):
                await pipeline.execute("EVAL", "return redis.call('SET', 'x', '2')", 0)
            await until(lambda: not pipeline.usable.is_set(), "the end of the connection")
            await asyncio.sleep(0.1)  # several attempts
            with pytest.raises(NotSent):
                await pipeline.execute("GET", "x")
        finally:
            await redis.execute_command("REPLICAOF", "NO", "ONE")
        await asyncio.wait_for(pipeline.usable.wait(), 5)
        assert await pipeline.execute("GET", "x") == b"1"
        assert seen[-1].replid != seen[0].replid
        assert seen[-1].run_id == seen[0].run_id


async def test_a_server_that_is_not_admitted_gets_no_command(server, redis):
    """Until it is: then the same pipeline works."""
    answers: list[bool] = []
    admitted = False

    async def admit(_who: Server, _pipeline: Pipeline) -> bool:
        answers.append(admitted)
        return admitted

    async with connected(server.url, admit=admit) as pipeline:
        await until(lambda: len(answers) > 2, "asked again")
        with pytest.raises(NotSent):
            await pipeline.execute("SET", "x", "1")
        assert await redis.get("x") is None
        admitted = True
        await asyncio.wait_for(pipeline.usable.wait(), 5)
        assert await pipeline.execute("SET", "x", "1") == b"OK"


async def test_a_fault_while_asking_who_is_there_is_like_a_broken_connection(server):
    """The ledger may be away just then: the pipeline tries again."""
    tries = 0

    async def admit(_who: Server, _pipeline: Pipeline) -> bool:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise OSError("the ledger is away")
        return True

    async with connected(server.url, admit=admit) as pipeline:
        await asyncio.wait_for(pipeline.usable.wait(), 5)
        assert await pipeline.execute("PING") == b"PONG"


async def test_it_reconnects_to_a_server_that_was_killed(directory):
    """Without any help, as soon as it is back."""
    inner = directory / "again"
    inner.mkdir()
    first: Valkey = start_valkey(inner)
    try:
        async with connected(first.url) as pipeline:
            await pipeline.execute("SET", "x", "1")
            first.kill()
            with pytest.raises(RedisUnavailable):
                await pipeline.execute("GET", "x")
            with start_valkey(inner):
                await asyncio.wait_for(pipeline.usable.wait(), 5)
                assert await pipeline.execute("GET", "x") is None
    finally:
        first.close()


class Breaking:
    """An address and its connection, which answers nothing and then breaks."""

    def __init__(self) -> None:
        self.broken = asyncio.Event()

    async def connect(self) -> Breaking:
        return self

    def write(self, commands: Sequence[bytes]) -> None:
        """Lose them."""

    async def read_replies(self) -> list[Any]:
        await self.broken.wait()
        raise ConnectionResetError("gone")

    async def close(self) -> None:
        """Nothing to close."""


@pytest.mark.parametrize("turns", range(8))
async def test_nobody_waits_for_ever_if_the_end_comes_with_a_broken_connection(turns):
    """However many turns of the loop are between the two"""
    connection = Breaking()
    pipeline = Pipeline(connection, deadline_ms=10_000, in_flight_max=10)
    running = asyncio.create_task(pipeline.run())
    sent = pipeline.send("PING")
    while sent.done():
        await asyncio.sleep(0)
        sent = pipeline.send("PING")
    connection.broken.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert isinstance(sent.exception(), OutcomeUnknown)
