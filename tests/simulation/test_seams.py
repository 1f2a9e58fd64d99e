"""Whatever the core takes from the machine enters by a port: a seed decides everything, and no time passes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import fakeredis
import pytest
from msgspec import structs

from seamless_wallet.clients.provider_events import new_event
from seamless_wallet.commands import BACK_OFFICE, Code, Command, Item, Kind
from seamless_wallet.engine.keys import HEARTBEAT_MS
from seamless_wallet.processes.lifetime import Lifetime
from seamless_wallet.processes.readiness import Readiness
from seamless_wallet.wallet.redis_comparison import Comparison
from tests.simulation.simulated_wallet import DEADLINE_S, HOT_WINDOW_S, SimulatedWallet, simulated_wallet
from tests.simulation.virtual_time import VirtualLoop

T = TypeVar("T")

PLAYERS = 5
ROUNDS = 12
FUNDS = 1_000
FORGOTTEN_S = 3 * HOT_WINDOW_S
"""Redis keeps events for at most two hot windows, and settled bets for one."""


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run to the end, on a loop of virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


def game_event(wallet: SimulatedWallet, kind: Kind, user: str, game: str, item: Item) -> Command:
    """An event of the present second: the provider counts seconds."""
    return new_event(
        kind,
        provider="games",
        user_id=user,
        transaction_id=f"{kind}-{game}",
        timestamp_ms=wallet.clock.now_ms() // 1000 * 1000,
        feedback_data="",
        currency="KRW",
        game_no=game,
        items=(item,),
    )


class Player:
    """One player's events, one after the other, each repeated until it is final."""

    def __init__(self, wallet: SimulatedWallet, user: str) -> None:
        self.wallet = wallet
        self.user = user
        self.balance = 0
        self.sent: list[Command] = []

    async def play(self) -> None:
        """All rounds."""
        await self.enter()
        for number in range(ROUNDS):
            await asyncio.sleep(self.wallet.rng.random())
            await self.play_round(number)

    async def enter(self) -> None:
        """With money to play with."""
        await self._send(Kind.CREATE, 0, currency="KRW")
        await self._send(Kind.DEPOSIT, FUNDS, amount=FUNDS)

    async def play_round(self, number: int) -> None:
        """Bet 10, and win 5, or have the bet cancelled; some wins turn out to be losses."""
        rng = self.wallet.rng
        await self._send_bet(Kind.BET, number, -10, Item("1", "P", 10))
        if rng.random() < 1 / 3:
            await self._send_bet(Kind.CANCEL, number, 10, Item("1", "P", 10))
            return
        await self._send_bet(Kind.RESULT, number, 15, Item("1", "P", 10, 5))
        if rng.random() < 1 / 3:
            await self._send_bet(Kind.CHANGE, number, -15, Item("1", "P", 10, -10, 5))

    async def _send_bet(self, kind: Kind, number: int, moves: int, item: Item) -> None:
        self.sent.append(game_event(self.wallet, kind, self.user, f"{self.user}-{number}", item))
        await self.wallet.send_until_final(self.sent[-1])
        self.balance += moves

    async def _send(self, kind: Kind, moves: int, **fields: Any) -> None:
        now_ms = self.wallet.clock.now_ms()
        command = Command(
            kind=kind,
            provider=BACK_OFFICE,
            user_id=self.user,
            transaction_id=f"{kind}-{self.user}",
            timestamp_ms=now_ms,
            received_ms=now_ms,
            **fields,
        )
        await self.wallet.send_until_final(command)
        self.balance += moves


async def disturb(wallet: SimulatedWallet) -> None:
    """Redis stalls for longer than the deadline, the writer dies for as long, another Redis takes over."""
    await asyncio.sleep(wallet.rng.random())
    wallet.redis.stalled = True
    await asyncio.sleep(1.5 * DEADLINE_S)
    wallet.redis.resume()
    await asyncio.sleep(wallet.rng.random())
    await wallet.kill_writer()
    await asyncio.sleep(1.5 * DEADLINE_S)
    await wallet.start_writer()
    await asyncio.sleep(wallet.rng.random())
    wallet.redis.replace()


async def check(wallet: SimulatedWallet, players: list[Player]) -> None:
    """All that `wallet verify` looks at, and what each player has."""
    reader = fakeredis.FakeAsyncRedis(server=wallet.redis.server, decode_responses=True)
    async with wallet.open_ledger() as ledger, reader:
        assert [finding async for finding in ledger.verify()] == []
        comparison = Comparison(ledger, ledger.uuid, reader)
        assert [difference async for difference in comparison.differences()] == []
        assert comparison.compared == len(players)
        for player in players:
            stored = await ledger.wallet(player.user)
            assert stored is not None
            assert stored.balance == player.balance


class Played(NamedTuple):
    """What is left of a simulation."""

    chains: list[tuple[int, int, bytes]]
    tokens: list[str]
    bodies: list[bytes]
    lasted_s: float


async def play(seed: str, directory: Path) -> Played:
    """Some players at once, through all of it."""
    async with simulated_wallet(seed, directory) as wallet:
        players = [Player(wallet, f"player-{n}") for n in range(PLAYERS)]
        await asyncio.gather(*(player.play() for player in players), disturb(wallet))
        await check(wallet, players)
        told = [each.text for each in wallet.redis.published if "self-test" not in each.channel]
        tokens = [token for text in told for line in text.split("\n")[1:] for token in line.split(" ")[3:] if token]
        return Played(wallet.chains(), tokens, wallet.bodies, wallet.clock.monotonic_s())


def test_a_seed_decides_every_byte_of_the_ledger(tmp_path_factory):
    """The same seed gives the same chains, tokens and sealed replies, another one others.

    No answer and no book is wrong meanwhile.
    """
    first, again, other = (run(play(seed, tmp_path_factory.mktemp("ledger"))) for seed in ("1", "1", "2"))
    assert first == again
    assert set(first.chains).isdisjoint(other.chains)
    assert set(first.tokens).isdisjoint(other.tokens)
    assert set(first.bodies).isdisjoint(other.bodies)
    assert all(epoch > 1 for epoch, _, _ in first.chains)
    assert first.lasted_s > 3 * DEADLINE_S


async def wait_for_a_stalled_redis(directory: Path) -> tuple[float, float]:
    """How long it took until a bet was answered: by the clock of the loop, and by ours."""
    async with simulated_wallet("stall", directory) as wallet:
        wallet.redis.stalled = True
        began_s, really_began_s = wallet.clock.monotonic_s(), time.monotonic()
        assert await wallet.send(game_event(wallet, Kind.BET, "ann", "1", Item("1", "P", 10))) is Code.R1
        return wallet.clock.monotonic_s() - began_s, time.monotonic() - really_began_s


def test_a_deadline_passes_in_no_time(tmp_path):
    """Two seconds of the loop's clock, and none of ours."""
    waited_s, really_waited_s = run(wait_for_a_stalled_redis(tmp_path))
    assert waited_s == pytest.approx(DEADLINE_S, abs=0.01)
    assert really_waited_s < DEADLINE_S / 2


async def outlive_the_hot_window(directory: Path) -> float:
    """Repeat events that Redis has forgotten, then stop the writer. Returns how long it took by the loop's clock."""
    async with simulated_wallet("window", directory) as wallet:
        player = Player(wallet, "ann")
        await player.enter()
        await player.play_round(0)
        reader = fakeredis.FakeRedis(server=wallet.redis.server)
        assert reader.keys("*:r:*")
        assert reader.keys("*:i:*")
        sent = player.sent[:]
        await asyncio.sleep(FORGOTTEN_S)
        assert reader.keys("*:r:*") == reader.keys("*:i:*") == []
        for event in sent:
            fresh = structs.replace(event, timestamp_ms=wallet.clock.now_ms() // 1000 * 1000)
            other = structs.replace(event, items=(structs.replace(event.items[0], amount=11),))
            assert [await wallet.send(each) for each in (event, fresh, other)] == [Code.R0, Code.R0, Code.R3]
        await check(wallet, [player])
        readiness = Readiness(wallet.workers[0].pipeline, wallet.workers[0].ledger, Lifetime(None))
        assert await readiness._ask_writer() == "ok"
        await wallet.kill_writer()
        await asyncio.sleep(1.5 * HEARTBEAT_MS / 1000)
        assert await readiness._ask_writer() == f"finished no cycle in the last {HEARTBEAT_MS / 1000:g} s"
        return wallet.clock.monotonic_s()


def test_redis_forgets_in_virtual_time_and_sql_does_not(tmp_path):
    """After the hot window a copy is still a copy, whatever its timestamp. A writer that is gone is missed."""
    assert run(outlive_the_hot_window(tmp_path)) > FORGOTTEN_S
