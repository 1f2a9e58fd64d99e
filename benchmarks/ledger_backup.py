"""What a backup costs the writer that commits beside it: how long each way of copying takes, and how the log grows."""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from seamless_wallet.stores.sqlite import SqliteLedger, init
from seamless_wallet.stores.sqlite.backup import back_up
from tests.store.books import CURRENCIES, Book

SHARDS = 2
QUIET_S = 5.0
GIVEN_UP_S = 10.0


async def write(path: Path, fill: int) -> None:
    """Fill a new ledger with so many entries, then commit 20 at a time, and print when and how long each took."""
    init(path, SHARDS, CURRENCIES)
    async with SqliteLedger.open(path) as ledger:
        ledger.acquire_lease()
        await ledger.take_over("nonce-1", range(SHARDS), 0)
        await ledger.open_epoch(0, 0, 1, "run", "repl", "")
        book = Book(0, SHARDS)
        book.create()
        book.deposit(10**9)
        number = 0
        while True:
            filling = len(book.entries) < fill
            for _ in range(500 if filling else 10):
                number += 1
                book.bet(f"g{number}", a=10, b=20)
                book.result(f"g{number}", a=(10, 10))
            began_s = time.monotonic()
            await ledger.commit([book.take()])
            if not filling:
                print(began_s, time.monotonic() - began_s, flush=True)


@contextmanager
def writing(path: Path, fill: int, log: Path) -> Iterator[None]:
    """A writer beside, from its first small commit on."""
    with log.open("w") as output:
        command = [sys.executable, "-m", "benchmarks.ledger_backup", "--write", str(path), "--entries", str(fill)]
        writer = subprocess.Popen(command, stdout=output)
        try:
            while not log.stat().st_size:
                time.sleep(0.1)
            yield
        finally:
            writer.kill()
            writer.wait()


def backup_api_alone(ledger: Path, target: Path) -> None:
    """Without a transaction around it, the copy begins again after each commit."""
    began_s = time.monotonic()

    def told(_status: int, remaining: int, total: int) -> None:
        if time.monotonic() > began_s + GIVEN_UP_S:
            raise TimeoutError(f"given up with {remaining} of {total} pages to go")

    with closing(sqlite3.connect(ledger)) as source, closing(sqlite3.connect(target)) as copy:
        try:
            source.backup(copy, pages=1_000, progress=told)
        except TimeoutError as error:
            print(f"  {error}")


def vacuum_into(ledger: Path, target: Path) -> None:
    """Builds each table and index anew."""
    with closing(sqlite3.connect(ledger)) as source:
        source.execute("VACUUM INTO ?", (str(target),))


def wallet_backup(ledger: Path, target: Path) -> None:
    """`wallet backup`, with its check; the copy alone is timed by what it tells."""
    began_s = time.monotonic()
    copied_s = []

    def told(_done: int, _total: int) -> None:
        copied_s.append(time.monotonic() - began_s)

    back_up(ledger, target, replace=False, copying=told, checking=lambda _done, _total: None)
    print(f"  copied in {copied_s[-1]:.2f} s")


def show(name: str, began_s: float, ended_s: float, log: Path) -> None:
    """The writer's commits of one stretch of time."""
    rows = [line.split() for line in log.read_text().splitlines(keepends=True) if line.endswith("\n")]
    took = sorted(float(took_s) for at_s, took_s in rows if began_s <= float(at_s) <= ended_s)
    half, most = took[len(took) // 2] * 1000, took[int(len(took) * 0.99)] * 1000
    print(
        f"{name}: {ended_s - began_s:.2f} s; {len(took)} commits beside it, "
        f"p50 {half:.1f} ms, p99 {most:.1f} ms, max {took[-1] * 1000:.1f} ms"
    )


def main(argv: list[str] | None = None) -> int:
    """Measure all of them on one ledger."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ledger_backup", description=__doc__)
    parser.add_argument("--entries", type=int, default=100_000, help="of the ledger when it begins (%(default)s)")
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.write:
        asyncio.run(write(options.write, options.entries))
    ways: list[Callable[[Path, Path], None]] = [wallet_backup, vacuum_into, backup_api_alone]
    with tempfile.TemporaryDirectory(prefix="ledger-backup-") as directory:
        ledger, log = Path(directory) / "ledger.db", Path(directory) / "writer.log"
        wal = Path(f"{ledger}-wal")
        with writing(ledger, options.entries, log):
            began_s = time.monotonic()
            time.sleep(QUIET_S)
            show("nothing", began_s, time.monotonic(), log)
            for way in ways:
                began_s, before = time.monotonic(), wal.stat().st_size
                way(ledger, Path(directory) / way.__name__)
                ended_s, after = time.monotonic(), wal.stat().st_size
                show(way.__name__, began_s, ended_s, log)
                print(f"  the log had {before / 1e6:.0f} MB, and has {after / 1e6:.0f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
