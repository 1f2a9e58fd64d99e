"""How many of everything a rate of webhooks needs, from what one of them costs; and what skew does to that.

    python -m benchmarks.scaling [--results build/bench/results.json] [--rate 10000 --rate 100000 --rate 1000000]

Costs are the CPU of the one-bet event that `python -m benchmarks` measured on this machine. Whatever is one thread
(worker, writer, Redis) is counted in whole cores, each loaded to a bound that leaves room for bursts. Shards spread
unevenly, by chance and by players who play more than others: a simulation places players on shards, and shards on
nodes, and says how much more than its share the fullest node gets.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.figures import OUTPUT, Loads, Names, Run, cpu_by_role
from seamless_wallet.commands import shard_of

LOADED: Final = 0.6
"""How busy a core may be on average: beyond, waiting times grow faster than the load."""

RATES: Final = (10_000, 100_000, 1_000_000)
PLAYERS: Final = (10_000, 100_000, 1_000_000)
EXPONENTS: Final = (0.0, 0.8, 1.0)
NODES: Final = (2, 4, 16, 64, 256)
SHARDS: Final = 1024
SEEDS: Final = 3
ROLES: Final = ("worker", "valkey", "writer", "backends")
"""Of the processes that a rate needs more of; the rest is constant."""

LEDGER_BYTES: Final = 295
"""By which SQLite's file grows for each one-bet event, as tests/integration/test_costs.py counts it."""

SECONDS_A_DAY: Final = 86_400


class Need(msgspec.Struct, frozen=True):
    """What a rate needs."""

    rate: float
    cores: dict[str, int]
    """Processes by role, each with a core of its own."""
    ledger_bytes_a_day: float


def need(rate: float, cost_us: dict[str, float], skew: float = 1.0, loaded: float = LOADED) -> Need:
    """Processes for so many webhooks a second. `skew` is how much more than its share the fullest node gets.

    Workers share connections and not players, so skew is not theirs.
    """
    cores = {
        role: math.ceil(rate * us / 1e6 / loaded * (1.0 if role == "worker" else skew)) for role, us in cost_us.items()
    }
    return Need(rate, cores, rate * LEDGER_BYTES * SECONDS_A_DAY)


def rate_of_one(us: float, loaded: float = LOADED) -> float:
    """Webhooks a second that one process takes: where its wall is, if there can only be one."""
    return loaded * 1e6 / us


def costs(run: Run) -> dict[str, float]:
    """CPU in µs of a one-bet event, by role, as this run measured it."""
    found = cpu_by_role(run.turns, Loads.ONE_BET, Names.WALLET)
    return {role: found[role] for role in ROLES if found.get(role)}


def skews_of(shares: Sequence[float], users: Sequence[str], nodes: Sequence[int] = NODES) -> list[float]:
    """How much more than its share the fullest of so many nodes gets; shards lie on them in turn."""
    load = [0.0] * SHARDS
    for user, share in zip(users, shares, strict=True):
        load[shard_of(user, SHARDS)] += share
    return [max(sum(load[node::number]) for node in range(number)) * number for number in nodes]


def zipf_shares(players: int, exponent: float) -> list[float]:
    """Of each player in all events: the n-th plays n ** -exponent as often as the first. 0: all alike."""
    weights = [rank**-exponent for rank in range(1, players + 1)]
    total = sum(weights)
    return [weight / total for weight in weights]


def random_names(players: int, seed: int) -> list[str]:
    """As a platform may have them. Numbered ones would lie more evenly than chance has it."""
    chance = random.Random(seed)
    return [f"{chance.getrandbits(64):x}" for _ in range(players)]


def simulated_skews(players: int, exponent: float) -> list[float]:
    """For each number of nodes, the median of some draws of players' names."""
    shares = zipf_shares(players, exponent)
    draws = [skews_of(shares, random_names(players, seed)) for seed in range(SEEDS)]
    return [statistics.median(skews) for skews in zip(*draws, strict=True)]


def skew_table() -> Table:
    """The simulation."""
    table = Table(title=f"The fullest node gets so many times its share; {SHARDS} shards", title_justify="left")
    for column in ("players", "who play", "share of the first", *[f"{nodes} nodes" for nodes in NODES]):
        table.add_column(column, justify="right")
    for players in PLAYERS:
        for exponent in EXPONENTS:
            skews = [f"{skew:.2f}" for skew in simulated_skews(players, exponent)]
            play = f"Zipf {exponent:g}" if exponent else "all alike"
            table.add_row(f"{players:,}", play, f"{zipf_shares(players, exponent)[0]:.2%}", *skews)
    return table


def need_table(rates: Sequence[float], cost_us: dict[str, float]) -> Table:
    """What each rate needs."""
    table = Table(title=f"Processes, each with a core {LOADED:.0%} busy; costs of this machine", title_justify="left")
    for column in ("webhooks/s", *cost_us, "ledger a day"):
        table.add_column(column, justify="right")
    table.add_row("one takes", *[f"{rate_of_one(us):,.0f}/s" for us in cost_us.values()], "", style="bold")
    for rate in rates:
        found = need(rate, cost_us)
        counts = [f"{found.cores[role]}" for role in cost_us]
        table.add_row(f"{rate:,.0f}", *counts, f"{found.ledger_bytes_a_day / 1e9:,.0f} GB")
    return table


def main(argv: list[str] | None = None) -> int:
    """Print both tables. Returns 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=OUTPUT / "results.json", help="of `python -m benchmarks`")
    parser.add_argument("--rate", type=float, action="append", help="webhooks a second")
    options = parser.parse_args(argv)
    if not options.results.exists():
        parser.error(f"{options.results} is missing: run `make bench`, or pass --results")
    run = msgspec.convert(json.loads(options.results.read_text())["run"], Run)
    console = Console()
    console.print(need_table(options.rate or RATES, costs(run)))
    console.print(skew_table())
    return 0


if __name__ == "__main__":
    sys.exit(main())
