"""What a process makes of a part that it does not hear: the writer is gone, subscriptions are silent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from seamless_wallet.commands import Answer, Code, Item, Kind, Policy
from seamless_wallet.engine.keys import HEARTBEAT_MS
from seamless_wallet.engine.subscription import PING_EVERY_S, PONG_LIMIT_S, RESUBSCRIBE_S
from seamless_wallet.wallet.attempts import COMMIT_LOOKUP_S
from seamless_wallet.wallet.writer_presence import CHECK_EVERY_S
from seamless_wallet.writer.confirm_stage import CONFIRM_ALL_EVERY_S
from tests.integration.waiting import until
from tests.simulation.simulated_wallet import SimulatedWallet, simulated_wallet
from tests.simulation.test_seams import Player, game_event, run

BETS = 10
MINUTE_S = 60


@asynccontextmanager
async def wallet_of_ann(directory: Path) -> AsyncIterator[SimulatedWallet]:
    """A wallet with one player, who has money."""
    async with simulated_wallet("ann", directory) as wallet:
        await Player(wallet, "ann").enter()
        await asyncio.sleep(1.0)
        yield wallet


async def bet(wallet: SimulatedWallet, number: int) -> tuple[Answer, float]:
    """One of ann's: the answer of some worker, and how long it took."""
    worker, began_s = wallet.workers[number % len(wallet.workers)], wallet.clock.monotonic_s()
    event = game_event(wallet, Kind.BET, "ann", f"{number}", Item("1", "P", 10))
    answer = await worker.wallet.apply(event, Policy(session_required=False))
    return answer, wallet.clock.monotonic_s() - began_s


def know(wallet: SimulatedWallet, *, absent: bool) -> bool:
    """Whether all workers know that of the writer."""
    return all(bool(worker.wallet._writer.absent) is absent for worker in wallet.workers)


async def bet_without_a_writer(directory: Path) -> None:
    """It is dead for some minutes."""
    async with wallet_of_ann(directory) as wallet:
        await wallet.kill_writer()
        died_s = wallet.clock.monotonic_s()
        await until(lambda: know(wallet, absent=True))
        absent_s = wallet.clock.monotonic_s() - died_s
        assert HEARTBEAT_MS / 1000 - CONFIRM_ALL_EVERY_S <= absent_s <= HEARTBEAT_MS / 1000 + 2 * CHECK_EVERY_S
        before = wallet.redis.dump()
        for number in range(BETS):
            answer, took_s = await bet(wallet, number)
            assert (answer.code, answer.reason, took_s) == (Code.R1, "writer", 0.0)
        assert wallet.redis.dump() == before
        await asyncio.sleep(5 * MINUTE_S)
        assert know(wallet, absent=True)
        await wallet.start_writer()
        await until(lambda: know(wallet, absent=False))
        assert {(await bet(wallet, number))[0].code for number in range(BETS)} == {Code.R0}


def test_without_a_writer_nothing_is_executed(tmp_path):
    """R1 in no time, for as long as it takes, from three seconds after its death until it is back."""
    run(bet_without_a_writer(tmp_path))


async def bet_on_silent_subscriptions(directory: Path) -> None:
    """All of them, of workers and writer, three times."""
    async with wallet_of_ann(directory) as wallet:
        for number in range(3):
            wallet.redis.silence_subscriptions()
            answer, took_s = await bet(wallet, number)
            assert (answer.code, took_s >= COMMIT_LOOKUP_S) == (Code.R0, True)  # only the look-up has found it
            await asyncio.sleep(PING_EVERY_S + PONG_LIMIT_S + 2 * RESUBSCRIBE_S + PING_EVERY_S)
            assert know(wallet, absent=False)
            answer, took_s = await bet(wallet, BETS + number)
            assert (answer.code, took_s < COMMIT_LOOKUP_S) == (Code.R0, True)


def test_silent_subscriptions_are_made_anew(tmp_path):
    """Meanwhile SQL confirms, late, and nobody takes the writer for dead; afterwards its messages do again."""
    run(bet_on_silent_subscriptions(tmp_path))
