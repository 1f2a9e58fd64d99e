"""The admin process collects what others counted: over real sockets, from processes that answer, hang or are gone."""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from seamless_wallet.observability import collector, metrics, process_health, run_directory
from seamless_wallet.observability.collector import Collector
from seamless_wallet.observability.health_server import HealthAnswer, HealthServer
from seamless_wallet.observability.process_counters import ProcessCounters
from seamless_wallet.observability.process_health import ProcessHealth, RunDirectory
from seamless_wallet.observability.snapshots import Snapshot, Values


class OtherProcess:
    """Answers like a process with this pid. What it has counted is set by the test."""

    def __init__(self, directory: Path, role: str, pid: int, mark: str = "t") -> None:
        self.path = directory / f"{role}-{pid}.sock"
        self.snapshot = Snapshot(role, pid, mark, {})
        self.hangs = False
        self._server = HealthServer({"/counters": self._counters})
        self._listener = socket.socket(socket.AF_UNIX)

    def committed(self, count: int, batch: int = 0) -> None:
        values: Values = {
            metrics.LEDGER_ENTRIES_COMMITTED.name: {(): count},
            metrics.WRITER_BATCH_ENTRIES.name: {(): batch},
        }
        self.snapshot = self.snapshot._replace(values=values)

    def farewell(self, count: int) -> None:
        self.committed(count)
        self.path.with_suffix(".json").write_bytes(self.snapshot.to_json())

    async def start(self) -> None:
        self.path.unlink(missing_ok=True)
        self._listener.bind(str(self.path))
        self._listener.listen()
        self._listener.setblocking(False)
        await self._server.listen(self._listener)

    async def _counters(self) -> HealthAnswer:
        if self.hangs:
            await asyncio.sleep(60)
        return HealthAnswer(HTTPStatus.OK, "application/json", self.snapshot.to_json())

    def die(self) -> None:
        """As by SIGKILL: the socket stays."""
        self._server.close()


@pytest.fixture
def directory():
    """Of a short path, as that of a socket has to be."""
    with tempfile.TemporaryDirectory(prefix="w-") as made:
        yield Path(made)


def run_dir(path: Path, make: Callable[[], object] = lambda: None) -> RunDirectory:
    """A run directory that is there already, and stays."""
    return RunDirectory(path, make, lambda: None)


@pytest.fixture
async def start(directory):
    """Start other processes; they end with the test."""
    started = []

    async def start(role: str, pid: int, mark: str = "t") -> OtherProcess:
        process = OtherProcess(directory, role, pid, mark)
        await process.start()
        started.append(process)
        return process

    yield start
    for process in started:
        process.die()


def read(text: bytes) -> dict[tuple[str, ...], float]:
    """Name and values of labels → value."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


async def scrape(collecting: Collector) -> dict[tuple[str, ...], float]:
    """What all processes have counted."""
    return read(await collecting.exposition())


COMMITTED = (metrics.LEDGER_ENTRIES_COMMITTED.name,)
BATCH = (metrics.WRITER_BATCH_ENTRIES.name,)


def up(role: str) -> tuple[str, str]:
    """Whether processes of a role are there."""
    return (metrics.PROCESS_UP.name, role)


@pytest.fixture
def before(monkeypatch):
    """What this process, which is the admin process here, has counted before: nothing, whatever ran in it."""
    monkeypatch.setattr(metrics.LEDGER_ENTRIES_COMMITTED.labels(), "value", 0)
    return 0


async def test_all_processes_are_one_scrape(directory, start, before):
    """With those that hang as they were last, and without their gauges; a dead one's socket is removed."""
    one, two = await start("worker", 1), await start("writer", 2)
    one.committed(5, batch=3)
    two.committed(7, batch=9)
    collecting = Collector(directory, ProcessCounters("admin"))
    seen = await scrape(collecting)
    assert seen[COMMITTED] == before + 12
    assert seen[BATCH] == 9
    assert (seen[up("worker")], seen[up("writer")], seen[up("admin")]) == (1, 1, 1)
    assert seen[(metrics.BUILD_INFO.name, *next(iter(metrics.BUILD_INFO.series)))] == 1
    two.die()
    one.committed(6, batch=3)
    seen = await scrape(collecting)
    assert seen[COMMITTED] == before + 13
    assert seen[BATCH] == 3
    assert (seen[up("worker")], seen[up("writer")]) == (1, 0)
    assert not two.path.exists()


async def test_a_process_that_hangs_is_shown_and_does_not_hold_up_the_scrape(directory, start, before, monkeypatch):
    """Its counters stay; when it answers again it is one process as before."""
    monkeypatch.setattr(collector, "ANSWER_LIMIT_S", 0.1)
    one, two = await start("worker", 1), await start("worker", 2)
    one.committed(5)
    two.committed(7)
    collecting = Collector(directory, ProcessCounters("admin"))
    await scrape(collecting)
    two.hangs = True
    two.committed(8)
    seen = await scrape(collecting)
    assert (seen[COMMITTED], seen[up("worker")]) == (before + 12, 0)
    two.hangs = False
    seen = await scrape(collecting)
    assert (seen[COMMITTED], seen[up("worker")]) == (before + 13, 1)


async def test_many_scrapes_at_once_wait_no_longer_than_one(directory, start, monkeypatch):
    """Just when a process hangs somebody may ask again and again: a scrape is for all who wait for it."""
    monkeypatch.setattr(collector, "ANSWER_LIMIT_S", 0.2)
    one = await start("worker", 1)
    one.hangs = True
    collecting = Collector(directory, ProcessCounters("admin"))
    async with asyncio.timeout(3):
        gone, *others = [asyncio.create_task(collecting.exposition()) for _ in range(40)]
        await asyncio.sleep(0.05)
        gone.cancel()  # a client that goes away takes nothing from the others
        seen = set(await asyncio.gather(*others))
    assert {read(text)[up("worker")] for text in seen} == {0}


async def test_a_directory_that_cannot_be_read_for_a_moment_doubles_nothing(directory, start, before, monkeypatch):
    """As without a file descriptor to be had: nobody knows whether a process has ended."""
    one = await start("worker", 1)
    one.committed(5)
    collecting = Collector(directory, ProcessCounters("admin"))
    assert (await scrape(collecting))[COMMITTED] == before + 5

    def refuse(_: Path) -> None:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "iterdir", refuse)
        seen = await scrape(collecting)
        assert (seen[COMMITTED], seen[up("worker")]) == (before + 5, 0)
    seen = await scrape(collecting)
    assert (seen[COMMITTED], seen[up("worker")]) == (before + 5, 1)


async def test_totals_survive_the_admin_process(directory, start, before):
    """What it had collected of processes that are gone, and of itself."""
    one = await start("worker", 1)
    one.committed(5)
    await scrape(Collector(directory, ProcessCounters("admin")))
    one.die()
    seen = await scrape(Collector(directory, ProcessCounters("admin")))
    assert seen[COMMITTED] == 2 * before + 5


async def test_a_farewell_is_taken_once(directory, start, before):
    """Also while its process still answers; then its file is removed."""
    one = await start("worker", 1)
    one.committed(5)
    collecting = Collector(directory, ProcessCounters("admin"))
    await scrape(collecting)
    one.farewell(6)
    assert (await scrape(collecting))[COMMITTED] == before + 6
    one.die()
    for _ in range(3):
        assert (await scrape(collecting))[COMMITTED] == before + 6
    assert [path.name for path in directory.iterdir()] == [run_directory.TOTALS_FILE]


async def test_a_full_disk_stops_no_scrape(directory, start, before, monkeypatch):
    """Totals are in memory, too."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run_directory, "write_file", full)
    one = await start("worker", 1)
    one.committed(5)
    one.farewell(6)
    collecting = Collector(directory, ProcessCounters("admin"))
    for _ in range(2):
        assert (await scrape(collecting))[COMMITTED] == before + 6
    one.die()
    for _ in range(2):
        assert (await scrape(collecting))[COMMITTED] == before + 6


async def test_a_disk_that_hangs_hides_no_counters(directory, start, before, monkeypatch):
    """Just then they are looked at. What could not be written before is written once the disk turns again."""
    monkeypatch.setattr(collector, "SAVE_LIMIT_S", 0.05)
    released, write = threading.Event(), run_directory.write_file

    def hang(path: Path, text: bytes) -> None:
        released.wait(20)
        write(path, text)

    monkeypatch.setattr(run_directory, "write_file", hang)
    one = await start("worker", 1)
    collecting = Collector(directory, ProcessCounters("admin"))
    try:
        for count in (1, 2):
            one.committed(count)
            assert (await scrape(collecting))[COMMITTED] == before + count
    finally:
        released.set()
    await until_exists(directory / run_directory.TOTALS_FILE)


@pytest.mark.parametrize("garbage", [b"", b"{", b"[1]", b"\xff" * 100])
async def test_garbage_in_the_directory_is_no_fault(directory, start, before, garbage):
    """Nor a file with another name, a socket that is no HTTP server, or no directory at all."""
    (directory / run_directory.TOTALS_FILE).write_bytes(garbage)
    (directory / "worker-9.json").write_bytes(garbage)
    (directory / "worker-x.sock").write_bytes(garbage)
    (directory / "worker-8.sock").write_bytes(garbage)
    collecting = Collector(directory, ProcessCounters("admin"))
    assert (await scrape(collecting))[COMMITTED] == before
    assert not (directory / "worker-9.json").exists()
    assert not (directory / "worker-8.sock").exists()
    assert (await scrape(Collector(directory / "none", ProcessCounters("admin"))))[COMMITTED] == before


async def test_a_process_serves_its_own_health_and_counters(directory):
    """On a private socket, which goes with it."""
    states = {"redis": "ok"}
    health = ProcessHealth("worker", run_dir(directory), lambda: states)
    async with health.served():
        path = directory / f"worker-{os.getpid()}.sock"
        await until_exists(path)
        assert path.stat().st_mode & 0o777 == 0o600
        assert b'"status":"ok"' in await get(path, "/livez")
        assert (await get(path, "/readyz")).startswith(b"HTTP/1.1 200 ")
        states["redis"] = "away"
        answer = await get(path, "/readyz")
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b'"components":{"redis":"away"}' in answer
        text = (await get(path, "/metrics")).partition(b"\r\n\r\n")[2].decode()
        found = {family.name: family for family in text_string_to_metric_families(text)}
        (memory,) = [s for s in found["wallet_process_resident_memory_bytes"].samples if s.labels["role"] == "worker"]
        assert memory.value > 10**6
        assert Snapshot.from_json((await get(path, "/counters")).partition(b"\r\n\r\n")[2]).role == "worker"
    assert not list(directory.iterdir())


async def test_at_its_orderly_end_a_process_leaves_its_counters_to_the_admin_process(directory, start, before):
    """If there is one; what it counted after it was last asked is not lost."""
    await start("admin", 1)
    async with ProcessHealth("worker", run_dir(directory), dict).served():
        await until_exists(directory / f"worker-{os.getpid()}.sock")
    (left,) = run_directory.farewells(directory)
    assert Snapshot.from_json(left.path.read_bytes()).values[metrics.LEDGER_ENTRIES_COMMITTED.name] == {(): before}


async def test_a_socket_that_cannot_be_had_yet_is_had_later(directory, monkeypatch):
    """A full disk: the process does its work, says so once, and tries again."""
    monkeypatch.setattr(process_health, "BIND_AGAIN_S", 0.01)
    tries = []

    def make() -> None:
        tries.append(1)
        if len(tries) < 4:
            raise OSError(28, "No space left on device")

    async with ProcessHealth("worker", run_dir(directory, make), dict).served():
        await until_exists(directory / f"worker-{os.getpid()}.sock")
    async with ProcessHealth("worker", run_dir(directory / "none"), dict).served():
        await asyncio.sleep(0.05)


async def until_exists(path: Path) -> None:
    """Wait for a socket."""
    await asyncio.to_thread(_until_exists, path)


def _until_exists(path: Path) -> None:
    deadline_s = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < deadline_s
        time.sleep(0.005)


async def get(path: Path, target: str) -> bytes:
    """One answer, with its head."""
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(f"GET {target} HTTP/1.1\r\n\r\n".encode())
    try:
        return await asyncio.wait_for(reader.read(), 20)
    finally:
        writer.close()


async def test_of_two_admin_processes_the_first_keeps_the_totals(directory, start, before):
    """While one replaces another there are two. The second shows what the first has saved, and goes on when it ends."""
    writer = await start("writer", 2)
    writer.committed(7)
    first, second = (Collector(directory, ProcessCounters("admin")) for _ in range(2))
    async with first.running():
        assert (await scrape(first))[COMMITTED] == before + 7
        writer.farewell(8)
        writer.die()
        assert (await scrape(second))[COMMITTED] == before + 7
        assert writer.path.with_suffix(".json").exists()
    async with second.running():
        assert (await scrape(second))[COMMITTED] == before + 8
        assert not writer.path.with_suffix(".json").exists()
