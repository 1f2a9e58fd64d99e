"""What a commit costs in PostgreSQL: CPU an entry of the writer and of its backend, entries a second, bytes an event.

    python -m benchmarks.postgres_cpu [--entries 1000000] [--players 20000] [--rounds 20]

Fills a ledger in a private server, whose files are on a disk, then commits further entries in batches of 25, 100 and
500, in turn, round by round; medians are told. The writer's CPU is that of its process: rows are built, proven and
sent in it. The backend's is that of the one process of the server that answers it. Bets and results of one item each,
players at random, 16 shards. Bytes are those of one-bet events alone, with all indexes, without the log.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import asyncpg
import uvloop

from benchmarks.ledger_commits import FILL_BATCH, SHARDS, Life, batches_of
from seamless_wallet import commands
from seamless_wallet.ledger.entry import Entry
from seamless_wallet.ledger.payload import encode_payload
from seamless_wallet.stores.postgres import PostgresLedger, init
from tests.postgres_server import Postgres

BATCHES: Final = (25, 100, 500)
ENTRIES_A_ROUND: Final = 2_000
SIZES: Final = (
    "SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class "
    "WHERE relkind = 'r' AND relnamespace = 'ledger'::regnamespace"
)


class Version:
    """What `Life` needs of a version of the program: this one."""

    names = commands
    shard_of = staticmethod(commands.shard_of)

    def entry(self, shard: int, seq: int, command: Any, decided: bytes) -> Entry:
        """The entry as Redis would stream it."""
        return Entry(shard, 1, seq, command.user_id, command.provider, encode_payload(command), decided)


def cpu_s(pid: int) -> float:
    """What a process has used so far."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


async def measure(ledger: PostgresLedger, backend: int, entries: Iterator[Entry], size: int) -> tuple[float, ...]:
    """Of one round: µs of CPU an entry, of the writer and of its backend, and entries a second."""
    rounds = [batches_of(entries, size) for _ in range(0, ENTRIES_A_ROUND, size)]
    began_s, writer_s, backend_s = time.perf_counter(), time.process_time(), cpu_s(backend)
    for batches in rounds:
        await ledger.commit(batches)
    count = size * len(rounds)
    used = (time.process_time() - writer_s, cpu_s(backend) - backend_s)
    return (*(1e6 * s / count for s in used), count / (time.perf_counter() - began_s))


async def run(url: str, options: argparse.Namespace) -> None:
    """Fill, measure, tell."""
    direct = await asyncpg.connect(url)
    async with PostgresLedger.open(url) as ledger:
        await ledger.take_over("benchmark", range(SHARDS), 0)
        for shard in range(SHARDS):
            await ledger.open_epoch(shard, 0, 1, "", "", "")
        life = Life(Version(), options.players)  # type: ignore[arg-type]  # it has all that is asked of one
        entries = life.events()
        for _ in range(0, options.entries, FILL_BATCH):
            await ledger.commit(batches_of(entries, FILL_BATCH))
        await direct.execute("VACUUM ANALYZE")
        await direct.execute("CHECKPOINT")
        writer = ledger._connections._writer  # noqa: SLF001 - its backend is measured
        assert writer
        figures: dict[int, list[tuple[float, ...]]] = {size: [] for size in BATCHES}
        for _ in range(options.rounds):
            for size in BATCHES:
                figures[size].append(await measure(ledger, writer.get_server_pid(), entries, size))
        for size, found in figures.items():
            ours, theirs, rate = (statistics.median(column) for column in zip(*found, strict=True))
            print(
                f"batches of {size:4}: writer {ours:5.1f} µs an entry, backend {theirs:5.1f} µs, {rate:6.0f} entries/s"
            )
        await _tell_bytes(direct, ledger, life)
    await direct.close()


async def _tell_bytes(direct: Any, ledger: PostgresLedger, life: Life) -> None:
    open_now = [player for player, game in enumerate(life._open) if game]  # noqa: SLF001
    settled = [life._play(player) for player in open_now]  # noqa: SLF001
    for start in range(0, len(settled), FILL_BATCH):
        await ledger.commit(batches_of(iter(settled[start : start + FILL_BATCH]), FILL_BATCH))
    await direct.execute("VACUUM")
    before = await direct.fetchval(SIZES)
    bets = [life._play(player) for player in range(len(life._open))]  # noqa: SLF001 - nobody has a bet: all place one
    for start in range(0, len(bets), FILL_BATCH):
        await ledger.commit(batches_of(iter(bets[start : start + FILL_BATCH]), FILL_BATCH))
    after = await direct.fetchval(SIZES)
    print(f"a one-bet event: {(after - before) / len(bets):.0f} bytes, all indexes")


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark. Returns 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--players", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args(argv)
    with Postgres(base=tempfile.gettempdir(), max_wal_size="8GB", shared_buffers="1GB") as server:
        init(server.url(), SHARDS, {"KRW": 2})
        uvloop.run(run(server.url(), options))
    return 0


if __name__ == "__main__":
    sys.exit(main())
