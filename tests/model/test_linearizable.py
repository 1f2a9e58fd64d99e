"""Several clients a player, two workers, retries, copies, and everything that breaks: one order explains all answers.

A soak plays many; `TEST_SEED` repeats a run's choices (not its timing).
"""

from __future__ import annotations

import asyncio
import random
import secrets
from itertools import count

import pytest
from msgspec import structs

from seamless_wallet.commands import Code, Command, Item, Kind
from tests.integration.test_wallet_chaos import Disasters
from tests.integration.waiting import gather, until
from tests.integration.world import World, world
from tests.model.history import POLICIES
from tests.model.linear import Call, explain, replay
from tests.model.soak import limit, seeds
from tests.model.stage import compare_wallet

PLAYERS = 4
CLIENTS = 3
SECONDS = 3.0
FOR_GOOD = {"funds", "bet_cancelled", "bet_differs"}  # row 6, within one epoch
STAKES = {"1": 100, "2": 250, "3": 40}
KINDS = (
    *[Kind.BET] * 6,
    *[Kind.RESULT] * 5,
    *[Kind.CHANGE] * 4,
    *[Kind.CANCEL] * 2,
    *[Kind.DEPOSIT] * 2,
    *[Kind.WITHDRAW] * 2,
    Kind.LOGIN,
    Kind.LOGOUT,
    Kind.STATUS,
)
MOVING = (*[Kind.BET] * 8, Kind.RESULT, *[Kind.DEPOSIT] * 4, *[Kind.WITHDRAW] * 3)
"""What moves money, or is declined for want of it."""


class Table:
    """One player, and what several clients say about it at once."""

    def __init__(self, w: World, user: str, rng: random.Random, order: count[int], impatient: bool) -> None:
        self.w, self.user, self.rng, self.order = w, user, rng, order
        self.impatient = impatient
        self.kinds, self.patience = (MOVING, (1, 1, 3)) if impatient else (KINDS, (1, 3, 8))
        self.calls: list[Call] = []
        self._sent: list[Command] = []
        self._declined: list[Command] = []

    async def play(self, stop: asyncio.Event) -> None:
        """One client."""
        await self._send(self.w.command(Kind.CREATE, self.user, "create", currency="KRW"))
        while not stop.is_set():
            await self._send(self._next())

    def _next(self) -> Command:
        rng = self.rng
        for share, known in ((0.5 if self.impatient else 0.2, self._declined[-2:]), (0.15, self._sent[-12:])):
            if known and rng.random() < share:
                return structs.replace(rng.choice(known), received_ms=self.w.clock.now_ms())
        kind = rng.choice(self.kinds)
        provider = rng.choice(("games", "games", "slots"))
        match kind:
            case Kind.DEPOSIT | Kind.WITHDRAW:
                most = 500 if kind is Kind.DEPOSIT and not self.impatient else 200
                return self.w.command(kind, self.user, amount=rng.choice((1, 100, most)))
            case Kind.STATUS:
                return self.w.command(kind, self.user, status=rng.choice(("active",) * 4 + ("blocked",)))
            case Kind.LOGIN | Kind.LOGOUT:
                return self.w.command(kind, self.user, provider=provider)
        game, chosen = f"g{len(self._sent) // 8}", rng.sample(sorted(STAKES), rng.choice((1, 1, 2)))
        bets = [command for command in self._sent[-60:] if command.kind is Kind.BET]
        if kind is not Kind.BET and bets and rng.random() < 0.9:
            bet = rng.choice(bets[-8:])
            provider, game, chosen = bet.provider, bet.game_no, [item.bet_index for item in bet.items]
        items = [self._item(kind, index) for index in chosen]
        at_ms = self.w.clock.now_ms() - rng.choice((0, 0, 0, 3_000, 30 * 86_400_000))
        return self.w.bets(kind, self.user, game, *items, provider=provider, at_ms=at_ms)

    def _item(self, kind: Kind, index: str) -> Item:
        stake = STAKES[index] if self.rng.random() < 0.97 else 7
        if kind in {Kind.BET, Kind.CANCEL}:
            return Item(index, "player", stake)
        won, before = self.rng.choice((-stake, 95)), self.rng.choice((-stake, 95))
        return Item(index, "player", stake, won, before if kind is Kind.CHANGE else 0)

    async def _send(self, command: Command) -> None:
        """Until it is final, or given up: a provider's retries, some of them while the first is still under way."""
        self._sent.append(command)
        for _ in range(self.rng.choice(self.patience)):
            answers = await gather(*(self._call(command) for _ in range(self.rng.choice((1, 1, 1, 2)))))
            if any(answer.code is not Code.R1 for answer in answers):
                return
            await asyncio.sleep(self.rng.uniform(0, 0.03))

    async def _call(self, command: Command):
        call = Call(command, next(self.order))
        self.calls.append(call)
        call.answer = await self.w.apply(command, self.rng.randrange(2), POLICIES[command.provider])
        call.answered = next(self.order)
        if call.answer.reason in FOR_GOOD and command.kind is Kind.BET:
            self._declined.append(command)
        return call.answer


@limit
@pytest.mark.parametrize("scene", ["calm", "stormy", "impatient"])
async def test_one_order_explains_every_answer(scene):
    """The ledger's: each R0 at its entry, each decline and each balance at a moment between request and answer.

    Impatient clients give up on what was executed, and it is lost: nobody may have been told of it.
    """
    for seed in seeds(secrets.token_hex(4)):  # many short histories: what explains one takes longer than it by far
        await play(scene, seed)


async def play(scene: str, seed: str) -> None:
    """One history, for some seconds, and its explanation."""
    rng, order = random.Random(seed), count(1)
    calm, impatient = scene == "calm", scene == "impatient"
    async with world(workers=2, shards=2, deadline_ms=200 if impatient else 700) as w:
        stop = asyncio.Event()
        tables = [Table(w, f"player-{n}", random.Random(f"{seed} {n}"), order, impatient) for n in range(PLAYERS)]
        asyncio.get_running_loop().call_later(SECONDS, stop.set)
        jobs = [table.play(stop) for table in tables for _ in range(CLIENTS)]
        disasters = Disasters(w, rng)
        if impatient:
            # Long enough to give up on one event, and to ask for another that rests on it.
            disasters.choices, disasters.outage_s = [disasters.lose_the_latest], (0.2, 0.4)
            disasters.pause_s = (0.05, 0.2)
        await gather(*jobs, *([] if calm else [disasters.strike(stop)]))
        await until(lambda: all(worker.pipeline.usable.is_set() for worker in w.workers))
        entries = {table.user: await w.stored(table.user) for table in tables}
        wallets = await w.check([table.user for table in tables], load=False)
    explained = 0
    for table in tables:
        explained += explain(table.calls, entries[table.user])
        if calm:
            stored = {(e.command.provider, e.command.transaction_id) for e in entries[table.user]}
            assert (
                not {c.event for c in table.calls if c.command.kind is Kind.BET and c.answer.reason in FOR_GOOD}
                & stored
            )
        final = replay(entries[table.user])[-1]
        assert final is not None
        compare_wallet(wallets[table.user], final)
    calls = sum(len(table.calls) for table in tables)
    print(calls, "calls,", explained, "explained,", sum(map(len, entries.values())), "entries,", disasters.happened)
    assert explained > calls / 10  # the rest was told to try again
