"""CPU of this process per EVALSHA: the pipeline beside redis-py's own client, its pool as large as the load.

    python -m benchmarks.pipeline_cpu [--commands 20000] [--rounds 5] [--in-flight 64]

Both run the same small script on the same private Valkey, in turn, round by round; the medians are compared. Only this
process's CPU counts, user and system: what a worker spends on Redis per event, less what it spends on everything else.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import uvloop
from redis.asyncio import BlockingConnectionPool, Redis

from seamless_wallet.engine.connection import UrlAddress
from seamless_wallet.engine.pipeline import Pipeline
from tests.valkey_server import start_valkey

SCRIPT: Final = "return {'DONE', ARGV[1]}"
KEYS: Final = ("{1}:head", "{1}:w:1:player-17", "{1}:i:1:player-17:0", "{1}:i:1:player-17:-1", "{1}:l:1", "{1}:r:1:0")
"""As many keys and arguments as a bet has."""
ARGUMENTS: Final = ("1", "0", b"d" * 16, b"f" * 16, b"p" * 400, "token", *("1",) * 13)

Execute = Callable[..., Awaitable[Any]]


async def cpu_us(execute: Execute, sha: str, commands: int, in_flight: int) -> float:
    """Microseconds of CPU per command, with `in_flight` callers that each wait for their reply."""

    async def caller() -> None:
        for _ in range(commands // in_flight):
            reply = await execute("EVALSHA", sha, len(KEYS), *KEYS, *ARGUMENTS)
            assert reply[0] == b"DONE"

    began_s = time.process_time()
    await asyncio.gather(*(caller() for _ in range(in_flight)))
    return (time.process_time() - began_s) / (commands // in_flight * in_flight) * 1e6


async def measure(url: str, arguments: argparse.Namespace) -> list[tuple[float, float]]:
    """Pairs of (pipeline, pool), one a round; the first round warms up and is left out."""
    pipeline = Pipeline(UrlAddress(url), deadline_ms=10_000, in_flight_max=arguments.in_flight)
    serving = asyncio.create_task(pipeline.run())
    await pipeline.usable.wait()
    pool = Redis(connection_pool=BlockingConnectionPool.from_url(url, max_connections=arguments.in_flight))
    sha = (await pipeline.execute("SCRIPT", "LOAD", SCRIPT)).decode()
    pairs = []
    for number in range(arguments.rounds + 1):
        in_pipeline = await cpu_us(pipeline.execute, sha, arguments.commands, arguments.in_flight)
        in_pool = await cpu_us(pool.execute_command, sha, arguments.commands, arguments.in_flight)
        if number:
            pairs.append((in_pipeline, in_pool))
            print(f"round {number}: pipeline {in_pipeline:6.1f} µs  pool {in_pool:6.1f} µs")
    await pool.aclose()
    await pool.connection_pool.disconnect()
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    await pipeline.close()
    return pairs


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark. It has no limit: the exit status is 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commands", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--in-flight", type=int, default=64)
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="wallet-bench-") as directory, start_valkey(Path(directory)) as server:
        pairs = uvloop.run(measure(server.url, arguments))
    in_pipeline, in_pool = (statistics.median(values) for values in zip(*pairs, strict=True))
    print(f"median: pipeline {in_pipeline:.1f} µs, pool {in_pool:.1f} µs, ratio {in_pool / in_pipeline:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
