"""How long a bet takes, from request to answer, beside other versions of the program, in one run.

    python -m benchmarks.commit_latency [--against DIR ...] [--rounds 10] [--bets 200] [--rate 300] [--players 200]

`--against` is a checkout of another version, the first one for instance: `git worktree add /tmp/first 626a578`, then
`--against /tmp/first`. A complete service (`wallet up`) of each runs beside the others, each on a ledger of its own.
They are loaded in turn, round by round: first one bet at a time, the next one when the answer is there, then bets that
come at a rate, by chance, answered or not. A bet that could not be sent in time waits, and that counts. Every answer is
checked. What the disk takes for an fsync is measured in between, as no bet is told before one.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import uvloop

from benchmarks import play
from benchmarks.generator import WrongAnswer, closed_loop, open_loop
from benchmarks.latencies import Latencies
from benchmarks.peers.webhook import PATH
from benchmarks.service import Service, running, wait_until_ready
from benchmarks.systems import Wallet

HERE: Final = Path(__file__).parents[1]
FSYNCS: Final = 50
REST_S: Final = 0.3
"""Between two loads: what the one before has left to do is done."""


class Version:
    """One version of the program, and what was measured of it."""

    def __init__(self, name: str, checkout: Path, directory: Path, players: int) -> None:
        self.name = name
        directory.mkdir(mode=0o700)
        self.service = Service(directory)
        package = "seamless_wallet" if (checkout / "service" / "seamless_wallet").is_dir() else "service"
        root = checkout if package == "service" else checkout / "service"
        self.environ = self.service.environ | {"PYTHONPATH": str(root)}
        self.command = [sys.executable, "-m", package, "up"]
        self.players = play.users("player", players)
        self.alone = Latencies()
        self.at_rate = Latencies()

    async def prepare(self, pid: int) -> None:
        """Wait for it, give everybody money and log everybody in: so every wallet is loaded."""
        await asyncio.to_thread(wait_until_ready, self.service)
        self._wallet = Wallet(self.name, self.service, pid)
        await self._wallet.create(self.players)

    async def load(self, bets: int, rate: int) -> None:
        """One round of each load. Raises WrongAnswer."""
        port, books = self.service.webhook_port, self._wallet.books
        alone = await closed_loop(port, play.one_bets(self.players, bets, PATH), 1)
        await asyncio.sleep(REST_S)
        at_rate = await open_loop(port, [event for (event,) in play.one_bets(self.players, bets, PATH)], rate)
        await asyncio.sleep(REST_S)
        for answered, total in ((alone, self.alone), (at_rate, self.at_rate)):
            books.enter(answered.answers)
            total.add(Latencies.of_ns(answered.taken_ns))


def fsync_ns(path: Path) -> list[int]:
    """What appending a page, and having the disk keep it, takes."""
    taken_ns = []
    with path.open("ab", buffering=0) as file:
        for _ in range(FSYNCS):
            began_ns = time.perf_counter_ns()
            file.write(bytes(4096))
            os.fdatasync(file.fileno())
            taken_ns.append(time.perf_counter_ns() - began_ns)
    return taken_ns


async def measure(
    versions: Sequence[Version], pids: Sequence[int], options: argparse.Namespace, scratch: Path
) -> Latencies:
    """Load them in turn, each round in another order. Returns what fsyncs took. Raises WrongAnswer."""
    for version, pid in zip(versions, pids, strict=True):
        await version.prepare(pid)
        await version.load(options.bets, options.rate)
        version.alone, version.at_rate = Latencies(), Latencies()
    syncs = Latencies()
    for number in range(options.rounds):
        first = number % len(versions)
        for version in (*versions[first:], *versions[:first]):
            await version.load(options.bets, options.rate)
        syncs.add(Latencies.of_ns(fsync_ns(scratch)))
    return syncs


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark. Returns 0, or 1 if the run is void or some ledger does not balance."""
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
        pids = [stack.enter_context(running(version.command, version.environ)).pid for version in versions]
        try:
            syncs = uvloop.run(measure(versions, pids, options, directory / "fsync"))
        except WrongAnswer as wrong:
            print(f"VOID: {wrong}")
            return 1
        balanced = all(version.service.admin("GET", "/v1/trial-balance")["balanced"] for version in versions)
    print(f"fsync: {_line(syncs)}")
    now = versions[0]
    for version in versions:
        print(f"{version.name}: one at a time {_line(version.alone)}; {options.rate}/s {_line(version.at_rate)}")
        if version is not now:
            alone, at_rate = (
                getattr(now, load).ms(50) / getattr(version, load).ms(50) for load in ("alone", "at_rate")
            )
            print(f"  {now.name} / {version.name}: p50 {alone:.2f} alone, {at_rate:.2f} at the rate")
    print(f"ledgers balanced: {balanced}")
    return 0 if balanced else 1


def _line(taken: Latencies) -> str:
    return f"p50 {taken.ms(50):.2f} ms, p99 {taken.ms(99):.2f} ms"


if __name__ == "__main__":
    sys.exit(main())
