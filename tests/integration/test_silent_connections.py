"""A firewall drops the packets of one connection, and nobody is told: it is noticed and made anew within seconds."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from redis.exceptions import RedisError
from structlog.testing import capture_logs

from seamless_wallet.commands import Code
from seamless_wallet.engine import connection as engine_connection
from seamless_wallet.engine import keys
from seamless_wallet.engine.connection import UrlAddress
from seamless_wallet.observability import metrics
from tests.integration.faults import Proxy, connection_errors
from tests.integration.waiting import gather, until
from tests.integration.world import World, world


def looked_up() -> float:
    """How many entries were confirmed by SQL, and not by the writer's message."""
    return metrics.ATTEMPTS_LOOKED_UP.labels().value


async def bet_on(w: World, user: str, name: str, worker: int) -> None:
    """Some bets, one after the other."""
    for n in range(5):
        answer = await w.apply(w.bet(user, f"{name}-{n}", 10), worker)
        assert answer.code is Code.R0, answer


async def test_a_subscription_that_goes_silent_is_made_anew():
    """Until then SQL confirms each bet, late; afterwards the writer's messages do again. Counted and logged once."""
    async with world(shards=2) as w:
        proxy = await w.proxy()
        await w.worker(proxy.url)
        user = await w.player("p", 1000, worker=1)
        await bet_on(w, user, "before", 1)
        silent, before = connection_errors("SilentConnection"), looked_up()
        with capture_logs() as logs:
            assert proxy.silence(b"SUBSCRIBE") == 1
            await bet_on(w, user, "silent", 1)
            assert looked_up() == before + 5  # what a silent subscription costs
            await until(lambda: connection_errors("SilentConnection") > silent, "noticed")
            await until(lambda: heard(w, 1), "subscribed again")
            before = looked_up()
            await bet_on(w, user, "after", 1)
            assert looked_up() == before
        assert connection_errors("SilentConnection") == silent + 1
        assert [log["log_level"] for log in logs if log["event"] == "subscription_lost"] == ["info"]
        assert (await w.check([user]))[user].balance == 850


async def heard(w: World, worker: int) -> bool:
    """Whether the worker's subscription is there, as Redis sees it."""
    ((_, listeners),) = await w.redis.pubsub_numsub(keys.committed_channel(w.ledger.uuid))
    assert listeners <= len(w.workers) + 1  # Redis does not know that the silent one is over
    subscription = w.workers[worker].wallet._confirmations.messages.subscription
    return subscription._heard and listeners >= len(w.workers)


async def test_the_writer_hears_requests_again_after_its_subscription_went_silent():
    """Workers ask for recovery there. Nothing else ever comes over that connection, so only a PING can tell."""
    async with world(shards=1, writer=False) as w:
        proxy = await w.proxy()
        await w.start_writer(proxy.url)
        await w.worker()
        user = await w.player("p", 1000)
        silent = connection_errors("SilentConnection")
        assert proxy.silence(b"SUBSCRIBE") == 1
        await until(lambda: connection_errors("SilentConnection") > silent, "noticed")
        await until(lambda: w.writer._requests.subscription._heard, "subscribed again")
        await w.redis.script_flush()
        assert (await w.settle(w.bet(user, "g", 10))).code is Code.R0
        assert await w.epochs() == [2]
        assert (await w.check([user]))[user].balance == 990


async def test_an_idle_pipeline_that_goes_silent_is_found_before_a_bet_needs_it():
    """The next bet is R0: it is not the one that finds out."""
    async with world(shards=1, deadline_ms=500) as w:
        proxy = await w.proxy()
        await w.worker(proxy.url)
        user = await w.player("p", 1000, worker=1)
        overdue = connection_errors("TimeoutError")
        assert proxy.silence(b"EVALSHA") == 1
        await until(lambda: connection_errors("TimeoutError") > overdue, "noticed")
        await until(w.workers[1].pipeline.usable.is_set, "connected again")
        assert (await w.apply(w.bet(user, "g", 10), 1)).code is Code.R0
        await w.check([user])


@pytest.mark.parametrize("command", [b"XREAD", b"EVALSHA"])
async def test_the_connections_of_the_writer_are_made_anew(command):
    """The one that reads streams, and the one for all other commands."""
    async with world(shards=1, writer=False, deadline_ms=500) as w:
        proxy = await w.proxy()
        await w.start_writer(proxy.url)
        await w.worker()
        user = await w.player("p", 1000)
        assert proxy.silence(command) == 1
        assert (await w.settle(w.bet(user, "g", 10))).code is Code.R0
        assert (await w.check([user]))[user].balance == 990


async def test_a_server_that_accepts_and_says_nothing_does_not_hold_a_connection_up(tmp_path: Path, monkeypatch):
    """redis-py bounds the connecting, and not the answers to what it asks first."""
    monkeypatch.setattr(engine_connection, "CONNECT_TIMEOUT_S", 0.2)
    closed = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # to the end
        writer.close()
        closed.set()

    path = tmp_path / "mute.sock"
    server = await asyncio.start_unix_server(say_nothing, path)
    try:
        with pytest.raises((RedisError, OSError), match="no answer"):
            await UrlAddress(f"unix://{path}?db=1").connect()
        await asyncio.wait_for(closed.wait(), 20)
    finally:
        server.close()


async def test_many_silent_connections_at_once():
    """All of a worker's and all of the writer's, while players bet: everything acknowledged is there, once."""
    async with world(shards=2, writer=False, deadline_ms=500) as w:
        proxy: Proxy = await w.proxy()
        await w.start_writer(proxy.url)
        await w.worker(proxy.url)
        user = await w.player("p", 1000)
        bets = [w.bet(user, f"g{n}", 10) for n in range(10)]
        under_way = [asyncio.create_task(w.settle(bet)) for bet in bets]
        assert proxy.silence(b"SUBSCRIBE", b"EVALSHA", b"XREAD") == 5
        assert {answer.code for answer in await gather(*under_way)} == {Code.R0}
        assert (await w.check([user]))[user].balance == 900
