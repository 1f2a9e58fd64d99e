"""Whatever the core takes from the machine enters by a port: a seed decides everything, and no time passes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import fakeredis
import pytest

from seamless_wallet.commands import BACK_OFFICE, Code, Command, Item, Kind
from seamless_wallet.wallet.redis_comparison import Comparison
from tests.simulation.simulated_wallet import DEADLINE_S, SimulatedWallet, simulated_wallet
from tests.simulation.virtual_time import VirtualLoop

T = TypeVar("T")

PLAYERS = 5
ROUNDS = 12
FUNDS = 1_000


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run to the end, on a loop of virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


class Player:
    """One player's events, one after the other, each repeated until it is final."""

    def __init__(self, wallet: SimulatedWallet, user: str) -> None:
        self.wallet = wallet
        self.user = user
        self.balance = 0

    async def play(self) -> None:
        """Bet 10, and win 5, or have the bet cancelled; some wins turn out to be losses."""
        await self._send(Kind.CREATE, "", 0, currency="KRW")
        await self._send(Kind.DEPOSIT, "", FUNDS, amount=FUNDS)
        rng = self.wallet.rng
        for n in range(ROUNDS):
            await asyncio.sleep(rng.random())
            await self._send_bet(Kind.BET, n, -10, Item("1", "P", 10))
            if rng.random() < 1 / 3:
                await self._send_bet(Kind.CANCEL, n, 10, Item("1", "P", 10))
                continue
            await self._send_bet(Kind.RESULT, n, 15, Item("1", "P", 10, 5))
            if rng.random() < 1 / 3:
                await self._send_bet(Kind.CHANGE, n, -15, Item("1", "P", 10, -10, 5))

    async def _send_bet(self, kind: Kind, number: int, moves: int, item: Item) -> None:
        game = f"{self.user}-{number}"
        await self._send(kind, game, moves, currency="KRW", game_no=game, items=(item,))

    async def _send(self, kind: Kind, game: str, moves: int, **fields: Any) -> None:
        now_ms = self.wallet.clock.now_ms()
        command = Command(
            kind=kind,
            provider="games" if game else BACK_OFFICE,
            user_id=self.user,
            transaction_id=f"{kind}-{game}",
            timestamp_ms=now_ms,
            received_ms=now_ms,
            **fields,
        )
        await self.wallet.settle(command)
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
    lasted_s: float


async def play(seed: str, directory: Path) -> Played:
    """Some players at once, through all of it."""
    async with simulated_wallet(seed, directory) as wallet:
        players = [Player(wallet, f"player-{n}") for n in range(PLAYERS)]
        await asyncio.gather(*(player.play() for player in players), disturb(wallet))
        await check(wallet, players)
        tokens = [message.text for message in wallet.redis.published if ":confirm:" in message.channel]
        return Played(wallet.chains(), tokens, wallet.clock.monotonic_s())


def test_a_seed_decides_every_byte_of_the_ledger(tmp_path_factory):
    """The same seed gives the same chains and tokens, another one others. No answer and no book is wrong meanwhile."""
    first, again, other = (run(play(seed, tmp_path_factory.mktemp("ledger"))) for seed in ("1", "1", "2"))
    assert first == again
    assert set(first.chains).isdisjoint(other.chains)
    assert set(first.tokens).isdisjoint(other.tokens)
    assert all(epoch > 1 for epoch, _, _ in first.chains)
    assert first.lasted_s > 3 * DEADLINE_S


async def wait_for_a_stalled_redis(directory: Path) -> tuple[float, float]:
    """How long it took until a bet was answered: by the clock of the loop, and by ours."""
    async with simulated_wallet("stall", directory) as wallet:
        wallet.redis.stalled = True
        began_s, really_began_s = wallet.clock.monotonic_s(), time.monotonic()
        bet = Command(
            kind=Kind.BET,
            provider="games",
            user_id="ann",
            transaction_id="1",
            timestamp_ms=wallet.clock.now_ms(),
            received_ms=wallet.clock.now_ms(),
            currency="KRW",
            game_no="1",
            items=(Item("1", "P", 10),),
        )
        assert (await wallet.apply(bet)).code is Code.R1
        return wallet.clock.monotonic_s() - began_s, time.monotonic() - really_began_s


def test_a_deadline_passes_in_no_time(tmp_path):
    """Two seconds of the loop's clock, and none of ours."""
    waited_s, really_waited_s = run(wait_for_a_stalled_redis(tmp_path))
    assert waited_s == pytest.approx(DEADLINE_S, abs=0.01)
    assert really_waited_s < DEADLINE_S / 2
