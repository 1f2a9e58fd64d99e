"""CPU of a worker per bet, as a multiple of that of an empty aiohttp handler, in one run.

    python -m benchmarks.worker_cpu [--bets 6000] [--rounds 5] [--in-flight 64] [--players 200] [--poor]

A complete service (`wallet up`) and the yardstick run beside each other. Every client sends one request to each in
turn, so that both see the same rate, at the same time, on the same busy cores; the medians of the rounds are compared.
Every answer is checked: an R1 would be cheap. With --poor nobody has money, and every bet is declined with R4.
A taken bet that costs 1.5 times what is written down is told as an alarm: somebody should look what has become dearer.
`python -m benchmarks` shows it beside everything else; this is the quick way while a worker is changed.
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
from benchmarks.figures import Loads, Names, Turn
from benchmarks.generator import WrongAnswer
from benchmarks.peer_systems import Empty
from benchmarks.peers.webhook import PATH
from benchmarks.systems import Wallet
from benchmarks.turns import paired_turns
from seamless_wallet.commands import Code

WRITTEN_DOWN: Final = 2.1
"""The ratio of a taken bet that docs/performance.md tells."""

ALARM: Final = 1.5
"""How many times as much is an alarm. It fails nothing: this is a figure of one machine at one moment."""


async def measure(arguments: argparse.Namespace, empty: Empty, wallet: Wallet) -> list[tuple[Turn, Turn]]:
    """Load the yardstick and the wallet in turn. Pairs, one a round. Raises WrongAnswer."""
    players = play.users("player", arguments.players)
    code = Code.R4 if arguments.poor else Code.R0
    await wallet.create(players, 0 if arguments.poor else play.DEPOSIT)
    pairs = []
    for number in range(arguments.rounds + 1):
        bets = [[bet for (bet,) in play.one_bets(players, arguments.bets, PATH, code)] for _ in range(2)]
        yardstick, bet = await paired_turns(Loads.PAIRED, (empty, wallet), bets, arguments.in_flight)
        if number:  # the first round warms up
            pairs.append((yardstick, bet))
            print(f"round {number}: {_line(yardstick, bet)} ({bet.rate:.0f} bets/s)", flush=True)
    print(await wallet.compare())
    return pairs


def _line(empty: Turn, bet: Turn) -> str:
    empty_us, bet_us = empty.cpu_us["worker"], bet.cpu_us["worker"]
    return f"empty {empty_us:6.1f} µs  bet {bet_us:6.1f} µs  ratio {bet_us / empty_us:.2f}"


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark. It has no limit: the exit status is 1 only if the run is void."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bets", type=int, default=6000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--players", type=int, default=200)
    parser.add_argument("--poor", action="store_true", help="nobody has money: what a decline costs")
    arguments = parser.parse_args(argv)
    with (
        tempfile.TemporaryDirectory(prefix="wallet-bench-") as directory,
        Empty.start() as empty,
        Wallet.start(Names.WALLET, Path(directory) / "wallet") as wallet,
    ):
        try:
            pairs = uvloop.run(measure(arguments, empty, wallet))
        except WrongAnswer as wrong:
            print(f"VOID: {wrong}")
            return 1
    empty_us, bet_us = (
        statistics.median(turn.cpu_us["worker"] for turn in turns) for turns in zip(*pairs, strict=True)
    )
    print(f"median: empty {empty_us:.1f} µs, bet {bet_us:.1f} µs, ratio {bet_us / empty_us:.2f}")
    if not arguments.poor and bet_us / empty_us > ALARM * WRITTEN_DOWN:
        print(f"ALARM: more than {ALARM} times the {WRITTEN_DOWN} that is written down in docs/performance.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
