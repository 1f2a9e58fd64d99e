"""What the history of calls costs: CPU of a worker per call, thread included, and CPU of the collector.

    python -m benchmarks.call_history [--calls 40000] [--rounds 5]

CPU time, not time: it is nearly the same on a busy machine. The records are made as the webhook makes them, of bets
with 600 bytes. The collector's part runs in the admin process.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, cast

from seamless_wallet.calls.recorder import Recorder
from seamless_wallet.calls.spool import Spool
from seamless_wallet.commands import Answer, Code, Command, Kind
from seamless_wallet.processes.system_ports import SystemClock
from seamless_wallet.providers import Echo, Key
from seamless_wallet.stores.sqlite_calls import SqliteCalls
from seamless_wallet.webhook.call_records import Call, CallRecords

WORKER_LIMIT_US: Final = 8.0
ALL_LIMIT_US: Final = 40.0

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


async def measure(directory: Path, calls: list[Call]) -> tuple[float, float]:
    """CPU microseconds per call: of the worker, and of the collector."""
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
    async with SqliteCalls(directory / "calls.db", spool) as store:
        began_s = time.process_time()
        await store.collect()
        collector_s = time.process_time() - began_s
    print(f"{(directory / 'calls.db').stat().st_size / len(calls):.0f} bytes a call in the file; ", end="")
    return worker_s * 1e6 / len(calls), collector_s * 1e6 / len(calls)


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark. Exit status 1 if a median is over its limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args(argv)
    calls = calls_of(arguments.calls)
    found = []
    for number in range(arguments.rounds):
        with tempfile.TemporaryDirectory(prefix="wallet-bench-") as directory:
            found.append(asyncio.run(measure(Path(directory), calls)))
        print(f"round {number + 1}: worker {found[-1][0]:.1f} µs, collector {found[-1][1]:.1f} µs a call", flush=True)
    worker_us, collector_us = (statistics.median(each) for each in zip(*found, strict=True))
    print(f"median: worker {worker_us:.1f} µs (limit {WORKER_LIMIT_US:g}), collector {collector_us:.1f} µs a call")
    return 0 if worker_us <= WORKER_LIMIT_US and worker_us + collector_us <= ALL_LIMIT_US else 1


if __name__ == "__main__":
    sys.exit(main())
