"""What the history of calls costs: CPU of a worker per call, thread included, and CPU of the collector.

    python -m benchmarks.call_history [--calls 40000] [--rounds 5] [--postgres]

CPU time, not time: it is nearly the same on a busy machine. The records are made as the webhook makes them, of bets
with 600 bytes. The collector's part runs in the admin process, and with --postgres that of its backend is told as well.
Here all caches are warm: `benchmarks.call_history_load` says what it costs beside all else that a service does.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, cast

import asyncpg

from benchmarks.processes import cpu_of, used_between
from seamless_wallet.calls.recorder import Recorder
from seamless_wallet.calls.spool import Spool
from seamless_wallet.commands import Answer, Code, Command, Kind
from seamless_wallet.processes.system_ports import SystemClock
from seamless_wallet.providers import Echo, Key
from seamless_wallet.stores.kept_calls import KeptCalls
from seamless_wallet.stores.postgres_calls import PostgresCalls, init_calls
from seamless_wallet.stores.sqlite_calls import SqliteCalls
from seamless_wallet.webhook.call_records import Call, CallRecords
from tests.postgres_server import Postgres

WORKER_LIMIT_US: Final = 8.0
ALL_LIMIT_US: Final = 40.0

FOR_EVER_MS: Final = 2**42
"""After all calls."""

REQUEST: Final = b'{"transaction_id":"2_bench_1771000001000_bet_1","event_type":"bet"' + b"," + b"x" * 530 + b"}"
REPLY: Final = b'{"code":"R0","event_type":"bet","timestamp":1771000001,"user_id":"player-1","latest_balance":100}'


def calls_of(count: int) -> list[Call]:
    """Answered calls of many players."""
    made = []
    for number in range(count):
        call = Call(1.0)
        call.opened_s, call.sent_s, call.answered_s, call.decided_s = 1.0001, 1.0002, 1.0006, 1.002
        call.key = cast("Key", SimpleNamespace(text="key"))
        call.echo = Echo("bet", 1_771_000_001, f"player-{number % 500}")
        call.command = Command(
            kind=Kind.BET,
            provider="bench",
            user_id=f"player-{number % 500}",
            transaction_id=f"2_bench_1771000001000_bet_{number}",
            timestamp_ms=1_771_000_001_000,
            received_ms=1_771_000_001_000 + number // 3,
            game_no=f"game-{number}",
        )
        call.request, call.reply = REQUEST, REPLY
        made.append(call)
    return made


async def size_in(server: Postgres) -> int:
    """Bytes of all partitions, with their indexes. Empties them."""
    connection = await asyncpg.connect(server.url())
    size = await connection.fetchval("SELECT sum(pg_total_relation_size('calls.call_' || first_id)) FROM calls.piece")
    await connection.execute("TRUNCATE calls.call")
    await connection.close()
    return int(size)


async def measure(directory: Path, calls: list[Call], server: Postgres | None) -> tuple[float, float, float]:
    """CPU microseconds per call: of the worker, of the collector, and of PostgreSQL."""
    clock = SystemClock()
    spool = Spool(directory / "calls", "bench")
    recorder = Recorder(spool, clock.now_ms, clock.monotonic_s)
    key = SimpleNamespace(text="key")
    profile = SimpleNamespace(event_types=frozenset({"bet"}))
    provider: Any = SimpleNamespace(name="bench", keys=(key,), profile=profile)
    records = CallRecords(provider, recorder, clock, ())
    request: Any = SimpleNamespace(remote="192.0.2.7")
    answer = Answer(Code.R0, "bet", 100, 0, "KRW")
    began_s = time.process_time()
    async with recorder.running():
        for first in range(0, len(calls), 250):
            for call in calls[first : first + 250]:
                records.record(call, request, answer, 1.0021)
            await asyncio.sleep(0.01)
    worker_s = time.process_time() - began_s
    roots = [server.pid] if server else []
    store: KeptCalls = PostgresCalls(server.url(), spool) if server else SqliteCalls(directory / "calls.db", spool)
    async with store:
        before, began_s = cpu_of(roots), time.process_time()
        await store.collect()
        collector_s = time.process_time() - began_s
        backend_s = sum(used_between(before, cpu_of(roots)).values())
        size = await size_in(server) if server else (directory / "calls.db").stat().st_size
        began_s = time.process_time()
        while await store.prune(FOR_EVER_MS, 2**60):
            pass
        deleting_s = time.process_time() - began_s
    print(f"{size / len(calls):.0f} bytes a call, {deleting_s * 1e6 / len(calls):.1f} µs to delete it; ", end="")
    return worker_s * 1e6 / len(calls), collector_s * 1e6 / len(calls), backend_s * 1e6 / len(calls)


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark. Exit status 1 if a median is over its limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--postgres", action="store_true", help="keep the calls in a PostgreSQL of its own")
    arguments = parser.parse_args(argv)
    calls = calls_of(arguments.calls)
    found = []
    with ExitStack() as stack:
        server = stack.enter_context(Postgres(None)) if arguments.postgres else None
        if server:
            init_calls(server.url())
        for number in range(arguments.rounds):
            with tempfile.TemporaryDirectory(prefix="wallet-bench-") as directory:
                found.append(asyncio.run(measure(Path(directory), calls, server)))
            worker_us, collector_us, backend_us = found[-1]
            print(
                f"round {number + 1}: worker {worker_us:.1f} µs, collector {collector_us:.1f} µs, "
                f"PostgreSQL {backend_us:.1f} µs a call",
                flush=True,
            )
    worker_us, collector_us, backend_us = (statistics.median(each) for each in zip(*found, strict=True))
    all_us = worker_us + collector_us + backend_us
    print(f"median: worker {worker_us:.1f} µs (limit {WORKER_LIMIT_US:g}), all {all_us:.1f} (limit {ALL_LIMIT_US:g})")
    return 0 if worker_us <= WORKER_LIMIT_US and all_us <= ALL_LIMIT_US else 1


if __name__ == "__main__":
    sys.exit(main())
