"""What the history of calls costs under load: two services, one with it and one without, asked in turn.

    python -m benchmarks.call_history_load [--bets 12000] [--rounds 5] [--in-flight 32] [--players 200]

Both run beside each other, and every client sends one bet to each in turn: so both see the same rate, at the same time,
on equally busy cores. CPU of the worker and of all processes per call, and what the history adds to it.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Final

import uvloop

from benchmarks import play
from benchmarks.figures import Loads, Turn
from benchmarks.generator import WrongAnswer
from benchmarks.peers.webhook import PATH
from benchmarks.systems import Wallet
from benchmarks.turns import paired_turns

WITHOUT, WITH = "without history", "with history"
WORKER_LIMIT_US: Final = 8.0
ALL_LIMIT_US: Final = 40.0
ROLES: Final = ("worker", "admin")


async def measure(arguments: argparse.Namespace, systems: tuple[Wallet, Wallet]) -> list[dict[str, Turn]]:
    """Load both, the first in each pair in turn. Rounds, by name. Raises WrongAnswer."""
    players = play.users("player", arguments.players)
    for system in systems:
        await system.create(players)
    rounds = []
    for number in range(arguments.rounds + 1):
        order = systems if number % 2 else systems[::-1]
        bets = [[bet for (bet,) in play.one_bets(players, arguments.bets, PATH)] for _ in order]
        found = await paired_turns(Loads.PAIRED, order, bets, arguments.in_flight)
        turns = {turn.system: turn for turn in found}
        if number:  # the first round warms up
            rounds.append(turns)
            print(f"round {number}: {_line(turns)} ({found[0].rate:.0f} bets/s each)", flush=True)
    for system in systems:
        print(await system.compare())
    return rounds


def _cpu_us(turn: Turn, role: str) -> float:
    return turn.cpu_us.get(role, 0.0) if role else turn.all_cpu_us


def _line(turns: dict[str, Turn]) -> str:
    parts = []
    for role in (*ROLES, ""):
        off, on = (_cpu_us(turns[name], role) for name in (WITHOUT, WITH))
        parts.append(f"{role or 'all'} {off:.1f} → {on:.1f} µs ({on - off:+.1f})")
    return ", ".join(parts)


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark. It has no limit: the exit status is 1 only if the run is void."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bets", type=int, default=12_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--in-flight", type=int, default=32)
    parser.add_argument("--players", type=int, default=200)
    arguments = parser.parse_args(argv)
    with (
        tempfile.TemporaryDirectory(prefix="wallet-bench-") as directory,
        Wallet.start(WITHOUT, Path(directory) / "without", WALLET_CALLS_DAYS="0") as without,
        Wallet.start(WITH, Path(directory) / "with") as recording,
    ):
        try:
            rounds = uvloop.run(measure(arguments, (without, recording)))
        except WrongAnswer as wrong:
            print(f"VOID: {wrong}")
            return 1
    for role in (*ROLES, ""):
        pairs = [tuple(_cpu_us(turns[name], role) for name in (WITHOUT, WITH)) for turns in rounds]
        added = statistics.median(on - off for off, on in pairs)
        ratio = statistics.median(on / off for off, on in pairs)
        print(f"median of {role or 'all processes'}: {added:+.1f} µs a call, ratio {ratio:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
