"""What the history of calls costs under load: a service with it beside one without it.

    python -m benchmarks.call_history_load [--against DIR] [--bets 5000] [--rounds 6] [--starts 3] [--in-flight 32]

All run beside each other, and every client sends one bet to each in turn: so all see the same rate, at the same time,
on equally busy cores. CPU of the worker, of the admin process and of all processes for a call, and what the history
adds to it. With DIR, a checkout of another version, there is a third service: that one, with its history. A process may
be some microseconds dearer than its twin as long as it lives, so all are started several times.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import uvloop

from benchmarks import play
from benchmarks.figures import Loads, Turn
from benchmarks.generator import WrongAnswer
from benchmarks.peers.webhook import PATH
from benchmarks.systems import Wallet
from benchmarks.turns import paired_turns

WITHOUT: Final = "without a history"
WITH: Final = "with a history"
OTHER: Final = "the other version, with its history"
ROLES: Final = ("worker", "admin", "")
"""`""` is all processes."""

Round = dict[str, Turn]
"""By the system's name."""


async def measure(arguments: argparse.Namespace, systems: list[Wallet]) -> list[Round]:
    """Load all, each round beginning with another one. Raises WrongAnswer."""
    players = play.users("player", arguments.players)
    for system in systems:
        await system.create(players)
    rounds = []
    for number in range(arguments.rounds + 1):
        first = number % len(systems)
        order = systems[first:] + systems[:first]
        bets = [[bet for (bet,) in play.one_bets(players, arguments.bets, PATH)] for _ in order]
        turns = await paired_turns(Loads.PAIRED, order, bets, arguments.in_flight)
        if number:  # the first round warms up
            rounds.append({turn.system: turn for turn in turns})
            print(f"{turns[0].rate:.0f} bets/s each; {_line(rounds[-1])}", flush=True)
    for system in systems:
        print(f"{system.name}: {await system.compare()}")
    return rounds


def start(stack: ExitStack, arguments: argparse.Namespace) -> list[Wallet]:
    """The services, ready."""
    directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wallet-bench-")))
    wanted = {WITHOUT: {"WALLET_CALLS_DAYS": "0"}, WITH: {}}
    if arguments.against:
        wanted[OTHER] = {"PYTHONPATH": os.fspath(arguments.against.absolute() / "service")}
    return [
        stack.enter_context(Wallet.start(name, directory / str(number), 1, **settings))
        for number, (name, settings) in enumerate(wanted.items())
    ]


def _cpu_us(turn: Turn, role: str) -> float:
    return turn.cpu_us.get(role, 0.0) if role else turn.all_cpu_us


def _line(turns: Round) -> str:
    parts = []
    for role in ROLES:
        base = _cpu_us(turns[WITHOUT], role)
        added = [f"{_cpu_us(turn, role) - base:+.1f}" for name, turn in turns.items() if name != WITHOUT]
        parts.append(f"{role or 'all'} {base:.0f} µs {' '.join(sorted(added))}")
    return ", ".join(parts)


def report(rounds: list[Round]) -> None:
    """Medians, with the quartiles in brackets."""
    for name in (WITH, OTHER):
        if name not in rounds[0]:
            continue
        for role in ROLES:
            pairs = [(_cpu_us(turns[WITHOUT], role), _cpu_us(turns[name], role)) for turns in rounds]
            low, median, high = statistics.quantiles((on - off for off, on in pairs), n=4)
            ratio = statistics.median(on / off for off, on in pairs)
            print(f"{name}, {role or 'all'}: {median:+.1f} µs ({low:+.1f} to {high:+.1f}), ratio {ratio:.3f}")


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark. It has no limit: the exit status is 1 only if the run is void."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=Path, metavar="DIR", help="a checkout of another version")
    parser.add_argument("--bets", type=int, default=5000, help="of each service in a round")
    parser.add_argument("--rounds", type=int, default=6, help="of each start, after one that warms up")
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--in-flight", type=int, default=32)
    parser.add_argument("--players", type=int, default=200)
    arguments = parser.parse_args(argv)
    rounds: list[Round] = []
    for _ in range(arguments.starts):
        with ExitStack() as stack:
            try:
                rounds += uvloop.run(measure(arguments, start(stack, arguments)))
            except WrongAnswer as wrong:
                print(f"VOID: {wrong}")
                return 1
    report(rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
