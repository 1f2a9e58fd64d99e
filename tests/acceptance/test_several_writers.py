"""Several `wallet write` processes share one Redis and one PostgreSQL, and lose each other, under real webhooks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from redis import Redis

from seamless_wallet.commands import Code
from seamless_wallet.engine import keys
from seamless_wallet.settings import load_settings
from seamless_wallet.stores.postgres.setup import apart
from tests.acceptance.calls import Load
from tests.acceptance.service_process import WALLET, RunningService, wait_until
from tests.acceptance.test_crash import assert_acknowledged_once
from tests.chosen_ledger import drop_database, new_database
from tests.guardian import guarded_directory
from tests.ledger_copies import ledger_rows
from tests.postgres_server import Postgres

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

SHARDS = 6
LIMIT_S = 60.0
USERS = ("ann", "bob", "cid", "dee")


class WriterProcess:
    """`wallet write`, as on a machine of its own."""

    def __init__(self, cluster: Cluster, directory: Path) -> None:
        directory.mkdir(mode=0o700)
        before = cluster.living()
        environ = {
            **cluster.service.environ,
            "WALLET_DATA_DIR": str(guarded_directory("w-")),  # short enough for its sockets
            "WALLET_REDIS_URL": f"unix://{cluster.service.redis_socket}",
        }
        with (directory / "write.log").open("w") as log:
            self.process = subprocess.Popen([*WALLET, "write"], env=environ, stderr=log, stdout=log)
        self.log = directory / "write.log"
        wait_until(lambda: len(cluster.living() - before) == 1, LIMIT_S, "its name")
        (self.nonce,) = cluster.living() - before

    def end(self) -> None:
        """In order."""
        self.process.terminate()
        assert self.process.wait(LIMIT_S) == 0, self.log.read_text()


class Cluster:
    """`wallet up` with its own writer, and two more of them."""

    def __init__(self, directory: Path, url: str) -> None:
        self.service = RunningService(directory, WALLET_LEDGER_URL=url, WALLET_SHARDS=str(SHARDS))
        self.settings = load_settings(self.service.environ)
        self.redis = Redis(unix_socket_path=str(self.service.redis_socket), decode_responses=True)
        self.writers: list[WriterProcess] = []
        self._directory = directory
        for user in USERS:
            assert self.service.wallet("player", "create", user, "KRW").returncode == 0
        for _ in range(2):
            self.add_writer()
        self.shared()

    def add_writer(self) -> WriterProcess:
        number = len(list(self._directory.glob("writer-*")))
        self.writers.append(WriterProcess(self, self._directory / f"writer-{number}"))
        return self.writers[-1]

    def living(self) -> set[str]:
        """Nonces of the writers that SQL counts."""
        return {nonce for (nonce,) in self._rows("SELECT nonce FROM presence WHERE expires > clock_timestamp()")}

    def held_by(self, nonce: str) -> set[int]:
        """Shards, by SQL."""
        return {shard for shard, holder in self._rows("SELECT shard, nonce FROM shard") if holder == nonce}

    def taken(self, shards: set[int], nonce: str) -> bool:
        """Whether others work on these, by the heads in Redis."""
        return all(self.redis.hget(keys.head(shard), "nonce") != nonce for shard in shards)

    def shared(self) -> None:
        """Until each has its share, and works on it."""

        def fair() -> bool:
            heads = [self.redis.hget(keys.head(shard), "nonce") for shard in range(SHARDS)]
            counts = [heads.count(nonce) for nonce in self.living()]
            return sum(counts) == SHARDS and max(counts) - min(counts) <= 1

        wait_until(fair, LIMIT_S, "fair shares")

    def epochs(self) -> set[int]:
        return {epoch for (epoch,) in self._rows("SELECT epoch FROM shard")}

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        return ledger_rows(self.settings, query)

    def close(self) -> None:
        for writer in self.writers:
            writer.process.send_signal(signal.SIGCONT)
            writer.process.kill()
            writer.process.wait()
        self.redis.close()
        self.service.__exit__()


@pytest.fixture
def cluster(postgres_server: Postgres, tmp_path: Path) -> Iterator[Cluster]:
    """Three writers that have their shares."""
    name = new_database()
    with ExitStack() as stack:
        stack.callback(drop_database, name)
        made = Cluster(tmp_path, postgres_server.url(name))
        stack.callback(made.close)
        yield made


def lost_to_others(cluster: Cluster, writer: WriterProcess, shards: set[int], since_s: float) -> None:
    """What it held is theirs; how long that took is printed."""
    wait_until(lambda: cluster.taken(shards, writer.nonce), LIMIT_S, "taken over")
    print(f"{len(shards)} shards taken over after {time.monotonic() - since_s:.2f} s")


def freeze_in_a_commit(cluster: Cluster, writer: WriterProcess) -> set[int]:
    """Its statement waits for a lock of ours; it is stopped, then the lock goes, and the commit is made without it."""
    shards = cluster.held_by(writer.nonce)
    url = cluster.settings.ledger_server
    assert url

    async def hold(connection: asyncpg.Connection) -> None:
        waits = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%commit_entries%'"
        async with connection.transaction():
            await connection.execute("SELECT FROM ledger.shard WHERE shard = ANY ($1) FOR UPDATE", list(shards))
            while not await connection.fetch(waits):
                pass
            writer.process.send_signal(signal.SIGSTOP)

    apart(url, hold)
    return shards


def test_writers_that_die_or_freeze_lose_their_shards_to_the_others(cluster, tmp_path):
    """And nothing else: no epoch, every acknowledged event in the ledger once. Who wakes up gets a share again."""
    acks = tmp_path / "acks.jsonl"
    arguments = ["--players", "16", "--rounds", "150", "--seed", "7", "--acks", str(acks), "--json"]
    environ = {**cluster.service.environ, **cluster.service.ports()}
    simulation = subprocess.Popen([*WALLET, "simulate", *arguments], env=environ, stdout=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: acks.exists() and acks.stat().st_size > 10_000, LIMIT_S, "play")
        first, second = cluster.writers

        shards, since_s = cluster.held_by(first.nonce), time.monotonic()
        first.process.kill()
        lost_to_others(cluster, first, shards, since_s)
        third = cluster.add_writer()
        cluster.shared()

        for writer, freeze in ((second, freeze_anywhere), (third, freeze_in_a_commit)):
            shards, since_s = freeze(cluster, writer), time.monotonic()
            lost_to_others(cluster, writer, shards, since_s)
            assert simulation.poll() is None, "the simulation ended too early: play more rounds"
            writer.process.send_signal(signal.SIGCONT)
            cluster.shared()
            assert writer.process.poll() is None, writer.log.read_text()
        output, _ = simulation.communicate(timeout=240)
    finally:
        simulation.kill()
    assert simulation.returncode == 0, output
    assert json.loads(output)["mismatches"] == []
    verified = cluster.service.wallet("verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert_acknowledged_once(acks, cluster.settings)
    assert cluster.epochs() == {1}


def freeze_anywhere(cluster: Cluster, writer: WriterProcess) -> set[int]:
    """Wherever it is."""
    shards = cluster.held_by(writer.nonce)
    writer.process.send_signal(signal.SIGSTOP)
    return shards


def test_a_rolling_restart_of_all_writers_costs_no_r1(cluster):
    """Each ends and another one comes, that of `wallet up` too. Every call is answered R0, and there is no epoch."""
    with ExitStack() as stack:
        loads = [stack.enter_context(Load(cluster.service.webhook_url, user_id=user, connections=1)) for user in USERS]
        for writer in list(cluster.writers):
            writer.end()
            cluster.add_writer()
            cluster.shared()
        supervised = cluster.service.pid("writer")
        os.kill(supervised, signal.SIGTERM)
        wait_until(lambda: cluster.service.is_replaced("writer", supervised), LIMIT_S, "another one")
        wait_until(lambda: len(cluster.living()) == 3, LIMIT_S, "its name")
        cluster.shared()
    for load in loads:
        assert load.faults == []
        assert set(load.codes) == {Code.R0}, load.codes
        print(load.codes)
    assert cluster.epochs() == {1}
    verified = cluster.service.wallet("verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
