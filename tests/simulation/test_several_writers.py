"""Several writers share the shards of a ledger and a Redis, in virtual time: they die, freeze, come, go, lose Redis."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from seamless_wallet.commands import BACK_OFFICE, Answer, Code, Command, Item, Kind, Policy, shard_of
from seamless_wallet.engine.keys import HEARTBEAT_MS, beat, heartbeat
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
from tests.simulation.test_seams import run

TAKEN_WITHIN_S = 3.0
"""How long after the last cycle of a writer its shards are others' at the latest."""

SHARDS = 5
PLAYERS = 5
FREE = Policy(session_required=False)


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
        await self.task

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
        await frozen.wait()
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

        async def one(user: str) -> None:
            for _ in range(bets):
                await self.bet(user)
                await asyncio.sleep(self.wallet.rng.random() / 4)

        await gather(*(one(user) for user in self.balances))

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


def test_writers_share_the_shards_and_move_them_without_an_epoch_or_an_r1(tmp_path):
    """Three hold them, two more come, and all goes on."""

    async def scenario() -> None:
        async with town("share", tmp_path) as t:
            playing = asyncio.create_task(t.play(15))
            for _ in range(2):
                await asyncio.sleep(1.0)
                t.add_writer()
            await t.shared()
            assert sorted(len(writer.held) for writer in t.writers) == [1, 1, 1, 1, 1]
            await playing
            assert {answer.code for answer in t.answers} == {Code.R0}
            await t.check()

    run(scenario())


def test_a_rolling_restart_costs_no_r1(tmp_path):
    """One after the other ends in order, and a new one comes."""

    async def scenario() -> None:
        async with town("rolling", tmp_path) as t:
            playing = asyncio.create_task(t.play(30))
            for writer in list(t.writers):
                await asyncio.sleep(0.5)
                await writer.stop()
                assert not writer.held
                t.add_writer()
                await t.shared()
            await playing
            assert {answer.code for answer in t.answers} == {Code.R0}
            await t.check()

    run(scenario())


async def taken_within_time(t: Town, lost: set[int], since_s: float, *others: RunningWriter) -> None:
    """The others have these shards soon enough, and everybody can play on."""

    def have_them() -> bool:
        return lost <= {shard for other in others if other.writer for shard in other.writer._shard_states.taken}

    await until(have_them, "taken")
    assert t.wallet.clock.monotonic_s() - since_s <= TAKEN_WITHIN_S


def test_when_one_dies_the_others_have_its_shards_in_time(tmp_path):
    """What it had not committed is committed, and nothing twice."""

    async def scenario() -> None:
        async with town("dies", tmp_path) as t:
            playing = asyncio.create_task(t.play(15))
            await asyncio.sleep(1.0)
            first, *others = t.writers
            lost, died_s = first.held, t.wallet.clock.monotonic_s()
            await first.kill()
            await taken_within_time(t, lost, died_s, *others)
            await playing
            await t.check()

    run(scenario())


PHASES = [
    (method, when)
    for method in ("commit", "renew_leases", "heads", "registered_scripts")
    for when in ("before", "after")
]


@pytest.mark.parametrize(
    ("method", "when"), [pytest.param(*each, marks=pytest.mark.long if each[0] != "commit" else []) for each in PHASES]
)
def test_when_one_freezes_anywhere_the_others_have_its_shards_in_time(method, when, tmp_path):
    """And when it wakes up it stops with them at once: its late commit and its late confirmation are refused."""

    async def scenario() -> None:
        async with town(f"freezes {when} {method}", tmp_path) as t:
            playing = asyncio.create_task(t.play(30))
            await asyncio.sleep(1.0)
            first, *others = t.writers
            if method == "heads":
                first.writer._checks_due.heads = True  # type: ignore[union-attr]
            lost = first.held
            resumed = await first.freeze(method, when)
            await taken_within_time(t, lost, t.wallet.clock.monotonic_s(), *others)
            await asyncio.sleep(1.0)
            resumed.set()
            await t.shared()
            await playing
            await t.check()
            assert not first.task.done()

    run(scenario())


def test_when_one_loses_redis_the_others_have_its_shards_in_time(tmp_path):
    """Its way is cut, and SQL is there. When Redis is back it gets a share again."""

    async def scenario() -> None:
        async with town("cut", tmp_path) as t:
            playing = asyncio.create_task(t.play(30))
            await asyncio.sleep(1.0)
            first, *others = t.writers
            lost, cut_s = first.held, t.wallet.clock.monotonic_s()
            first.way.cut()
            await taken_within_time(t, lost, cut_s, *others)
            await asyncio.sleep(1.0)
            first.way.heal()
            await t.shared()
            await playing
            await t.check()
            assert not first.task.done()

    run(scenario())


def test_when_redis_is_replaced_each_writer_opens_epochs_for_its_own_shards(tmp_path):
    """Once each, and nothing that was acknowledged is lost."""

    async def scenario() -> None:
        async with town("replaced", tmp_path) as t:
            playing = asyncio.create_task(t.play(15))
            await asyncio.sleep(1.0)
            t.wallet.redis.replace()
            await playing
            await t.shared()
            await t.check(epochs=2)

    run(scenario())


def test_one_beat_of_a_writer_that_wakes_up_does_not_end_who_takes_its_shard(tmp_path):
    """It had sent it before it lost the shard. Whoever goes on beats again."""

    async def scenario() -> None:
        async with town("beat", tmp_path, writers=1) as t:
            (first,) = t.writers
            assert first.writer
            resumed = await first.freeze("renew_leases", "before")
            second = t.add_writer()
            client = t.wallet.redis._client
            await until(lambda: second.held, "leases")
            for shard in range(SHARDS):
                client.set(heartbeat(shard), beat(first.nonce, 10**6), px=HEARTBEAT_MS)
            await taken_within_time(t, second.held, t.wallet.clock.monotonic_s(), second)
            resumed.set()
            await t.shared()
            await t.play(3)
            await t.check()
            assert not second.task.done()

    run(scenario())


def test_only_the_shards_without_a_writer_are_r1(tmp_path):
    """One that will not come back held some, and leaves leases that do not end: others go on."""

    async def scenario() -> None:
        async with town("deserted", tmp_path) as t:
            dead, *_ = t.writers
            lost, nonce = dead.held, dead.nonce
            await dead.kill()

            async def hold_on() -> None:
                while True:
                    for shard in lost:
                        t.book.holders[shard] = nonce, t.wallet.clock.monotonic_s() + 1.0
                    await asyncio.sleep(0.5)

            holding = asyncio.create_task(hold_on())
            await until(lambda: all(lost == worker.wallet._writer.absent for worker in t.wallet.workers), "absence")
            for user in t.balances:
                item = Item("1", "P", 10)
                answer = await t.apply(t.command(Kind.BET, user, currency="KRW", game_no="g", items=(item,)))
                is_lost = shard_of(user, SHARDS) in lost
                assert (answer.code, answer.reason == "writer") == ((Code.R1, True) if is_lost else (Code.R0, False))
            holding.cancel()
            await t.shared()
            await until(lambda: not any(worker.wallet._writer.absent for worker in t.wallet.workers), "their return")

    run(scenario())


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_to_writers_every_history_is_exact(seed, tmp_path):
    """Writers die, freeze in the middle, lose Redis, end and come, in any order, under play."""

    async def scenario() -> None:
        async with town(f"chaos {seed}", tmp_path) as t:
            rng = random.Random(seed)
            playing = asyncio.create_task(t.play(40))
            deeds: list[Callable[[RunningWriter], Awaitable[None]]] = [kill, stop, freeze_for_a_while, cut_for_a_while]
            while not playing.done():
                await asyncio.sleep(rng.random() * 1.5)
                running = [writer for writer in t.writers if not writer.task.done() and writer.writer]
                await rng.choice(deeds)(rng.choice(running))
                if len(running) < 4:
                    t.add_writer()
            await playing
            await t.shared()
            await t.check()

    async def kill(writer: RunningWriter) -> None:
        await writer.kill()

    async def stop(writer: RunningWriter) -> None:
        await writer.stop()

    async def freeze_for_a_while(writer: RunningWriter) -> None:
        resumed = await writer.freeze(*rng_phase())
        await asyncio.sleep(phases.random() * 4)
        resumed.set()

    async def cut_for_a_while(writer: RunningWriter) -> None:
        writer.way.cut()
        await asyncio.sleep(phases.random() * 4)
        writer.way.heal()

    phases = random.Random(f"phases {seed}")

    def rng_phase() -> tuple[str, str]:
        return phases.choice(PHASES[:4])

    run(scenario())
