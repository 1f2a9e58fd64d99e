"""Everything at once, from a seed: what was acknowledged happened exactly once, and the books are in order.

`WALLET_CHAOS_S` seconds (default 4) of `WALLET_CHAOS_SEED` (default: a new one each time, printed).
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
from collections.abc import Awaitable, Callable

from seamless_wallet.commands import Answer, Code, Command, Item, Kind
from seamless_wallet.ledger.ports import StoreError
from tests.integration.waiting import gather, until
from tests.integration.world import World, world

PLAYERS = 10
SECONDS = float(os.environ.get("WALLET_CHAOS_S", "4"))
SEED = os.environ.get("WALLET_CHAOS_SEED", "")


class Gambler:
    """One player's commands, one after the other, each repeated until it is final, and what they must lead to.

    The model knows only what was acknowledged: it asks for no more than the rules of a single bet.
    """

    def __init__(self, w: World, user: str, rng: random.Random) -> None:
        self.w, self.user, self.rng = w, user, rng
        self.balance = 0
        self.acknowledged: list[str] = []
        self.bets: dict[str, tuple[str, int, int]] = {}  # game → state, stake, winloss
        self.sent = 0
        self.retries = 0

    async def play(self, stop: asyncio.Event) -> None:
        await self._send(self.w.command(Kind.CREATE, self.user, "create", currency="KRW"), 0)
        await self._send(self.w.command(Kind.DEPOSIT, self.user, amount=2000), 2000)
        while not stop.is_set():
            moves = [self._bet, self._settle, self._settle, self._cancel, self._change, self._old, self._money]
            await self.rng.choice(moves)()

    async def _bet(self) -> None:
        game, stake = f"g{len(self.bets)}", self.rng.randrange(1, 400)
        answer = await self._send(self.w.bet(self.user, game, stake), -stake if stake <= self.balance else 0)
        assert answer.code is (Code.R0 if answer.balance is not None and self._taken else Code.R4), answer
        if self._taken:
            self.bets[game] = ("O", stake, 0)

    def _pick(self, state: str) -> str | None:
        found = [game for game, bet in self.bets.items() if bet[0] == state]
        return self.rng.choice(found) if found else None

    async def _settle(self) -> None:
        game = self._pick("O")
        if game:
            stake = self.bets[game][1]
            winloss = self.rng.choice([-stake, stake, 0, stake // 2])
            item = Item("1", "P", stake, winloss)
            await self._send(self.w.bets(Kind.RESULT, self.user, game, item), stake + winloss)
            self.bets[game] = ("S", stake, winloss)

    async def _cancel(self) -> None:
        game = self._pick("O")
        if game:
            stake = self.bets[game][1]
            await self._send(self.w.bets(Kind.CANCEL, self.user, game, stake), stake)
            self.bets[game] = ("C", stake, 0)

    async def _change(self) -> None:
        game = self._pick("S")
        if game:
            _, stake, before = self.bets[game]
            item = Item("1", "P", stake, stake * 2, before)
            if before < stake:  # only upwards: no debts in this model
                await self._send(self.w.bets(Kind.CHANGE, self.user, game, item), stake * 2 - before)
                self.bets[game] = ("S", stake, stake * 2)

    async def _old(self) -> None:
        """A month late, of a bet that is cancelled or settled, or was never placed: no money."""
        game = self._pick("C")
        if game:
            cancel = self.w.bets(Kind.CANCEL, self.user, game, self.bets[game][1], at_ms=1_000_000)
            await self._send(cancel, 0)
        else:
            await self._send(self.w.bets(Kind.CANCEL, self.user, f"never{self.sent}", 5, at_ms=1_000_000), 0)

    async def _money(self) -> None:
        amount = self.rng.randrange(1, 100)
        if self.rng.random() < 0.7 or amount > self.balance:
            await self._send(self.w.command(Kind.DEPOSIT, self.user, amount=amount), amount)
        else:
            await self._send(self.w.command(Kind.WITHDRAW, self.user, amount=amount), -amount)

    async def _send(self, command: Command, moves: int) -> Answer:
        """To either worker, sometimes to both at once, again and again until the answer is final."""
        self.sent += 1
        wanted = Code.R4 if command.kind is Kind.BET and moves == 0 else Code.R0
        while True:
            copies = [self.w.apply(command, self.rng.randrange(2)) for _ in range(self.rng.choice([1, 1, 2]))]
            answers = [answer for answer in await gather(*copies) if answer.code is not Code.R1]
            if answers:
                break
            self.retries += 1
            await asyncio.sleep(0.02)
        assert {answer.code for answer in answers} == {wanted}, (answers, command, self.balance)
        self._taken = wanted is Code.R0
        if self._taken:
            self.acknowledged.append(command.transaction_id)
            self.balance += moves
        return answers[0]

    async def verify(self, balance: int) -> None:
        assert balance == self.balance, (self.user, balance, self.balance)
        stored = [entry.command.transaction_id for entry in await self.w.stored(self.user)]
        assert len(set(stored)) == len(stored)
        assert set(self.acknowledged) <= set(stored), set(self.acknowledged) - set(stored)


class Disasters:
    """What happens to the poor thing."""

    def __init__(self, w: World, rng: random.Random) -> None:
        self.w, self.rng = w, rng
        self.pause_s, self.outage_s = (0.05, 0.5), (0.0, 0.2)  # between disasters; of the writer
        self.happened: list[str] = []
        self.choices: list[Callable[[], Awaitable[None]]] = [
            self.wipe,
            self.restart,
            self.kill_writer,
            self.lose_the_latest,
            self.cut_subscriptions,
            self.cut_clients,
            self.flush_scripts,
            self.fail_commits,
            self.roll_back,
        ]

    async def strike(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await asyncio.sleep(self.rng.uniform(*self.pause_s))
            disaster = self.rng.choice(self.choices)
            self.happened.append(disaster.__name__)
            await disaster()

    async def wipe(self) -> None:
        await self.w.redis.flushall()

    async def restart(self) -> None:
        self.w.restart_redis()

    async def kill_writer(self) -> None:
        await self.w.stop_writer()
        await asyncio.sleep(self.rng.uniform(*self.outage_s))
        await self.w.start_writer(ready=False)

    async def lose_the_latest(self) -> None:
        """What is executed meanwhile is never committed; who waits for it may have given up by then."""
        await self.w.stop_writer()
        await asyncio.sleep(self.rng.uniform(*self.outage_s))
        await self.wipe()
        await self.w.start_writer(ready=False)

    async def cut_subscriptions(self) -> None:
        await self.w.redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")

    async def cut_clients(self) -> None:
        await self.w.redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    async def flush_scripts(self) -> None:
        await self.w.redis.script_flush()

    async def fail_commits(self) -> None:
        """Two commits fail, before or after they were made."""
        left = 2

        def fail(name: str) -> None:
            nonlocal left
            if name == "commit" and left:
                left -= 1
                raise StoreError("so the disk says")

        setattr(self.w.store, self.rng.choice(["before", "after"]), fail)

    async def roll_back(self) -> None:
        """A fail-over to a server that lags behind."""
        copied = await self.w.copy_keys()
        await asyncio.sleep(self.rng.uniform(0, 0.1))
        await self.w.fail_over(copied)


async def test_chaos():
    """Random commands of ten players by two workers, through wipes, restarts, fail-overs and dying writers."""
    seed = SEED or secrets.token_hex(4)
    print("WALLET_CHAOS_SEED", seed)
    rng = random.Random(seed)
    async with world(workers=2, shards=3, deadline_ms=700) as w:
        stop = asyncio.Event()
        gamblers = [Gambler(w, f"player-{n}", random.Random(f"{seed} {n}")) for n in range(PLAYERS)]
        disasters = Disasters(w, rng)
        asyncio.get_running_loop().call_later(SECONDS, stop.set)
        await gather(disasters.strike(stop), *(gambler.play(stop) for gambler in gamblers))
        await until(lambda: w.workers[0].pipeline.usable.is_set() and w.workers[1].pipeline.usable.is_set())
        wallets = await w.check([gambler.user for gambler in gamblers])
        for gambler in gamblers:
            await gambler.verify(wallets[gambler.user].balance)
        sent, retries = sum(g.sent for g in gamblers), sum(g.retries for g in gamblers)
        print(sent, "commands,", retries, "retries", disasters.happened)
