"""From the worker to the files: nobody waits, nothing is raised, what does not fit is counted."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest

from seamless_wallet.calls import recorder as recorder_module
from seamless_wallet.calls.disk_room import free_share
from seamless_wallet.calls.record import CallRecord, decode_batch
from seamless_wallet.calls.recorder import Recorder
from seamless_wallet.calls.spool import FULL_S, DiskShort, Spool, SpoolFull
from seamless_wallet.calls.strangers import A_SOURCE_MAX, ALL_MAX, Strangers
from seamless_wallet.observability import metrics
from seamless_wallet.trusted_paths import UntrustedPath
from tests.call_history import BET, NOW_MS, call_record, encode_batch


def dropped(cause: str) -> float:
    """Calls that were dropped so far."""
    return metrics.CALLS_DROPPED.labels(cause).value


def kept(spool: Spool) -> list[CallRecord]:
    """All calls in the files."""
    return [call for path in spool.batches() for call in decode_batch(path.read_bytes())]


def recorder_of(spool: Spool) -> Recorder:
    """A recorder that writes there."""
    return Recorder(spool, lambda: NOW_MS, lambda: 0.0)


async def until(condition):
    """Wait for what a thread does."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - of a thread
            await asyncio.sleep(0.01)


async def test_what_is_recorded_is_in_files_when_the_recorder_ends(tmp_path):
    """All of it, in order, in files that only this user can read."""
    spool = Spool(tmp_path / "calls", "a")
    recorder = recorder_of(spool)
    sent = [call_record(transaction_id=f"t-{number}") for number in range(600)]
    async with recorder.running():
        for call in sent:
            recorder.record(call)
    assert kept(spool) == sent
    assert {path.stat().st_mode & 0o777 for path in spool.batches()} == {0o600}
    assert spool.directory.stat().st_mode & 0o777 == 0o700


async def test_calls_are_written_while_it_runs(tmp_path):
    """A killed worker loses its last second."""
    spool = Spool(tmp_path / "calls", "a")
    recorder = recorder_of(spool)
    async with recorder.running():
        recorder.record(BET)
        await until(lambda: kept(spool) == [BET])


async def test_a_store_that_hangs_holds_up_nobody(tmp_path, monkeypatch):
    """The queue fills up to its bound, whatever a thread holds; the rest is dropped, counted, and no call waits."""
    hangs = threading.Event()

    class Hanging(Spool):
        def write(self, content: bytes | bytearray, now_ms: int) -> None:
            hangs.wait()
            super().write(content, now_ms)

    monkeypatch.setattr(recorder_module, "QUEUE_BYTES_MAX", 10_000)
    monkeypatch.setattr(recorder_module, "BATCH_BYTES_MAX", 1_000)
    monkeypatch.setattr(recorder_module, "END_LIMIT_S", 0.01)
    recorder = recorder_of(Hanging(tmp_path / "calls", "a"))
    before, before_disk = dropped("queue"), dropped("disk")
    try:
        async with recorder.running():
            for _ in range(1000):
                recorder.record(BET)
            most = 10_000 // len(encode_batch([BET])) + 20
            assert 1000 - most <= dropped("queue") - before < 1000
        assert dropped("queue") - before + dropped("disk") - before_disk == 1000
    finally:
        hangs.set()


async def test_large_requests_fill_the_queue_by_their_bytes(tmp_path, monkeypatch):
    """A few hundred large bodies are as much as the queue may hold."""
    monkeypatch.setattr(recorder_module, "QUEUE_BYTES_MAX", 800)
    spool = Spool(tmp_path / "calls", "a")
    recorder, before = recorder_of(spool), dropped("queue")
    for _ in range(5):
        recorder.record(call_record(request=b"x" * 400, reply=b""))
    assert dropped("queue") - before == 3
    async with recorder.running():
        pass
    assert len(kept(spool)) == 2


@pytest.mark.parametrize(
    "fault", [OSError(28, "No space left on device"), SpoolFull("full"), DiskShort("short"), RuntimeError("a bug")]
)
async def test_a_full_disk_costs_the_history_and_nothing_else(tmp_path, fault):
    """What could not be written is counted. When there is room again, the next calls are written."""
    faults = [fault]

    class Failing(Spool):
        def write(self, content: bytes | bytearray, now_ms: int) -> None:
            if faults:
                raise faults[0]
            super().write(content, now_ms)

    spool = Failing(tmp_path / "calls", "a")
    recorder, before = recorder_of(spool), dropped("disk")
    async with recorder.running():
        recorder.record(BET)
        await until(lambda: dropped("disk") == before + 1)
        faults.clear()
        recorder.record(call_record(transaction_id="t-2"))
    assert [call.transaction_id for call in kept(spool)] == ["t-2"]


def test_a_write_that_fails_leaves_nothing(tmp_path, monkeypatch):
    """No half of a batch is found later, and no room is lost to it."""
    spool = Spool(tmp_path / "calls", "a")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        spool.write(b"x", NOW_MS)
    assert list(spool.directory.iterdir()) == []


def test_what_nobody_collects_is_bounded(tmp_path):
    """Without an admin process the files take so much of the disk and no more; collected ones make room."""
    spool = Spool(tmp_path / "calls", "a", bytes_max=1000)
    for _ in range(10):
        spool.write(b"x" * 100, NOW_MS)
    with pytest.raises(SpoolFull):
        spool.write(b"x", NOW_MS)
    next(spool.batches()).unlink()
    spool.write(b"x" * 100, NOW_MS + 1000 * FULL_S)


def test_files_that_nobody_collects_are_counted(tmp_path):
    """A worker with few calls leaves a small one a second: thousands of them, long before there are many bytes."""
    spool = Spool(tmp_path / "calls", "a", files_max=40)
    for _ in range(40):
        spool.write(b"x", NOW_MS)
    with pytest.raises(SpoolFull, match="40 files"):
        spool.write(b"x", NOW_MS)


def test_a_full_spool_is_looked_at_now_and_then(tmp_path, monkeypatch):
    """Each look costs the workers as much time as there are files."""
    looks, scandir = [], os.scandir

    def noted(directory):
        looks.append(directory)
        return scandir(directory)

    spool = Spool(tmp_path / "calls", "a", bytes_max=1)
    monkeypatch.setattr(os, "scandir", noted)
    for passed_ms in range(0, 2000 * FULL_S, 100):
        with pytest.raises(SpoolFull):
            spool.write(b"xx", NOW_MS + passed_ms)
    assert len(looks) == 2
    with pytest.raises(SpoolFull):
        spool.write(b"xx", NOW_MS - 60_000)  # the clock was set back
    assert len(looks) == 3


def test_the_last_of_the_disk_is_the_ledgers(tmp_path):
    """Nothing is recorded until there is room again."""
    free = [0.04]
    spool = Spool(tmp_path / "calls", "a", disk=lambda _: free[0])
    with pytest.raises(DiskShort, match="5%"):
        spool.write(b"x", NOW_MS)
    assert list(spool.batches()) == []
    free[0] = 0.06
    spool.write(b"x", NOW_MS + 1000 * FULL_S)
    assert len(list(spool.batches())) == 1
    assert 0 < free_share(tmp_path) < 1


def test_what_a_killed_process_left_half_written_is_removed(tmp_path):
    """Unless it may still be at it."""
    spool = Spool(tmp_path / "calls", "a")
    spool.write(b"x", NOW_MS)
    for begun_ms in (NOW_MS - 1, NOW_MS):
        (spool.directory / f"{begun_ms:013d}-b-1.part").touch()
    spool.remove_unfinished(NOW_MS)
    assert {path.suffix for path in spool.directory.iterdir()} == {".batch", ".part"}
    assert len(list(spool.directory.iterdir())) == 2
    Spool(tmp_path / "none").remove_unfinished(NOW_MS)


def test_two_processes_count_the_same_room(tmp_path):
    """The bound is that of the directory."""
    one, other = (Spool(tmp_path / "calls", name, bytes_max=1000) for name in "ab")
    one.write(b"x" * 900, NOW_MS)
    with pytest.raises(SpoolFull):
        other.write(b"x" * 200, NOW_MS)


def test_a_directory_that_others_may_write_is_refused(tmp_path):
    """They could plant calls that never came."""
    directory = tmp_path / "calls"
    directory.mkdir()
    directory.chmod(0o777)
    with pytest.raises(UntrustedPath):
        Spool(directory, "a").write(b"x", NOW_MS)


def test_strangers_are_sampled():
    """Some of each address, some of all together, and again in the next minute."""
    strangers = Strangers()
    assert sum(strangers.is_kept("192.0.2.1", NOW_MS) for _ in range(1000)) == A_SOURCE_MAX
    assert sum(strangers.is_kept(f"192.0.2.{number}", NOW_MS) for number in range(1000)) == ALL_MAX - A_SOURCE_MAX
    assert strangers.is_kept("192.0.2.1", NOW_MS + 60_000)


@pytest.mark.parametrize(
    ("peers", "most"),
    [
        ([f"2001:db8::{number:x}" for number in range(40)], A_SOURCE_MAX),
        ([f"2001:db8:0:{number:x}::1" for number in range(40)], 40),
        ([f"::ffff:192.0.2.{number}" for number in range(40)], 40),
        (["192.0.2.1", "::ffff:192.0.2.1"] * 20, A_SOURCE_MAX),
        (["not:an:address"] * 40, A_SOURCE_MAX),
    ],
)
def test_addresses_of_one_machine_are_one_source(peers, most):
    """Whoever has an IPv6 address has the 2^64 addresses of its network."""
    strangers = Strangers()
    assert sum(strangers.is_kept(peer, NOW_MS) for peer in peers) == most


async def test_strangers_hide_no_provider_whose_bodies_do_not_open(tmp_path):
    """Whoever has a right key has a quota of his own, and another provider has another one."""
    spool = Spool(tmp_path / "calls", "a")
    recorder = recorder_of(spool)
    async with recorder.running():
        for number in range(2 * ALL_MAX):
            peer = f"2001:db8:0:{number:x}::1"
            recorder.record(call_record(code="R2", reason="api_key", key_slot="", peer=peer))
            recorder.record(call_record(code="R2", reason="undecryptable", provider="noisy", peer=peer))
        recorder.record(call_record(code="R2", reason="undecryptable"))
    reasons = [(call.provider, call.reason) for call in kept(spool)]
    assert reasons.count(("acme", "api_key")) == reasons.count(("noisy", "undecryptable")) == ALL_MAX
    assert reasons.count(("acme", "undecryptable")) == 1


async def test_strangers_cannot_push_out_others(tmp_path):
    """R2 is sampled before it gets into the queue; nothing else is."""
    spool = Spool(tmp_path / "calls", "a")
    recorder, before = recorder_of(spool), dropped("strangers")
    async with recorder.running():
        for _ in range(500):
            recorder.record(call_record(code="R2", reason="api_key"))
            recorder.record(call_record(code="R1", reason="redis"))
    codes = [call.code for call in kept(spool)]
    assert (codes.count("R2"), codes.count("R1")) == (A_SOURCE_MAX, 500)
    assert dropped("strangers") - before == 500 - A_SOURCE_MAX


async def test_a_text_that_is_none_costs_one_call(tmp_path):
    """Half of it is in no file, and the others are."""
    spool = Spool(tmp_path / "calls", "a")
    recorder = recorder_of(spool)
    async with recorder.running():
        recorder.record(BET)
        with pytest.raises(UnicodeEncodeError):
            recorder.record(call_record(game_no="\ud800"))
        recorder.record(call_record(transaction_id="t-2"))
    assert [call.transaction_id for call in kept(spool)] == ["t-1", "t-2"]


@pytest.mark.parametrize("content", [b"", b"x", b"\x92\x03\x90", encode_batch([BET])[:-1]])
def test_what_is_no_batch_is_refused(content):
    """Torn by a loss of power, or of a newer version."""
    with pytest.raises(ValueError, match="batch"):
        decode_batch(content)
