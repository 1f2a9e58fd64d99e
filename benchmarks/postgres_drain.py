"""How fast writers drain a backlog into PostgreSQL: one alone, and two that share the shards.

    python -m benchmarks.postgres_drain [--entries 1000000] [--players 20000] [--rounds 12] [--batch 500]

Each writer is a process with half of the shards. Both fill the ledger of one private server, whose files are on a disk;
then each commits further entries alone, and both at once, in turn, round by round. Rows are built and proven in it; the
entries are decoded as they come, and are not read from Redis. Medians of entries a second are told, and their ratio.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Final

import uvloop

from benchmarks.ledger_commits import FILL_BATCH, SHARDS, Life, batches_of
from benchmarks.postgres_cpu import Version
from seamless_wallet.ledger.entry import Entry
from seamless_wallet.stores.postgres import PostgresLedger, init
from tests.postgres_server import Postgres

ENTRIES_A_ROUND: Final = 6_000

HALVES: Final = (range(SHARDS // 2), range(SHARDS // 2, SHARDS))


async def write(url: str, shards: Sequence[int], options: argparse.Namespace, parent: Connection) -> None:
    """Be one writer: fill, then commit as much as the parent asks for, and tell how long it took."""
    async with PostgresLedger.open(url) as ledger:
        await ledger.take_over(f"benchmark-{shards[0]}", shards, 0)
        for shard in shards:
            await ledger.open_epoch(shard, 0, 1, "", "", "")
        entries = Life(Version(), options.players // len(HALVES), shards).events()  # type: ignore[arg-type]  # it has all that is asked of one
        await _commit(ledger, _batches(entries, options.entries // len(HALVES), FILL_BATCH))
        parent.send(0.0)
        while (count := parent.recv()) is not None:
            batches = _batches(entries, count, options.batch)
            parent.send(0.0)
            parent.recv()  # go: both have their entries
            began_s = time.perf_counter()
            await _commit(ledger, batches)
            parent.send(time.perf_counter() - began_s)


def _batches(entries: Iterator[Entry], count: int, size: int) -> list[list[list[Entry]]]:
    return [batches_of(entries, size) for _ in range(0, count, size)]


async def _commit(ledger: PostgresLedger, all_batches: Sequence[Sequence[Sequence[Entry]]]) -> None:
    for batches in all_batches:
        await ledger.commit(batches)


def _run_writer(url: str, shards: Sequence[int], options: argparse.Namespace, parent: Connection) -> None:
    uvloop.run(write(url, shards, options, parent))


def drain(writers: Sequence[Connection], options: argparse.Namespace) -> float:
    """Entries a second of these writers together, each with the same number."""
    count: int = ENTRIES_A_ROUND // options.batch * options.batch
    for writer in writers:
        writer.send(count)
    for writer in writers:
        writer.recv()
    for writer in writers:
        writer.send(0)
    seconds = [float(writer.recv()) for writer in writers]
    return count * len(writers) / max(seconds)


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark. Returns 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--players", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--batch", type=int, default=500)
    options = parser.parse_args(argv)
    spawn = get_context("spawn")
    with Postgres(base=tempfile.gettempdir(), max_wal_size="8GB", shared_buffers="1GB") as server:
        init(server.url(), SHARDS, {"KRW": 2})
        pipes = [spawn.Pipe() for _ in HALVES]
        processes = [
            spawn.Process(target=_run_writer, args=(server.url(), shards, options, theirs))
            for shards, (_, theirs) in zip(HALVES, pipes, strict=True)
        ]
        for process in processes:
            process.start()
        ours = [mine for mine, _ in pipes]
        for writer in ours:
            writer.recv()
        alone: list[float] = []
        together: list[float] = []
        for _ in range(options.rounds):
            alone.append(statistics.mean(drain([writer], options) for writer in ours))
            together.append(drain(ours, options))
        for writer in ours:
            writer.send(None)
        for process in processes:
            process.join()
    ratio = statistics.median(both / one for both, one in zip(together, alone, strict=True))
    print(f"one writer {statistics.median(alone):6.0f} entries/s")
    print(f"two        {statistics.median(together):6.0f} entries/s, {ratio:.2f} of one")
    return 0


if __name__ == "__main__":
    sys.exit(main())
