"""The whole wallet: workers, Lua in Valkey, writer, SQLite. It is opened once for all histories.

Each history has players of its own, and the clock stands still but for the history's own passing of time. One file:
what the stage does makes sense only beside how it looks at the outcome.
"""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import Coroutine, Mapping
from itertools import count
from threading import Thread
from typing import Any, NamedTuple, TypeVar

from msgspec import structs

from seamless_wallet.commands import Answer, Code, Command, Item, Policy, round_digest
from seamless_wallet.engine import keys
from seamless_wallet.ledger.bets import Bet, parse_bet
from seamless_wallet.ledger.entry import Entry
from seamless_wallet.ledger.fold import Wallet
from tests.guardian import guarded_directory
from tests.integration.faults import ShiftedClock
from tests.integration.waiting import until
from tests.integration.world import IN_MEMORY, World
from tests.model.model import Player
from tests.model.stage import TRANSIENT, Stage, simple

T = TypeVar("T")

START_MS = 1_700_000_000_000
CALL_S = 30.0


class StoppedClock(ShiftedClock):
    """Goes on only when a history says so."""

    def now_ms(self) -> int:
        return START_MS + self.shift_ms


class Town:
    """A wallet of two workers in a thread with a loop of its own, so that it never waits for Hypothesis."""

    def __init__(self) -> None:
        self.histories = count(1)
        self._indexes: set[str] = set()  # of all bets that some event named
        self.copied: dict[bytes, tuple[int, bytes]] = {}
        self.loop = asyncio.new_event_loop()
        self._thread = Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        self._directory = guarded_directory("w-", IN_MEMORY)
        self.w = World(self._directory, shards=2, deadline_ms=3000)
        self.w.clock = StoppedClock()
        self.run(self._open())

    async def _open(self) -> None:
        await self.w.open()
        await self.w.start_writer()
        for _ in range(2):
            await self.w.worker()

    def run(self, job: Coroutine[Any, Any, T]) -> T:
        """Run it in the town's loop and wait for it."""
        return asyncio.run_coroutine_threadsafe(job, self.loop).result(CALL_S)

    def close(self) -> None:
        self.run(self.w.close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    # ------------------------------------------------------------------ time

    @property
    def window_ms(self) -> int:
        return self.w.settings.hot_window_s * 1000

    async def wait(self, ms: int) -> None:
        """Time goes on without a leap over the end of a period, and rounds of more than a window ago expire."""
        w, clock = self.w, self.w.clock
        await w.quiet()
        target_ms = clock.now_ms() + ms
        while (ends_ms := await self._first_end()) <= target_ms:
            await w.pass_time(max(0, ends_ms - clock.now_ms()))
            await until(self._periods_run, "a new period")
        await w.pass_time(target_ms - clock.now_ms())
        if ms > self.window_ms:
            await self.forget_rounds()

    async def _first_end(self) -> int:
        heads = [await self.w.head(shard) for shard in range(self.w.settings.shards)]
        seconds, microseconds = await self.w.redis.time()
        began_ms = min(int(head["period_at"]) for head in heads) - (seconds * 1000 + microseconds // 1000)
        return self.w.clock.now_ms() + began_ms + self.window_ms

    async def _periods_run(self) -> bool:
        return await self._first_end() > self.w.clock.now_ms()

    # ------------------------------------------------------------------ disasters

    async def wipe(self) -> None:
        await self.w.redis.flushall()

    async def restart(self) -> None:
        self.w.restart_redis()
        await self.w.redis.connection_pool.disconnect()

    async def writer(self) -> None:
        await self.w.stop_writer()
        await self.w.start_writer(ready=False)

    async def scripts(self) -> None:
        await self.w.redis.script_flush()

    async def cut(self) -> None:
        await self.w.redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    async def fail_over(self) -> None:
        """To a server that holds what this one held when it was asked for last."""
        await self.w.fail_over(self.copied)
        await self.w.redis.connection_pool.disconnect()
        self.copied = await self.w.copy_keys()

    async def forget_rounds(self) -> None:
        """Rounds without open bets leave Redis."""
        async for name in self.w.redis.scan_iter(match="{*}:r:*"):
            if await self.w.redis.hget(name, "") == b"0":
                await self.w.redis.delete(name)

    async def idle(self) -> None:
        """All that SQL has counts as idle: wallets leave Redis at once, and open rounds a moment later."""
        await self.w.quiet()
        idle_wallets = self.w.writer._idle
        idle_wallets._idle_ms = 1
        await idle_wallets.sweep([head.seq for head in await self.w.ledger.heads()])

    # ------------------------------------------------------------------ events

    async def ask(self, command: Command, policy: Policy, worker: int) -> tuple[Answer, int]:
        """Again while nobody could know (row 7)."""
        for sent in count(1):
            answer = await self.w.apply(command, worker, policy)
            if answer.code is not Code.R1 or answer.reason not in TRANSIENT:
                return answer, sent
            assert sent < 500, answer
            await asyncio.sleep(0.02)
        raise AssertionError

    async def look(self, command: Command) -> Look:
        """All that there is about the command's player and round."""
        w, user = self.w, command.user_id
        shard = w.shard(user)
        digest = round_digest(command)
        self._indexes |= {item.bet_index for item in command.items}
        every = structs.replace(command, items=tuple(Item(index, "", 0) for index in sorted(self._indexes)))
        lookup = await w.ledger.lookup(shard, every, bytes(16))
        return Look(
            lookup.wallet,
            next(iter(await w.ledger.entries(user, None, 1)), None),
            lookup.bets,
            await w.redis.hgetall(keys.wallet(shard, lookup.epoch, user)),
            await w.redis.hgetall(keys.round_(shard, lookup.epoch, digest)),
            await self.trial(),
        )

    async def trial(self) -> Counter[tuple[str, str]]:
        """What every account of every currency holds. Of each currency it is nothing in all."""
        found = await self.w.ledger.trial_balance()
        assert not any(sum(accounts.values()) for accounts in found.values())
        return Counter(
            {(name, account): held for name, accounts in found.items() for account, held in accounts.items()}
        )


class Look(NamedTuple):
    """What SQL and Redis say after a step."""

    wallet: Wallet | None
    last_entry: Entry | None
    bets: Mapping[str, Bet]
    wallet_there: dict[Any, Any]
    round_there: dict[Any, Any]
    trial: Counter[tuple[str, str]]


class ServiceStage(Stage):
    """One history in a town."""

    name = "service"
    disasters = (
        "wipe",
        "wipe",
        "forget_rounds",
        "forget_rounds",
        "cut",
        "scripts",
        "writer",
        "restart",
        "fail_over",
        "idle",
        "idle",
    )

    @property
    def waits(self) -> tuple[int, ...]:
        window_ms = self.window_ms()
        return window_ms, window_ms + 1, window_ms + 1

    def __init__(self, town: Town, keep_as: str = "") -> None:
        super().__init__(keep_as)
        self._town = town
        self._number = next(town.histories)
        self._look: Look | None = None
        town.run(town.w.quiet())
        self._trial_before = town.run(town.trial())

    def user_id(self, user: str) -> str:
        return f"{user}-{self._number}"

    def now_ms(self) -> int:
        return self._town.w.clock.now_ms()

    def window_ms(self) -> int:
        return self._town.window_ms

    def epoch(self, command: Command) -> int:
        """As SQL names it now."""
        return self._town.run(self._town.w.epochs())[self._town.w.shard(command.user_id)]

    def ask(self, command: Command, policy: Policy, worker: int) -> tuple[Answer, int]:
        answer, sent = self._town.run(self._town.ask(command, policy, worker))
        self._look = self._town.run(self._town.look(command))
        return answer, sent

    @property
    def look(self) -> Look:
        assert self._look is not None
        return self._look

    def wallet(self, user_id: str) -> Wallet | None:
        return self.look.wallet

    def last_entry(self, user_id: str) -> Entry | None:
        return self.look.last_entry

    def bets(self, command: Command) -> dict[str, Bet]:
        return dict(self.look.bets)

    def compare_more(self, command: Command, after: Player) -> None:
        """What Redis has loaded is the same, and the ledger's accounts are those of the model."""
        look = self.look
        there = {name.decode(): value.decode() for name, value in look.wallet_there.items()}
        if there and "suspended" not in there:  # on its way out: SQL has refused an entry of it
            told = {name: there[name] for name in ("version", "balance", "debt", "status")}
            status = "blocked" if after.blocked else "active"
            mine = {"version": after.entries, "balance": after.balance, "debt": after.debt, "status": status}
            assert told == {name: str(value) for name, value in mine.items()}
            sessions = {name[2:]: value for name, value in there.items() if name.startswith("s:")}
            assert sessions == {
                name: f"{session.login_ms} {session.used_ms} {session.closed_ms}"
                for name, session in after.sessions.items()
            }
        bets = {index.decode(): parse_bet(text.decode()) for index, text in look.round_there.items() if index}
        for index, bet in bets.items():
            assert simple(bet) == after.bets[command.provider, command.game_no, index]
        moved = Counter(look.trial)
        moved.subtract(self._trial_before)
        assert {k: v for k, v in moved.items() if v} == {k: v for k, v in self.books.items() if v}

    def wait(self, ms: int) -> None:
        self._town.run(self._town.wait(ms))

    def disaster(self, what: str) -> None:
        self._town.run(getattr(self._town, what)())
