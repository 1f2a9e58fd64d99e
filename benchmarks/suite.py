"""One pass over everything that is compared: which load on which system, in which order.

Systems take turns, each round beginning with another one, so that the machine's moods strike them alike. What is
compared with each other is measured beside each other.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import uvloop

from benchmarks import play, redis_memory
from benchmarks.bare import BareScripts
from benchmarks.figures import Loads, Names, Pass, Turn, median_rate
from benchmarks.peer_systems import Empty, PostgresWallet, RedisWallet, TigerBeetleWallet
from benchmarks.peers.webhook import PATH
from benchmarks.systems import System, Wallet, WalletOnPostgres
from benchmarks.turns import closed_turn, open_turn, paired_turns
from seamless_wallet.commands import Code

RATES: Final = (100.0, 300.0)
"""Requests a second of the open loops that are compared at fixed rates."""

SHARES: Final = (0.25, 0.5, 0.75)
"""Of the smaller capacity of the two that are compared, so that neither is helped."""

WARM_UP: Final = 1_000

EMPTY_TIMES: Final = 3
"""As many more requests to the empty handler: its CPU is counted in ticks of 10 ms, like that of the others."""

SETTLE_S: Final = 0.2
"""Between two turns: what the one before has left to do is done."""


class Plan(msgspec.Struct, frozen=True):
    """How much of everything."""

    bets: int = 3_000
    turns: int = 5
    in_flight: int = 64
    players: int = 200
    mixed_players: int = 2_000
    mixed_events: int = 6_000
    mixed_turns: int = 2
    open_s: float = 5.0
    open_turns: int = 2
    restarts: int = 3
    memory_players: int = 20_000
    tigerbeetle: str = ""
    """The address of a TigerBeetle server; empty: without it."""


class Step(NamedTuple):
    """Something that is measured or checked, and what the terminal says meanwhile."""

    title: str
    do: Callable[[], Awaitable[None]]


Show = Callable[[str], None]
"""Told of each step as it begins."""


def one_pass(plan: Plan, show: Show) -> Pass:
    """Start all systems, measure, and compare them with their books. Raises WrongAnswer: then nothing of it counts."""
    found = Pass()
    with tempfile.TemporaryDirectory(prefix="wallet-bench-") as path:
        directory = Path(path)
        show("start the wallet and its peers")
        with ExitStack() as running:
            systems: list[System] = [
                running.enter_context(Empty.start()),
                running.enter_context(RedisWallet.start(directory / "redis")),
                running.enter_context(PostgresWallet.start(Names.POSTGRES, constraints=False)),
                running.enter_context(PostgresWallet.start(Names.CONSTRAINED, constraints=True)),
                running.enter_context(Wallet.start(Names.WALLET, directory / "wallet")),
                running.enter_context(WalletOnPostgres.start_with_server(directory / "on_postgres")),
            ]
            if plan.tigerbeetle:
                systems.append(running.enter_context(TigerBeetleWallet.start(plan.tigerbeetle)))
            bare = running.enter_context(BareScripts.start())
            pass_ = _Measurements(plan, found, systems)
            _play(pass_.one_bets(bare), show)
            _play(pass_.open_loops(), show)
            _play(pass_.mixes(), show)
            # Both new: that the back office verifies what came before would cost only the older one.
            with (
                Wallet.start(Names.ONE_WORKER, directory / "one") as one,
                Wallet.start(Names.TWO_WORKERS, directory / "two", workers=2) as two,
            ):
                _play(pass_.two_workers(one, two), show)
            _play(pass_.comparisons(systems), show)
        for _ in range(plan.restarts):
            show("start to ready, on existing data")
            began_s = time.monotonic()
            with Wallet.start(Names.WALLET, directory / "wallet"):
                found.figures.setdefault("start_s", []).append(time.monotonic() - began_s)
    show("memory of Redis")
    for name, size in redis_memory.bytes_each(plan.memory_players).items():
        found.figures[f"redis_bytes_{name}"] = [size]
    return found


def _play(steps: Iterator[Step], show: Show) -> None:
    async def run() -> None:
        for step in steps:
            show(step.title)
            await step.do()

    uvloop.run(run())


class _Measurements:
    """The steps of a pass, and where their turns go."""

    def __init__(self, plan: Plan, found: Pass, systems: Sequence[System]) -> None:
        self._plan = plan
        self._found = found
        self._systems = list(systems)
        self._by_name = {system.name: system for system in systems}
        self._players = play.users("player", plan.players)
        self._poor = play.users("poor", plan.players)
        self._mixed = play.users("mixed", plan.mixed_players)

    def one_bets(self, bare: BareScripts) -> Iterator[Step]:
        """Bets of one item on each system; declined ones and those of one player beside them."""
        wallet, postgres = self._by_name[Names.WALLET], self._by_name[Names.POSTGRES]
        for system in self._systems:
            yield Step(f"players of {system.name}", partial(system.create, self._players))
        yield Step("players without money", lambda: wallet.create(self._poor, 0))
        for system in self._systems:
            yield self._closed(Loads.WARM_UP, system, self._players, WARM_UP)
        hot, empty = self._players[:1], self._by_name[Names.EMPTY]
        rotation: list[Callable[[], Step]] = [
            *[
                partial(self._closed, Loads.ONE_BET, system, self._players)
                for system in self._systems
                if system != empty
            ],
            partial(self._closed, Loads.ONE_BET, empty, self._players, EMPTY_TIMES * self._plan.bets),
            lambda: Step(f"{Loads.PAIRED}: {empty.name}, {wallet.name}", lambda: self._paired(empty, wallet)),
            lambda: self._closed(Loads.DECLINED, wallet, self._poor, code=Code.R4),
            lambda: self._closed(Loads.HOT, wallet, hot),
            lambda: self._closed(Loads.HOT, postgres, hot),
            lambda: Step(f"{Loads.ONE_BET}: {Names.BARE}", lambda: self._bare(bare)),
        ]
        for number in range(self._plan.turns):
            at = number * 3 % len(rotation)
            for make in (*rotation[at:], *rotation[:at]):
                yield make()

    def open_loops(self) -> Iterator[Step]:
        """Latencies at fixed rates, and at shares of what both can do."""
        pair = [self._by_name[name] for name in (Names.WALLET, Names.ON_POSTGRES, Names.POSTGRES)]
        capacity = min(median_rate(self._found.turns, Loads.ONE_BET, system.name) for system in pair)
        rates = {Loads.at_rate(rate): rate for rate in RATES}
        rates |= {Loads.at_share(share): share * capacity for share in SHARES}
        for number in range(self._plan.open_turns):
            for load, rate in rates.items():
                for system in pair if number % 2 == 0 else reversed(pair):
                    yield Step(
                        f"{load}: {system.name}",
                        partial(self._open, load, system, rate, number),
                    )

    def mixes(self) -> Iterator[Step]:
        """Whole rounds, as they are played."""
        wallet = self._by_name[Names.WALLET]
        yield Step("players of the mix", lambda: wallet.create(self._mixed))
        for number in range(self._plan.mixed_turns):
            for load, choose in (
                (Loads.MIX_UNIFORM, play.uniform(self._mixed, number)),
                (Loads.MIX_ZIPF, play.zipf(self._mixed, number)),
                (Loads.MIX_HOT, play.uniform(self._mixed[:1], number)),
            ):
                yield Step(f"{load}: {wallet.name}", partial(self._mix, load, wallet, choose, number))

    def two_workers(self, one: Wallet, two: Wallet) -> Iterator[Step]:
        """The same bets on one and on two workers."""
        for wallet in (one, two):
            yield Step(f"players of {wallet.name}", partial(wallet.create, self._players))
            yield self._closed(Loads.WARM_UP, wallet, self._players, WARM_UP)
        for number in range(self._plan.turns):
            for system in (one, two) if number % 2 == 0 else (two, one):
                yield self._closed(Loads.TWO_WORKERS, system, self._players)
        yield from self.comparisons([one, two])

    def comparisons(self, systems: Sequence[System]) -> Iterator[Step]:
        """Whether each system has come to what was answered."""
        for system in systems:
            yield Step(f"compare {system.name} with the books", partial(self._compare, system))

    def _closed(self, load: str, system: System, players: Sequence[str], bets: int = 0, code: Code = Code.R0) -> Step:
        async def do() -> None:
            sequences = play.one_bets(players, bets or self._plan.bets, PATH, code)
            self._keep(await closed_turn(load, system, sequences, self._plan.in_flight))

        return Step(f"{load}: {system.name}", do)

    async def _bare(self, bare: BareScripts) -> None:
        self._keep(bare.turn(Loads.ONE_BET, self._plan.bets))

    async def _paired(self, *systems: System) -> None:
        bets = [[bet for (bet,) in play.one_bets(self._players, self._plan.bets, PATH)] for _ in systems]
        for turn in await paired_turns(Loads.PAIRED, systems, bets, self._plan.in_flight):
            self._keep(turn)

    async def _open(self, load: str, system: System, rate: float, number: int) -> None:
        events = [event for (event,) in play.one_bets(self._players, round(rate * self._plan.open_s), PATH)]
        self._keep(await open_turn(load, system, events, rate, seed=number))

    async def _mix(self, load: str, system: System, choose: Callable[[], str], number: int) -> None:
        sequences = play.mixed(choose, self._plan.mixed_events, PATH, number)
        self._keep(await closed_turn(load, system, sequences, self._plan.in_flight))

    async def _compare(self, system: System) -> None:
        self._found.checks[system.name] = await system.compare()

    def _keep(self, turn: Turn) -> None:
        self._found.turns.append(turn)
        time.sleep(SETTLE_S)
