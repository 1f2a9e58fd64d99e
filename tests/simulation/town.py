"""A wallet with several writers in virtual time, players who must have what was acknowledged, and what befalls them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from seamless_wallet.commands import BACK_OFFICE, Answer, Code, Command, Item, Kind, Policy
from seamless_wallet.engine.ports import Connection
from seamless_wallet.processes.ledger_connection import register_scripts
from seamless_wallet.processes.writer import build_writer
from seamless_wallet.stores.sqlite import init
from seamless_wallet.writer.cycle import Writer
from tests.integration.faults import FaultyStore
from tests.integration.waiting import gather, until
from tests.leased_ledger import LeaseBook, LeasedLedger
from tests.simulation.in_process_redis import InProcessConnection, redis_time
from tests.simulation.simulated_wallet import SimulatedWallet

SHARDS = 5
PLAYERS = 5
FREE = Policy(session_required=False)

PHASES = [
    (method, when)
    for method in ("commit", "renew_leases", "heads", "registered_scripts")
    for when in ("before", "after")
]
"""Where a writer may freeze."""

RUNNING_MIN = 3
"""Chaos brings a new writer where no more than so many run."""

FREEZES_WITHIN_S = 2.0
"""Else a writer is not frozen."""


class WayToRedis:
    """The way of one writer to Redis, which can be cut."""

    def __init__(self, redis: Any) -> None:
        self._redis = redis
        self._connections: list[InProcessConnection] = []
        self._cut = False

    async def connect(self) -> Connection:
        if self._cut:
            raise ConnectionRefusedError("no way to Redis")
        self._connections.append(await self._redis.connect())
        return self._connections[-1]

    def cut(self) -> None:
        self._cut = True
        for connection in self._connections:
            connection.end()
        self._connections.clear()

    def heal(self) -> None:
        self._cut = False


class RunningWriter:
    """One writer, which a scenario kills, freezes, stops, or cuts off."""

    def __init__(self, town: Town) -> None:
        self._town = town
        self.ledger = town.wallet.open_ledger()
        self.store = FaultyStore(LeasedLedger(self.ledger, town.book))
        self.way = WayToRedis(town.wallet.redis)
        self.task = asyncio.create_task(self._run())
        self.writer: Writer | None = None

    async def _run(self) -> None:
        wallet = self._town.wallet
        try:
            await register_scripts(self.ledger, wallet.clock)
            self.writer = build_writer(
                wallet.settings,
                self.store,
                wallet.clock,
                redis=self.way,
                randomness=wallet.randomness,
            )
            await self.writer.run()
        finally:
            await self.ledger.close()

    @property
    def nonce(self) -> str:
        return self.writer._shard_states.nonce if self.writer else ""

    @property
    def held(self) -> set[int]:
        return set(self._town.book.held_by(self.nonce)) if self.nonce else set()

    async def kill(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def stop(self) -> None:
        assert self.writer
        self.writer.stop()
        await asyncio.wait({self.task})

    async def freeze(self, method: str, when: str) -> asyncio.Event:
        """Let it stand still before or after its next call of a method of SQL; it goes on when the event is set."""
        frozen, resumed = asyncio.Event(), asyncio.Event()

        async def stand_still() -> None:
            frozen.set()
            await resumed.wait()

        def wait(name: str) -> Awaitable[None] | None:
            if name != method or frozen.is_set():
                return None
            return stand_still()

        setattr(self.store, when, wait)
        try:
            await frozen.wait()
        except asyncio.CancelledError:
            setattr(self.store, when, lambda _: None)
            raise
        return resumed


class Town:
    """A wallet with several writers, and players who must have what was acknowledged."""

    def __init__(self, wallet: SimulatedWallet) -> None:
        self.wallet = wallet
        self.book = LeaseBook(wallet.settings.shards, wallet.clock.monotonic_s)
        self.writers: list[RunningWriter] = []
        self.balances: dict[str, int] = {}
        self.answers: list[Answer] = []
        self._numbers = iter(range(10**9))

    def add_writer(self) -> RunningWriter:
        self.writers.append(RunningWriter(self))
        return self.writers[-1]

    async def enter(self, *users: str) -> None:
        for user in users:
            await self.settle(self.command(Kind.CREATE, user, currency="KRW"))
            await self.settle(self.command(Kind.DEPOSIT, user, amount=1_000_000))
            self.balances[user] = 1_000_000

    def command(self, kind: Kind, user: str, **fields: Any) -> Command:
        now_ms = self.wallet.clock.now_ms()
        office = kind in (Kind.CREATE, Kind.DEPOSIT)
        return Command(
            kind=kind,
            provider=BACK_OFFICE if office else "games",
            user_id=user,
            transaction_id=f"t{next(self._numbers)}",
            timestamp_ms=now_ms,
            received_ms=now_ms,
            **fields,
        )

    async def apply(self, command: Command) -> Answer:
        workers = self.wallet.workers
        answer = await self.wallet.rng.choice(workers).wallet.apply(command, FREE)
        self.answers.append(answer)
        return answer

    async def settle(self, command: Command) -> None:
        """Send it, and again while the answer is R1, as a provider would."""
        answer = await self.apply(command)
        while answer.code is Code.R1:
            await asyncio.sleep(0.1)
            answer = await self.apply(command)
        assert answer.code is Code.R0, (answer, command)

    async def bet(self, user: str) -> None:
        item = Item("1", "P", 10)
        await self.settle(
            self.command(Kind.BET, user, currency="KRW", game_no=f"g{next(self._numbers)}", items=(item,))
        )
        self.balances[user] -= 10

    async def play(self, bets: int) -> None:
        """Every player makes so many bets, one after the other, with pauses."""
        await gather(*(self._play(user, iter(range(bets))) for user in self.balances))

    async def play_until(self, done: asyncio.Event) -> None:
        """Every player makes bets, one after the other, with pauses."""
        await gather(*(self._play(user, iter(done.is_set, True)) for user in self.balances))

    async def _play(self, user: str, turns: Iterator[object]) -> None:
        for _ in turns:
            await self.bet(user)
            await asyncio.sleep(self.wallet.rng.random() / 4)

    def is_shared(self) -> bool:
        """Every shard is held by a writer that runs, each has its share, and each works on what it holds."""
        counts = []
        for writer in self.writers:
            if writer.task.done():
                continue
            if writer.writer is None:
                return False
            states = writer.writer._shard_states
            if not writer.held == states.held == states.taken or states.epochs_due:
                return False
            counts.append(len(writer.held))
        return sum(counts) == SHARDS and max(counts) - min(counts) <= 1

    async def shared(self) -> None:
        await until(self.is_shared, "fair shares")

    async def check(self, epochs: int = 1) -> None:
        """The ledger holds together, everyone has what he must have, and no shard has had another epoch."""
        for writer in self.writers:
            if writer.task.done() and not writer.task.cancelled():
                writer.task.result()  # none has ended because of another one
        async with self.wallet.open_ledger() as ledger:
            for user, balance in self.balances.items():
                found = await ledger.wallet(user)
                assert found
                assert found.balance == balance, user
            findings = [finding async for finding in ledger.verify()]
            assert not findings
            assert {head.epoch for head in await ledger.heads()} == {epochs}


@asynccontextmanager
async def town(seed: str, directory: Path, writers: int = 3, players: int = PLAYERS) -> AsyncIterator[Town]:
    """With so many writers that share the shards already."""
    wallet = SimulatedWallet(seed, directory)
    wallet.settings = wallet.settings.model_copy(update={"shards": SHARDS})
    settings = wallet.settings
    init(settings.ledger_path, settings.shards, settings.currencies, new_uuid=wallet.randomness.token(16))
    async with AsyncExitStack() as stack:
        stack.enter_context(redis_time(wallet.clock))
        made = Town(wallet)
        for _ in range(writers):
            made.add_writer()
        await made.shared()
        for _ in range(2):
            await wallet.add_worker(stack)
        await made.enter(*(f"p{number}" for number in range(players)))
        try:
            yield made
        finally:
            for writer in made.writers:
                await writer.kill()


class Chaos:
    """What befalls writers in an order of chance: each is killed, ends, freezes in the middle, or loses Redis.

    A deed that lasts goes on while the next ones are done, so several may be frozen or cut off at once.
    """

    def __init__(self, town: Town, seed: int) -> None:
        self._town = town
        self._rng = random.Random(seed)

    async def rage(self, deeds: int) -> None:
        """Do so many deeds, and have everyone who was frozen or cut off be back."""
        town, rng, lasting = self._town, self._rng, []
        for _ in range(deeds):
            await asyncio.sleep(rng.random() * 1.5)
            running = [writer for writer in town.writers if not writer.task.done() and writer.writer]
            deed = rng.choice([RunningWriter.kill, RunningWriter.stop, self._freeze, self._cut])
            lasting.append(asyncio.create_task(deed(rng.choice(running))))
            if len(running) <= RUNNING_MIN:
                town.add_writer()
        await gather(*lasting)

    async def _freeze(self, writer: RunningWriter) -> None:
        """Unless it does not come there soon: one whose shards nobody plays on does not commit."""
        freezing = asyncio.create_task(writer.freeze(*self._rng.choice(PHASES[:4])))
        await asyncio.wait({freezing}, timeout=FREEZES_WITHIN_S)
        if freezing.done():
            await asyncio.sleep(self._rng.random() * 4)
            freezing.result().set()
        else:
            freezing.cancel()

    async def _cut(self, writer: RunningWriter) -> None:
        writer.way.cut()
        await asyncio.sleep(self._rng.random() * 4)
        writer.way.heal()
