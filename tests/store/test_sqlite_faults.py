"""SQLite at its worst: slow, locked, failing, killed in mid-commit, damaged."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from seamless_wallet.exit_status import EXIT_CONFIG, EXIT_TEMPFAIL
from seamless_wallet.ledger.fold import fold_wallet
from seamless_wallet.ledger.ports import LeaseHeld, StoreError
from seamless_wallet.stores.sqlite import SqliteLedger, init
from seamless_wallet.stores.sqlite.database import store_error
from tests.entries import forged
from tests.store.books import CURRENCIES, Book

BACKENDS = ("sqlite",)
ROOT = Path(__file__).parents[2]


async def test_reads_do_not_hold_up_the_event_loop(backend, store, book, monkeypatch):
    """A slow disk delays the caller only"""
    from seamless_wallet.stores.sqlite import reads as reading  # noqa: PLC0415

    entered = threading.Event()
    release = threading.Event()

    def slow(connection):
        entered.set()
        release.wait(5)
        return []

    monkeypatch.setattr(reading, "heads", slow)
    slow_read = asyncio.create_task(store.heads())
    assert await asyncio.to_thread(entered.wait, 5)
    assert await store.wallet("nobody") is None  # another thread
    await store.commit([book.take()])
    release.set()
    assert await slow_read == []


async def test_a_commit_waits_for_a_short_write_of_another_process(backend, store, book):
    """busy_timeout covers a registration of scripts"""
    other = sqlite3.connect(backend.path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.2, other.execute, ["COMMIT"])
    release.start()
    await store.commit([book.take()])
    release.join()
    other.close()
    assert (await store.heads())[0].seq == 2


async def test_a_locked_ledger_is_a_store_error_and_passes(tmp_path, book):
    """After the busy timeout; nothing is stored, and the next commit succeeds"""
    path = tmp_path / "ledger.db"
    init(path, 2, CURRENCIES)
    async with SqliteLedger.open(path, busy_timeout_ms=50) as store:
        store.acquire_lease()
        await store.take_over("n", range(2), 0)
        await store.open_epoch(0, 0, 1, "r", "p", "")
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked"):
            await store.commit([book.entries])
        other.execute("COMMIT")
        other.close()
        await store.commit([book.entries])
        assert (await store.heads())[0].seq == 2


class _LosesTheAnswer(sqlite3.Connection):
    """A connection whose COMMIT works, but reports that it failed."""

    lose = True

    def execute(self, sql, *args):
        cursor = super().execute(sql, *args)
        if sql == "COMMIT" and _LosesTheAnswer.lose:
            raise sqlite3.OperationalError("disk I/O error")
        return cursor


async def test_a_commit_of_unknown_outcome_is_safe_to_send_again(backend, store, book, monkeypatch):
    """It was committed, the caller does not know, and one effect remains"""
    real = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *args, **kwargs: real(*args, **kwargs, factory=_LosesTheAnswer))
    monkeypatch.setattr(_LosesTheAnswer, "lose", False)
    async with backend.open() as second:
        await store.close()
        second.acquire_lease()
        await second.take_over("second", range(2), 0)
        monkeypatch.setattr(_LosesTheAnswer, "lose", True)
        with pytest.raises(StoreError, match="disk I/O"):
            await second.commit([book.entries])
        monkeypatch.setattr(_LosesTheAnswer, "lose", False)
        await second.commit([book.entries])
        assert (await second.heads())[0].seq == 2
        assert [finding async for finding in second.verify()] == []


CRASHING_WRITER = """
import asyncio, sys
from seamless_wallet.stores.sqlite import SqliteLedger
from tests.store.books import Book

async def main():
    store = SqliteLedger.open(sys.argv[1])
    store.acquire_lease()
    await store.take_over("n", range(2), 0)
    books = [Book(0, 2), Book(1, 2)]
    for shard, book in enumerate(books):
        await store.open_epoch(shard, 0, 1, "r", "p", "")
        book.create()
        book.deposit(10**9)
    round_no = 0
    while True:
        for book in books:
            for _ in range(10):
                round_no += 1
                book.bet(f"g{round_no}", a=10, b=20)
                book.result(f"g{round_no}", a=(10, 10))
        await store.commit([book.take() for book in books])
        print(*(len(book.entries) for book in books), flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize("delay_ms", [50, 120, 333])
async def test_a_killed_writer_leaves_a_prefix(tmp_path, delay_ms):
    """SIGKILL in the middle of commits: all that was reported is there, and what is there is a whole beginning"""
    path = tmp_path / "ledger.db"
    init(path, 2, CURRENCIES)
    writer = subprocess.Popen(  # noqa: ASYNC220 - nothing else runs on this loop
        [sys.executable, "-c", CRASHING_WRITER, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout
    reported = [writer.stdout.readline()]
    with pytest.raises(LeaseHeld, match=str(writer.pid)):
        SqliteLedger.open(path).acquire_lease()
    await asyncio.sleep(delay_ms / 1000)
    writer.send_signal(signal.SIGKILL)
    reported += writer.stdout.readlines()
    writer.wait()
    writer.stdout.close()
    whole_lines = [line for line in reported if line.endswith("\n")]  # the kill may have cut the last one
    acknowledged = [int(count) for count in whole_lines[-1].split()]

    async with SqliteLedger.open(path) as store:
        store.acquire_lease()  # the kernel gave it back
        heads = await store.heads()
        for shard, head in enumerate(heads):
            assert acknowledged[shard] <= head.seq <= acknowledged[shard] + 20
            user_id = Book(shard, 2).user
            entries = await store.entries(user_id, None, 1_000_000)
            assert [entry.seq for entry in reversed(entries)] == list(range(1, head.seq + 1))
            wallet = None
            for entry in reversed(entries):
                wallet = fold_wallet(wallet, forged(entry, shard=shard))
            assert await store.wallet(user_id) == wallet
        assert [finding async for finding in store.verify()] == []


@pytest.mark.parametrize("seed", range(20))
async def test_verify_survives_a_damaged_file(backend, store, book, seed):
    """A page overwritten with noise: findings or a store error, never another exception"""
    import random  # noqa: PLC0415

    for nth in range(200):
        book.bet(f"g{nth}", a=1)
    await store.commit([book.take()])
    await store.close()
    noise = random.Random(seed)
    raw = bytearray(backend.path.read_bytes())
    page = noise.randrange(1, len(raw) // 4096) * 4096
    raw[page : page + 4096] = noise.randbytes(4096)
    backend.path.write_bytes(raw)
    try:
        async with backend.open() as damaged:
            assert [finding async for finding in damaged.verify()]
    except StoreError:
        pass


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (sqlite3.SQLITE_BUSY, EXIT_TEMPFAIL),
        (sqlite3.SQLITE_IOERR_READ, EXIT_TEMPFAIL),
        (sqlite3.SQLITE_FULL, EXIT_TEMPFAIL),
        (sqlite3.SQLITE_CORRUPT, EXIT_CONFIG),
        (sqlite3.SQLITE_NOTADB, EXIT_CONFIG),
        (sqlite3.SQLITE_CANTOPEN, EXIT_CONFIG),
        (None, EXIT_CONFIG),
    ],
)
def test_who_starts_a_process_again_knows_whether_it_may_help(code, status):
    """75 for what passes by itself, 78 for what somebody has to mend"""
    fault = sqlite3.OperationalError("no")
    if code is not None:
        fault.sqlite_errorcode = code
    assert store_error("the ledger failed", fault).exit_status == status


PROCESS = """
import sys
from seamless_wallet.ledger.ports import LeaseHeld, StoreAway, StoreError
from seamless_wallet.processes.event_loop import run_process
from seamless_wallet.settings import load_settings

async def main(*_):
    raise {error}("it is so")

sys.exit(run_process("writer", load_settings({{"WALLET_DATA_DIR": {directory!r}}}), main, None))
"""


@pytest.mark.parametrize(
    ("error", "status"), [("StoreAway", EXIT_TEMPFAIL), ("LeaseHeld", EXIT_TEMPFAIL), ("StoreError", EXIT_CONFIG)]
)
def test_a_process_ends_with_the_status_of_its_error(tmp_path, error, status):
    """So a supervisor does not give up on a ledger that is only busy, or on another writer that will end"""
    code = PROCESS.format(error=error, directory=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=50)
    assert (done.returncode, done.stderr) == (status, "wallet: it is so\n")
