"""Two versions of the service under the same load, in turn: rate, latency, and CPU a bet of each process.

    python -m benchmarks.against DIR [--bets 4000] [--rounds 8] [--in-flight 64] [--rate 0] [--players 200]

DIR is a checkout of the other version. Both services run all the time, each on its own ledger; each round loads one and
then the other, and begins with another one. As many as it takes from so many clients; with --rate an open loop of so
many a second, latency from the intended time. Every answer is checked. Medians of the rounds, and of their ratios.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import uvloop

from benchmarks import play
from benchmarks.figures import Loads, Turn
from benchmarks.generator import WrongAnswer
from benchmarks.latencies import Latencies
from benchmarks.peers.webhook import PATH
from benchmarks.systems import Wallet
from benchmarks.turns import closed_turn, open_turn

NOW: Final = "now"
BEFORE: Final = "before"
PERCENTILES: Final = (50, 95, 99)

Round = dict[str, Turn]
"""By the version."""


async def measure(arguments: argparse.Namespace, systems: Sequence[Wallet]) -> list[Round]:
    """All rounds but the first, which warms up. Raises WrongAnswer."""
    players = play.users("player", arguments.players)
    for system in systems:
        await system.create(players)
    rounds: list[Round] = []
    for number in range(arguments.rounds + 1):
        turns: Round = {}
        for system in systems if number % 2 else reversed(systems):
            sequences = play.one_bets(players, arguments.bets, PATH)
            if arguments.rate:
                events = [event for (event,) in sequences]
                turns[system.name] = await open_turn(Loads.ONE_BET, system, events, arguments.rate, number)
            else:
                turns[system.name] = await closed_turn(Loads.ONE_BET, system, sequences, arguments.in_flight)
        rounds.append(turns)
    for system in systems:
        print(f"{system.name}: {await system.compare()}")
    return rounds[1:]


def figures(turn: Turn) -> dict[str, float]:
    """What is told of a turn."""
    latencies = Latencies.decode(turn.latencies)
    told = {"bets/s": turn.rate, "all CPU, µs": turn.all_cpu_us}
    told |= {f"{role} CPU, µs": turn.cpu_us.get(role, 0.0) for role in ("worker", "writer", "valkey", "admin")}
    return told | {f"p{percentile}, ms": latencies.ms(percentile) for percentile in PERCENTILES}


def show(rounds: Sequence[Round]) -> None:
    """Print medians of both versions, and of the ratios of the rounds."""
    found = [{name: figures(turn) for name, turn in turns.items()} for turns in rounds]
    print(f"{'':16}{NOW:>10}{BEFORE:>10}{'ratio':>8}")
    for what in found[0][NOW]:
        now, before = ([turns[name][what] for turns in found] for name in (NOW, BEFORE))
        ratios = [ours / theirs for ours, theirs in zip(now, before, strict=True) if theirs]
        ratio = f"{statistics.median(ratios):8.2f}" if ratios else ""
        print(f"{what:16}{statistics.median(now):10.1f}{statistics.median(before):10.1f}{ratio}")


def main(argv: list[str] | None = None) -> int:
    """Run it. Returns 0, or 1 if the run is void."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("against", type=Path, metavar="DIR", help="a checkout of the other version")
    parser.add_argument("--bets", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--rate", type=float, default=0.0, help="so many a second, and not as many as it takes")
    parser.add_argument("--players", type=int, default=200)
    arguments = parser.parse_args(argv)
    other = os.fspath(arguments.against.absolute() / "service")
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wallet-bench-")))
        systems = [
            stack.enter_context(Wallet.start(NOW, directory / NOW)),
            stack.enter_context(Wallet.start(BEFORE, directory / BEFORE, PYTHONPATH=other)),
        ]
        try:
            rounds = uvloop.run(measure(arguments, systems))
        except WrongAnswer as wrong:
            print(f"VOID: {wrong}")
            return 1
    show(rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
