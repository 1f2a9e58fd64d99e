"""The servers that the scripts have to agree on. Each test runs on all of them."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import fakeredis
import pytest
import redis

from seamless_wallet.supervisor.embedded_valkey import answers_ping, valkey_command
from tests.lua.driver import Player, Shard
from tests.lua.scene import scene  # noqa: F401 - a fixture
from tests.valkey_server import Valkey, start_valkey

START_LIMIT_S = 10.0
REDIS_SERVER = shutil.which("redis-server")
BACKENDS = ("valkey", "fakeredis", *(("redis",) if REDIS_SERVER else ()))


@pytest.fixture(scope="session")
def directory():
    """A short path: a unix socket's has a limit."""
    with tempfile.TemporaryDirectory(prefix="w") as path:
        yield Path(path)


@pytest.fixture(scope="session")
def valkey(directory):
    """The Valkey of the wheel, one for each process that runs tests."""
    with start_valkey(directory, directory / "valkey.sock") as server, redis.Redis.from_url(server.url) as client:
        yield client


@pytest.fixture(scope="session")
def redis_server(directory):
    """The Redis on PATH, if it is new enough."""
    assert REDIS_SERVER is not None
    where = directory / "redis.sock"
    command = (REDIS_SERVER, *valkey_command(directory, where)[1:])
    with Valkey(subprocess.Popen(command, stdin=subprocess.DEVNULL), where) as server:
        deadline = time.monotonic() + START_LIMIT_S
        while not answers_ping(where):
            assert server.process.poll() is None, "redis-server did not start"
            assert time.monotonic() < deadline, "redis-server does not answer"
            time.sleep(0.01)
        with redis.Redis.from_url(server.url) as client:
            if int(client.info("server")["redis_version"].split(".")[0]) < 7:
                pytest.skip("redis-server on PATH is older than 7")
            yield client


@pytest.fixture(params=BACKENDS)
def backend(request):
    """Which server: a Redis only where there is one on PATH."""
    return request.param


@pytest.fixture
def client(backend, request):
    """An empty server."""
    if backend == "fakeredis":
        with fakeredis.FakeRedis(server=fakeredis.FakeServer()) as connected:
            yield connected
        return
    connected = request.getfixturevalue("valkey" if backend == "valkey" else "redis_server")
    connected.flushall()
    yield connected
    connected.config_set("maxmemory", 0)


@pytest.fixture
def vacant(client):
    """A shard whose gate was never opened."""
    return Shard(client)


@pytest.fixture
def shard(vacant):
    """A shard in its first epoch, empty."""
    vacant.open()
    return vacant


@pytest.fixture
def newcomer(shard):
    """A player that does not exist yet."""
    return Player(shard)


@pytest.fixture
def player(newcomer):
    """A player with 100.00 KRW, logged in."""
    return newcomer.opened()


@pytest.fixture
def real(backend):
    """Only where the server's own limits are tested."""
    if backend == "fakeredis":
        pytest.skip("fakeredis has no such limit")
