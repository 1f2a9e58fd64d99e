"""What takes long: as many players as a large operator has, and as many requests as show a leak."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Final

import uvloop

from benchmarks import play
from benchmarks.figures import Loads, Names
from benchmarks.peers.webhook import PATH
from benchmarks.processes import resident_bytes
from benchmarks.systems import Wallet
from benchmarks.turns import closed_turn

MANY: Final = 1_000_000
FEW: Final = 10_000
CHUNK: Final = 20_000
BETS: Final = 10_000
TURNS: Final = 5
REQUESTS: Final = 1_000_000
IN_FLIGHT: Final = 64

Show = Callable[[str], None]


def long_runs(show: Show, many: int = MANY, few: int = FEW, requests: int = REQUESTS) -> dict[str, list[float]]:
    """Throughput of `many` players against `few`, and how a worker's memory grows. Raises WrongAnswer."""
    with tempfile.TemporaryDirectory(prefix="wallet-bench-") as path:
        directory = Path(path)
        with Wallet.start(Names.WALLET, directory / "many") as large, Wallet.start("few", directory / "few") as small:
            ratio = uvloop.run(_many_players(show, large, small, many, few))
            growth = uvloop.run(_memory(show, small, requests))
    return {"many_players_ratio": [ratio], "worker_growth": [growth]}


async def _many_players(show: Show, large: Wallet, small: Wallet, many: int, few: int) -> float:
    """All logged in, and so warm. Requests a second with many players as a multiple of those with few."""
    crowd, handful = play.users("crowd", many), play.users("few", few)
    for at in range(0, many, CHUNK):
        show(f"{at} of {many} players")
        await large.create_many(crowd[at : at + CHUNK])
    await small.create_many(handful)
    rates: dict[str, list[float]] = {large.name: [], small.name: []}
    for number in range(TURNS):
        for wallet, players in ((large, crowd), (small, handful)):
            show(f"{len(players)} players")
            choose = play.uniform(players, number)
            chosen = [choose() for _ in range(BETS)]
            turn = await closed_turn(Loads.ONE_BET, wallet, play.one_bets(chosen, BETS, PATH), IN_FLIGHT)
            rates[wallet.name].append(turn.rate)
    await large.compare()
    return median(rates[large.name]) / median(rates[small.name])


async def _memory(show: Show, wallet: Wallet, requests: int) -> float:
    """What the worker has in RAM after all requests, as a multiple of what it had after a tenth of them."""
    players = list(wallet.books.balances)
    sizes = []
    for at in range(0, requests, requests // 10):
        show(f"{at} of {requests} requests")
        for _ in range(0, requests // 10, CHUNK):
            sequences = play.one_bets(players, min(CHUNK, requests // 10), PATH)
            await closed_turn(Loads.ONE_BET, wallet, sequences, IN_FLIGHT)
        sizes.append(resident_bytes(wallet.service.worker_pid()))
    await wallet.compare()
    return sizes[-1] / sizes[0]
