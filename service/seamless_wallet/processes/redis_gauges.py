"""What the Redis server says of itself, as metrics: memory, keys, clients, CPU, scripts, streams, and its clock."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from seamless_wallet.engine import keys
from seamless_wallet.engine.pipeline import Pipeline
from seamless_wallet.ledger.ports import LedgerReader
from seamless_wallet.observability import metrics
from seamless_wallet.ports import Clock
from seamless_wallet.processes.clock_difference import tell_clock_difference

if TYPE_CHECKING:
    from seamless_wallet.observability.instruments import CounterSeries

INFO_SECTIONS: Final = ("memory", "clients", "cpu", "stats", "keyspace", "commandstats")
"""Of INFO, beside `server`, which has the time."""

SCRIPT_COMMANDS: Final = ("cmdstat_eval", "cmdstat_evalsha")


class Growth:
    """Has a counter follow a total of another program, which begins anew when that restarts."""

    def __init__(self, counter: CounterSeries) -> None:
        self._counter = counter
        self._last: float | None = None

    def follow(self, total: float) -> None:
        """The total is so much now. What it was before we first looked is not counted."""
        if self._last is not None:
            self._counter.inc(total - self._last if total >= self._last else total)
        self._last = total


class RedisGauges:
    """Asks the server now and then. `ledger` says which streams there are."""

    def __init__(self, pipeline: Pipeline, ledger: LedgerReader, clock: Clock) -> None:
        self._pipeline = pipeline
        self._ledger = ledger
        self._clock = clock
        self._evicted = Growth(metrics.REDIS_EVICTED_KEYS.labels())
        self._cpu = Growth(metrics.REDIS_CPU_SECONDS.labels())
        self._calls = Growth(metrics.REDIS_SCRIPT_CALLS.labels())
        self._seconds = Growth(metrics.REDIS_SCRIPT_SECONDS.labels())

    async def measure(self) -> None:
        """Measure once. Raises RedisUnavailable, ResponseError or StoreError."""
        await self._compare_clocks()
        parts = await asyncio.gather(*(self._pipeline.execute("INFO", section) for section in INFO_SECTIONS))
        self._tell(parse_info(b"\r\n".join(parts)))
        heads = await self._ledger.heads()
        streams = (keys.stream(shard, head.epoch) for shard, head in enumerate(heads))
        lengths = await asyncio.gather(*(self._pipeline.execute("XLEN", stream) for stream in streams))
        metrics.REDIS_STREAM_ENTRIES.set(sum(lengths))

    async def _compare_clocks(self) -> None:
        asked_ms = self._clock.now_ms()
        server = parse_info(await self._pipeline.execute("INFO", "server"))
        there_us = server.get("server_time_usec")
        answered_ms = self._clock.now_ms()
        tell_clock_difference("redis", asked_ms, int(there_us) / 1000 if there_us else None, answered_ms)

    def _tell(self, info: Mapping[str, str]) -> None:
        metrics.REDIS_MEMORY_BYTES.labels("used").set(int(info["used_memory"]))
        metrics.REDIS_MEMORY_BYTES.labels("limit").set(int(info["maxmemory"]))
        metrics.REDIS_CLIENTS.set(int(info["connected_clients"]))
        databases = [_fields(text) for name, text in info.items() if name.startswith("db") and "keys=" in text]
        metrics.REDIS_KEYS.set(sum(int(database["keys"]) for database in databases))
        self._evicted.follow(int(info["evicted_keys"]))
        self._cpu.follow(float(info["used_cpu_sys"]) + float(info["used_cpu_user"]))
        scripts = [_fields(info[name]) for name in SCRIPT_COMMANDS if name in info]
        self._calls.follow(sum(int(script["calls"]) for script in scripts))
        self._seconds.follow(sum(int(script["usec"]) for script in scripts) / 1_000_000)


def parse_info(text: bytes) -> dict[str, str]:
    """The fields of INFO."""
    return dict(line.split(":", 1) for line in text.decode().splitlines() if ":" in line)


def _fields(text: str) -> dict[str, str]:
    """`a=1,b=2`, as INFO writes what has parts."""
    return dict(part.split("=", 1) for part in text.split(","))
