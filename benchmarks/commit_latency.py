"""How long a bet takes, from request to answer, beside other versions of the program and peers, in one run.

    python -m benchmarks.commit_latency [--against DIR ...] [--peers] [--rounds 10] [--bets 200] [--rate 300]

`--against` is a checkout of another version, the first one for instance: `git worktree add /tmp/first 626a578`, then
`--against /tmp/first`. A complete service (`wallet up`) of each runs beside the others, each on a ledger of its own.
With `--peers` beside PostgreSQL alone, the wallet on PostgreSQL, and the way of a bet with nothing on it, to a file and
to PostgreSQL (`benchmarks/peers/bare_way.py`). They are loaded in turn, round by round: first one bet at a time, the
next one when the answer is there, then bets that come at a rate, by chance, answered or not. A bet that could not be
sent in time waits, and that counts. Every answer is checked. What the disk takes for an fsync is measured in between,
as no bet is told before one.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Final

import uvloop

from benchmarks import play
from benchmarks.figures import Names
from benchmarks.generator import WrongAnswer, closed_loop, open_loop
from benchmarks.latencies import Latencies
from benchmarks.peer_systems import BareWay, PostgresWallet
from benchmarks.peers.webhook import PATH
from benchmarks.systems import System, Wallet, WalletOnPostgres

HERE: Final = Path(__file__).parents[1]
NOW: Final = "now"
FSYNCS: Final = 50
REST_S: Final = 0.3
"""Between two loads: what the one before has left to do is done."""


class Timed:
    """A system under these loads, and what its bets took."""

    def __init__(self, system: System, players: int) -> None:
        self.system = system
        self.players = play.users("player", players)
        self.alone = Latencies()
        self.at_rate = Latencies()

    async def load(self, bets: int, rate: int) -> None:
        """One round of each load. Raises WrongAnswer."""
        port, books = self.system.port, self.system.books
        alone = await closed_loop(port, play.one_bets(self.players, bets, PATH), 1)
        await asyncio.sleep(REST_S)
        at_rate = await open_loop(port, [event for (event,) in play.one_bets(self.players, bets, PATH)], rate)
        await asyncio.sleep(REST_S)
        for answered, total in ((alone, self.alone), (at_rate, self.at_rate)):
            books.enter(answered.answers)
            total.add(Latencies.of_ns(answered.taken_ns))


def version(name: str, checkout: Path, directory: Path) -> AbstractContextManager[Wallet]:
    """A service of another version, the first one included, with its own number of workers."""
    package = "seamless_wallet" if (checkout / "service" / "seamless_wallet").is_dir() else "service"
    root = checkout if package == "service" else checkout / "service"
    return Wallet.start(name, directory, workers=None, package=package, PYTHONPATH=str(root))


def peers(directory: Path) -> list[AbstractContextManager[System]]:
    """What is run beside the wallet with `--peers`."""
    return [
        PostgresWallet.start(Names.POSTGRES, constraints=False),
        WalletOnPostgres.start_with_server(directory / "on-postgres"),
        BareWay.start(directory / "way"),
        BareWay.start_with_server(directory / "way-to-postgres"),
    ]


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


async def measure(timed: Sequence[Timed], options: argparse.Namespace, scratch: Path) -> Latencies:
    """Load them in turn, each round in another order. Returns what fsyncs took. Raises WrongAnswer."""
    for each in timed:
        await each.system.create(each.players)  # who is logged in is loaded
        await each.load(options.bets, options.rate)
        each.alone, each.at_rate = Latencies(), Latencies()
    syncs = Latencies()
    for number in range(options.rounds):
        first = number % len(timed)
        for each in (*timed[first:], *timed[:first]):
            await each.load(options.bets, options.rate)
        syncs.add(Latencies.of_ns(fsync_ns(scratch)))
    for each in timed:
        if each.system.name == NOW or isinstance(each.system, WalletOnPostgres) or not isinstance(each.system, Wallet):
            print(f"{each.system.name}: {await each.system.compare()}")
    return syncs


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark. Returns 0, or 1 if the run is void or some ledger does not balance."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=Path, action="append", default=[], help="a checkout of another version")
    parser.add_argument("--peers", action="store_true", help="PostgreSQL alone, and what the way itself takes, too")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--bets", type=int, default=200, help="of each load in a round")
    parser.add_argument("--rate", type=int, default=300, help="bets a second")
    parser.add_argument("--players", type=int, default=200)
    options = parser.parse_args(argv)
    checkouts = {NOW: HERE} | {f"{path}": path.resolve() for path in options.against}
    with tempfile.TemporaryDirectory(prefix="wallet-bench-") as scratch, ExitStack() as stack:
        directory = Path(scratch)
        systems: list[System] = [
            stack.enter_context(version(name, checkout, directory / f"{number}"))
            for number, (name, checkout) in enumerate(checkouts.items())
        ]
        if options.peers:
            systems += [stack.enter_context(peer) for peer in peers(directory)]
        timed = [Timed(system, options.players) for system in systems]
        try:
            syncs = uvloop.run(measure(timed, options, directory / "fsync"))
        except WrongAnswer as wrong:
            print(f"VOID: {wrong}")
            return 1
        services = [system.service for system in systems if isinstance(system, Wallet)]
        balanced = all(service.admin("GET", "/v1/trial-balance")["balanced"] for service in services)
    print(f"fsync: {_line(syncs)}")
    now = timed[0]
    for each in timed:
        print(f"{each.system.name}: one at a time {_line(each.alone)}; {options.rate}/s {_line(each.at_rate)}")
        if each is not now:
            alone, at_rate = now.alone.ms(50) / each.alone.ms(50), now.at_rate.ms(50) / each.at_rate.ms(50)
            print(f"  {NOW} / {each.system.name}: p50 {alone:.2f} alone, {at_rate:.2f} at the rate")
    print(f"ledgers balanced: {balanced}")
    return 0 if balanced else 1


def _line(taken: Latencies) -> str:
    return f"p50 {taken.ms(50):.2f} ms, p99 {taken.ms(99):.2f} ms"


if __name__ == "__main__":
    sys.exit(main())
