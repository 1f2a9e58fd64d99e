"""A Redis user with no more rights than needed: all of deploy/redis.acl is enough, and without one nothing starts."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from seamless_wallet.commands import Code
from seamless_wallet.engine.connection import UrlAddress, decoding_client
from seamless_wallet.engine.permissions import MissingPermission, check_permissions
from seamless_wallet.engine.pipeline import Pipeline
from seamless_wallet.engine.scripts import load_scripts
from seamless_wallet.processes.event_loop import Unstartable, first_error
from seamless_wallet.processes.system_ports import SystemRandomness
from seamless_wallet.wallet.redis_comparison import Comparison
from seamless_wallet.wallet.self_test import SelfTestFailed, self_test
from tests.guardian import guarded_directory
from tests.integration.bettors import bettors, verify_all
from tests.integration.faults import connection_errors
from tests.integration.waiting import WAIT_S, gather, until
from tests.integration.world import World, world
from tests.valkey_server import Valkey, start_valkey

ACL = Path(__file__).parents[2] / "deploy" / "redis.acl"
LEDGER = "ledger"
PASSWORD = "CHANGE-ME"


def rules() -> list[str]:
    """Of the user in deploy/redis.acl."""
    (line,) = [line for line in ACL.read_text().splitlines() if line.startswith("user wallet ")]
    return line.split()[2:]


TRIED = {"~{*}:*": "EVALSHA {-", "&wallet:*": "PUBLISH wallet:ledger:try:recover"}
GRANTS = [rule for rule in rules() if rule[0] in "+~&"]


async def set_user(redis: Redis, granted: Sequence[str]) -> None:
    """The user has these rules and no others."""
    await redis.execute_command("ACL", "SETUSER", "wallet", "reset", *granted)


@pytest.fixture(scope="module")
def server() -> Iterator[Valkey]:
    """One for all: it has the scripts, and the user."""
    directory = guarded_directory("a-")
    with start_valkey(directory) as running:
        yield running
    shutil.rmtree(directory)


async def start(server: Valkey) -> None:
    """What every process does before it serves. Raises MissingPermission or SelfTestFailed."""
    address = UrlAddress(f"unix://wallet:{PASSWORD}@{server.socket_path}")
    await check_permissions(address, LEDGER, 1)
    failed: list[SelfTestFailed] = []

    async def admit(_: Any, pipeline: Pipeline) -> bool:
        try:
            await self_test(pipeline, SystemRandomness())
        except SelfTestFailed as error:
            failed.append(error)
        return True

    pipeline = Pipeline(address, deadline_ms=5000, in_flight_max=100)
    pipeline.admit_by(admit)
    running = asyncio.create_task(pipeline.run())
    try:
        await asyncio.wait_for(pipeline.usable.wait(), WAIT_S)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await pipeline.close()
    if failed:
        raise failed[0]


@pytest.fixture
async def redis(server: Valkey):
    """An operator, who may do everything."""
    async with Redis.from_url(server.url) as client:
        await client.flushall()
        for script in load_scripts().values():
            await client.script_load(script.text)
        yield client


async def test_all_that_the_file_grants_is_enough_to_start_and_leaves_nothing(server, redis):
    """The self-test tries all and cleans up."""
    await set_user(redis, rules())
    await start(server)
    await until(lambda: is_empty(redis), "nothing left")


async def is_empty(redis: Redis) -> bool:
    """Also of keys that live for a millisecond."""
    return not await redis.keys()


@pytest.mark.parametrize("grant", GRANTS)
async def test_each_permission_of_the_file_is_needed_and_its_lack_is_named(server, redis, grant):
    """A command by its name, a pattern by the key or channel that was tried."""
    await set_user(redis, [rule for rule in rules() if rule != grant])
    with pytest.raises((MissingPermission, SelfTestFailed)) as caught:
        await start(server)
    text = str(caught.value)
    assert "\n" not in text
    assert TRIED.get(grant, f"'{grant[1:]}'") in text, text


async def as_wallet(w: World) -> str:
    """The URL of a user who has just what deploy/redis.acl grants."""
    await set_user(w.redis, rules())
    return f"unix://wallet:{PASSWORD}@{w.directory / 'redis.sock'}"


async def test_the_whole_wallet_works_for_the_user_of_the_file():
    """Play, an emptied Redis, clean-up and `wallet verify`."""
    async with world(shards=2, writer=False) as w:
        url = await as_wallet(w)
        await w.start_writer(url)
        await w.worker(url)
        players = await bettors(w, 3)
        await gather(*(player.play(5) for player in players))
        await w.redis.flushall()
        await gather(*(player.play(5) for player in players))
        await verify_all(w, players)
        await until(lambda: no_old_keys(w), "old generations unlinked")
        async with decoding_client(url) as client:
            comparison = Comparison(w.ledger, w.ledger.uuid, client)
            assert [difference async for difference in comparison.differences()] == []
            assert comparison.compared == 3
        denied = [entry for entry in await w.redis.acl_log() if entry["reason"] != "auth"]
        assert {entry["object"] for entry in denied} <= {"client|setinfo"}  # redis-py tells its name, if it may


async def no_old_keys(w: World) -> bool:
    """Whether clean-up is done."""
    return not await w.old_keys()


@pytest.mark.parametrize("lacking", ["&wallet:*", "+publish", "+subscribe", "+pubsub|numsub"])
async def test_no_process_starts_without_channels(lacking):
    """Neither writer nor worker becomes ready: each says what is missing, and ends."""
    async with world(shards=1) as w:
        url = await as_wallet(w)
        await set_user(w.redis, [rule for rule in rules() if rule != lacking])
        with pytest.raises(Unstartable, match="permission"):
            await w.worker(url)
        await w.stop_writer()
        with pytest.raises(ExceptionGroup) as caught:
            await w.start_writer(url)
        assert isinstance(first_error(caught.value), MissingPermission)


async def test_a_full_server_is_no_missing_permission():
    """A worker that starts meanwhile waits. It is ready when there is memory again."""
    async with world(shards=1) as w:
        await w.redis.config_set("maxmemory", "1")
        starting = asyncio.create_task(w.worker())
        await until(lambda: connection_errors("OutOfMemoryError"), "tried")
        assert not starting.done()
        await w.redis.config_set("maxmemory", "0")
        await asyncio.wait_for(starting, WAIT_S)
        user = await w.player("p", 100, worker=1)
        assert (await w.apply(w.bet(user, "g", 10), 1)).code is Code.R0
        await w.check([user])
