"""How long a bet takes, from request to answer, beside other versions of the program, in one run.

    python -m benchmarks.commit_latency [--against DIR ...] [--rounds 10] [--bets 200] [--rate 300] [--players 200]

`--against` is a checkout of another version, the first one for instance: `git worktree add /tmp/first 626a578`, then
`--against /tmp/first`. A complete service (`wallet up`) of each runs beside the others, each on a ledger of its own.
They are loaded in turn, round by round: first one bet at a time, the next one when the answer is there, then bets that
come at a fixed rate, answered or not. A bet that could not be sent in time waits, and that counts. Every answer is
checked. What the disk takes for an fsync is measured in between, as no bet is told before one.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import uvloop

from benchmarks.load import ask
from benchmarks.worker_cpu import Service, provider, requests_of, running, wait_until_ready
from seamless_wallet.commands import Kind

HERE: Final = Path(__file__).parents[1]
FSYNCS: Final = 50
REST_S: Final = 0.3
"""Between two loads: what the one before has left to do is done."""

Timed = list[tuple[float, bytes]]
"""Seconds and sealed answer of each request."""


class Version:
    """One version of the program, and what was measured of it."""

    def __init__(self, name: str, checkout: Path, directory: Path, players: int) -> None:
        self.name = name
        self._players = players
        self._sent = 0
        directory.mkdir(mode=0o700)
        self.service = Service(directory)
        package = "seamless_wallet" if (checkout / "service" / "seamless_wallet").is_dir() else "service"
        root = checkout if package == "service" else checkout / "service"
        self.environ = self.service.environ | {"PYTHONPATH": str(root)}
        self.command = [sys.executable, "-m", package, "up"]
        self.alone_s: list[float] = []
        self.at_rate_s: list[float] = []

    def prepare(self) -> None:
        """Wait for it, and give everybody money."""
        wait_until_ready(self.service)
        for number in range(self._players):
            user = f"player-{number}"
            self.service.admin("POST", "/v1/players", {"user_id": user, "currency": "KRW"})
            deposit = {"amount": "100000000.00"}
            self.service.admin("POST", f"/v1/players/{user}/deposits", deposit, f"deposit-{number}")

    async def log_in(self) -> None:
        """Everybody, and so every wallet is loaded."""
        await self._measure(requests_of(Kind.LOGIN, 0, self._players, self._players), [])

    async def load(self, bets: int, rate: int) -> None:
        """One round of each load."""
        await self._measure(self._next(bets), self.alone_s)
        await asyncio.sleep(REST_S)
        await self._measure(self._next(bets), self.at_rate_s, rate)
        await asyncio.sleep(REST_S)

    def _next(self, bets: int) -> list[bytes]:
        self._sent += bets
        return requests_of(Kind.BET, self._sent, bets, self._players)

    async def _measure(self, requests: Sequence[bytes], into: list[float], rate: int = 0) -> None:
        clients = Clients(self.service.webhook_port)
        timed = await (clients.at_rate(requests, rate) if rate else clients.one_by_one(requests))
        clients.close()
        check(answer for _, answer in timed)
        into.extend(seconds for seconds, _ in timed)


class Clients:
    """Connections to one service; one more is opened whenever all are busy."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def one_by_one(self, requests: Sequence[bytes]) -> Timed:
        """Each when the one before is answered."""
        await self._send(requests[0], 0)
        return [await self._send(request, time.perf_counter()) for request in requests[1:]]

    async def at_rate(self, requests: Sequence[bytes], rate: int) -> Timed:
        """So many a second, whatever becomes of them. The time of each begins when it was due."""
        start_s = time.perf_counter()
        sending = []
        for number, request in enumerate(requests):
            due_s = start_s + number / rate
            await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
            sending.append(asyncio.create_task(self._send(request, due_s)))
        return list(await asyncio.gather(*sending))

    async def _send(self, request: bytes, due_s: float) -> tuple[float, bytes]:
        connection = self._free.pop() if self._free else await asyncio.open_connection("127.0.0.1", self._port)
        answer = await ask(*connection, request)
        self._free.append(connection)
        return time.perf_counter() - due_s, answer

    def close(self) -> None:
        """Close them all."""
        for _, writer in self._free:
            writer.close()


def check(answers: Iterator[bytes]) -> None:
    """Every answer is R0."""
    bench = provider()
    codes = {bench.profile.decode_reply(bench.open(body, bench.keys[0])).code for body in answers}
    if codes != {"R0"}:
        raise SystemExit(f"commit_latency: not every answer was R0: {sorted(codes)}")


def fsync_s(path: Path) -> list[float]:
    """What appending a page, and having the disk keep it, takes."""
    taken_s = []
    with path.open("ab", buffering=0) as file:
        for _ in range(FSYNCS):
            began_s = time.perf_counter()
            file.write(bytes(4096))
            os.fdatasync(file.fileno())
            taken_s.append(time.perf_counter() - began_s)
    return taken_s


def percentiles(seconds: Sequence[float]) -> tuple[float, float]:
    """p50 and p99, in ms."""
    cuts = statistics.quantiles(seconds, n=100)
    return cuts[49] * 1000, cuts[98] * 1000


async def measure(versions: Sequence[Version], options: argparse.Namespace, scratch: Path) -> list[float]:
    """Load them in turn, each round in another order. Returns seconds of fsyncs."""
    for version in versions:
        await version.log_in()
        await version.load(options.bets, options.rate)
        version.alone_s.clear()
        version.at_rate_s.clear()
    syncs_s: list[float] = []
    for number in range(options.rounds):
        first = number % len(versions)
        for version in (*versions[first:], *versions[:first]):
            await version.load(options.bets, options.rate)
        syncs_s += fsync_s(scratch)
    return syncs_s


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark. Returns 0, or 1 if some ledger does not balance."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=Path, action="append", default=[], help="a checkout of another version")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--bets", type=int, default=200, help="of each load in a round")
    parser.add_argument("--rate", type=int, default=300, help="bets a second")
    parser.add_argument("--players", type=int, default=200)
    options = parser.parse_args(argv)
    checkouts = {"now": HERE} | {f"{path}": path.resolve() for path in options.against}
    with tempfile.TemporaryDirectory(prefix="wallet-bench-") as scratch, ExitStack() as stack:
        directory = Path(scratch)
        versions = [
            Version(name, checkout, directory / f"{number}", options.players)
            for number, (name, checkout) in enumerate(checkouts.items())
        ]
        for version in versions:
            stack.enter_context(running(version.command, version.environ))
        for version in versions:
            version.prepare()
        syncs_s = uvloop.run(measure(versions, options, directory / "fsync"))
        balanced = all(version.service.admin("GET", "/v1/trial-balance")["balanced"] for version in versions)
    print("fsync: p50 {:.2f} ms, p99 {:.2f} ms".format(*percentiles(syncs_s)))
    rows = {version.name: (percentiles(version.alone_s), percentiles(version.at_rate_s)) for version in versions}
    now = rows["now"]
    for name, (alone, at_rate) in rows.items():
        print(
            f"{name}: one at a time p50 {alone[0]:.2f} ms, p99 {alone[1]:.2f} ms; "
            f"{options.rate}/s p50 {at_rate[0]:.2f} ms, p99 {at_rate[1]:.2f} ms"
        )
        if name != "now":
            print(f"  now / {name}: p50 {now[0][0] / alone[0]:.2f} alone, {now[1][0] / at_rate[0]:.2f} at the rate")
    print(f"ledgers balanced: {balanced}")
    return 0 if balanced else 1


if __name__ == "__main__":
    sys.exit(main())
