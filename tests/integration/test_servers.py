"""The address of Redis, and who is there: identities that change, and two servers alive at once."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

import pytest

from seamless_wallet.commands import Code
from seamless_wallet.engine import keys
from seamless_wallet.processes.event_loop import Unstartable
from seamless_wallet.supervisor.embedded_valkey import valkey_command
from tests.integration.waiting import gather, until
from tests.integration.world import world
from tests.valkey_server import start_valkey


def free_port() -> int:
    """A port of loopback that nobody has."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


async def test_a_first_replica_gives_the_server_a_new_id_and_breaks_no_connection(tmp_path_factory):
    """A worker that starts afterwards is admitted: the writer looks again when it is told, and opens new epochs."""
    async with world(shards=2) as w:
        user = await w.player("p", 1000)
        before = (await w.redis.info("replication"))["master_replid"]
        port = free_port()
        await w.redis.config_set("port", port)
        directory = tmp_path_factory.mktemp("r")
        replica = await asyncio.create_subprocess_exec(
            *[*valkey_command(directory, directory / "r.sock"), "--replicaof", "127.0.0.1", str(port)]
        )
        try:
            await until(lambda: _has_replica(w), "a replica")
            assert (await w.redis.info("replication"))["master_replid"] != before
            await asyncio.wait_for(w.worker(), 15)
            for worker in (0, 1):
                assert (await w.settle(w.bet(user, f"g{worker}", 10), worker=worker)).code is Code.R0
            assert min(await w.epochs()) > 1
        finally:
            replica.terminate()
            await replica.wait()
        assert (await w.check([user]))[user].balance == 980


async def _has_replica(w) -> bool:
    replication = await w.redis.info("replication")
    return replication["connected_slaves"] == 1 and replication["slave0"]["state"] == "online"


@pytest.mark.parametrize("moved", ["writer", "its pipeline", "its reading pipeline", "worker"])
async def test_another_server_takes_over_the_address_while_the_old_one_lives(moved):
    """Whoever reconnects first leads, the others follow; play goes on without help and without a storm of epochs."""
    async with world(shards=2) as w:
        user = await w.player("p", 1000)
        directory = w.directory / "other"
        directory.mkdir()
        other = start_valkey(directory)
        address = w.settings.redis_socket_path if w.settings.redis_url is None else w.directory / "redis.sock"
        address.unlink()
        (directory / "redis.sock").rename(address)
        try:
            if moved == "writer":
                await w.stop_writer()
                await w.start_writer()
            elif moved == "worker":
                w.workers[0].pipeline.drop()
            else:
                (w.writer.pipelines.commands if moved == "its pipeline" else w.writer.pipelines.reads).drop()
            answers = await gather(*(w.settle(w.bet(user, f"g{n}", 10)) for n in range(5)))
            assert {answer.code for answer in answers} == {Code.R0}
            epochs = await w.epochs()
            assert max(epochs) <= 3
            await asyncio.sleep(0.5)
            assert await w.epochs() == epochs
            assert (await w.check([user], load=False))[user].balance == 950
        finally:
            await w.close_workers()
            await w.stop_writer()
            with suppress(ProcessLookupError):
                other.close()


async def test_a_worker_with_nothing_to_do_follows_the_writer_to_another_server():
    """It hears nothing of the writer any more, on a server that lives: it looks where the address leads now."""
    async with world(shards=2) as w:
        user = await w.player("p", 1000)
        directory = w.directory / "other"
        directory.mkdir()
        with start_valkey(directory) as other:
            address = w.directory / "redis.sock"
            address.unlink()
            other.socket_path.rename(address)
            worker = w.workers[0]
            before = worker.pipeline.server
            await until(lambda: worker.pipeline.server != before and worker.pipeline.usable.is_set(), "followed")
            await until(lambda: not worker.wallet._writer.absent)
            assert (await w.apply(w.bet(user, "g", 10))).code is Code.R0
            assert (await w.check([user], load=False))[user].balance == 990
            await w.close_workers()
            await w.stop_writer()


@pytest.mark.parametrize(
    "message",
    [
        b"\xff\xfe",
        b"a b c",
        b"",
        b"0123456789abcdef",
        b"0123456789abcdef\n1 1",
        b"0123456789abcdef\n2 1 1 no.shard",
        "01234567\n0 \u0661 9 ".encode(),
    ],
)
async def test_no_message_ends_a_worker(message):
    """Whoever may publish in Redis, on whatever channel: what is not ours is not read."""
    async with world(shards=2) as w:
        user = await w.player("p", 1000)
        channels = [name for name in await w.redis.pubsub_channels() if str(name).find("wallet:") >= 0]
        assert len(channels) == 2
        await w.stop_writer()
        waiting = asyncio.create_task(w.apply(w.bet(user, "g", 1001)))  # a decline may wait for a watermark
        for channel in channels:
            await w.redis.publish(channel, message)
        await w.start_writer()
        assert (await w.settle(w.bet(user, "g1", 10))).code is Code.R0
        await waiting
        await w.check([user])


async def test_watermarks_of_another_ledger_on_the_same_server_say_nothing():
    """Channels are shared by all databases of a server: those of another ledger have other names."""
    async with world(shards=2) as w:
        user = await w.player("p", 100)
        await w.stop_writer()
        first = asyncio.create_task(w.apply(w.bet(user, "g1", 100)))
        await until(lambda: _balance_in_redis(w, user, b"0"), "the bet in Redis")
        declined = asyncio.create_task(w.apply(w.bet(user, "g2", 100)))
        stranger = "00000000-0000-0000-0000-000000000000"
        for shard, head in enumerate(await w.ledger.heads()):
            await w.redis.publish(keys.committed_channel(stranger), f"{head.nonce}\n{shard} 1 999 ")
        assert (await first).code is Code.R1
        assert (await declined).code is Code.R1  # and never R4: the first bet was not committed
        await w.start_writer()


async def _balance_in_redis(w, user: str, balance: bytes) -> bool:
    shard = w.shard(user)
    return await w.redis.hget(keys.wallet(shard, (await w.epochs())[shard], user), "balance") == balance


async def test_a_server_that_evicts_is_refused():
    """A key that Redis drops by itself would be a bet that it forgets: nothing starts on it."""
    async with world(shards=2) as w:
        await w.redis.config_set("maxmemory-policy", "allkeys-lru")
        with pytest.raises(Unstartable, match="noeviction"):
            await w.worker()
        await w.redis.config_set("maxmemory-policy", "noeviction")
