"""A whole wallet in one process, and what a scenario asks of it."""

from __future__ import annotations

import asyncio
import gc
import shutil
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from seamless_wallet.commands import BACK_OFFICE, Answer, Code, Command, Item, Kind, Policy, shard_of
from seamless_wallet.engine import keys
from seamless_wallet.ledger.bets import Bet, BetState
from seamless_wallet.ledger.entry import Entry
from seamless_wallet.ledger.fold import Wallet, fold_round, fold_wallet
from seamless_wallet.wallet.loader import wallet_fields
from tests.guardian import guarded_directory
from tests.integration.processes import Processes
from tests.integration.waiting import WAIT_S, until

PROVIDER = "games"
IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a directory of random name in it
"""Where an fsync costs nothing, if this machine has it: a busy disk would stretch every scenario."""


class World(Processes):
    """Everything a scenario needs: processes, commands and looks at what became of them. Use `world(...)`."""

    # ------------------------------------------------------------------ commands

    def command(self, kind: Kind, user: str, tid: str = "", **fields: Any) -> Command:
        now_ms = self.clock.now_ms()
        provider = fields.pop("provider", None)
        if provider is None:
            office = kind in (Kind.CREATE, Kind.DEPOSIT, Kind.WITHDRAW, Kind.STATUS)
            provider = BACK_OFFICE if office else PROVIDER
        return Command(
            kind=kind,
            provider=provider,
            user_id=user,
            transaction_id=tid or f"t{next(self._numbers)}",
            timestamp_ms=fields.pop("at_ms", now_ms),
            received_ms=now_ms,
            **fields,
        )

    def bets(self, kind: Kind, user: str, game: str, *items: Item | int, tid: str = "", **fields: Any) -> Command:
        """A bet, cancel, result or change; an int item is the amount of bet 1, 2, 3 …"""
        full = tuple(
            item if isinstance(item, Item) else Item(str(number), "P", item) for number, item in enumerate(items, 1)
        )
        return self.command(kind, user, tid, currency="KRW", game_no=game, items=full, **fields)

    def bet(self, user: str, game: str, *items: Item | int, tid: str = "", **fields: Any) -> Command:
        return self.bets(Kind.BET, user, game, *items, tid=tid, **fields)

    async def apply(self, command: Command, worker: int = 0, policy: Policy | None = None) -> Answer:
        return await self.workers[worker].wallet.apply(command, policy or FREE)

    async def settle(self, command: Command, worker: int = 0, limit_s: float = WAIT_S) -> Answer:
        """Send it, and again while the answer is R1, as a provider would."""
        deadline_s = time.monotonic() + limit_s
        while True:
            answer = await self.apply(command, worker)
            if answer.code is not Code.R1:
                return answer
            assert time.monotonic() < deadline_s, f"still R1: {answer} for {command}"
            await asyncio.sleep(0.02)

    async def player(self, user: str, balance: int = 0, worker: int = 0) -> str:
        answer = await self.settle(self.command(Kind.CREATE, user, "create", currency="KRW"), worker)
        assert answer.code is Code.R0, answer
        if balance:
            answer = await self.settle(self.command(Kind.DEPOSIT, user, f"fund-{user}", amount=balance), worker)
            assert answer.code is Code.R0, answer
        return user

    # ------------------------------------------------------------------ looking

    def shard(self, user: str) -> int:
        return shard_of(user, self.settings.shards)

    async def head(self, shard: int) -> dict[str, str]:
        fields: dict[bytes, bytes] = await self.redis.hgetall(keys.head(shard))  # type: ignore[assignment]
        return {name.decode(): value.decode() for name, value in fields.items()}

    async def pass_time(self, ms: int) -> None:
        """All clocks go on. As nobody can move that of Redis, its periods began so much earlier."""
        self.clock.shift_ms += ms
        for shard in range(self.settings.shards):
            await self.redis.hincrby(keys.head(shard), "period_at", -ms)

    async def epochs(self) -> list[int]:
        return [head.epoch for head in await self.ledger.heads()]

    async def stored(self, user: str) -> list[Entry]:
        """A player's entries, oldest first."""
        found: list[Entry] = []
        before = None
        while part := await self.ledger.entries(user, before, 1000):
            found += part
            before = part[-1].seq
        return found[::-1]

    async def pending(self) -> int:
        """Entries in Redis that SQL does not have."""
        heads = await self.ledger.heads()
        pending = 0
        for shard, head in enumerate(heads):
            there = await self.head(shard)
            pending += int(there.get("seq", 0)) - head.seq if there.get("epoch") == str(head.epoch) else 1
        return pending

    async def quiet(self) -> None:
        """Until SQL has all that Redis has, and Redis knows it."""

        async def settled() -> bool:
            heads = await self.ledger.heads()
            theirs = [await self.head(shard) for shard in range(len(heads))]
            return all(
                (str(h.epoch), str(h.seq), str(h.seq)) == (t.get("epoch"), t.get("seq"), t.get("committed"))
                for h, t in zip(heads, theirs, strict=True)
            )

        await until(settled, "Redis and SQL at one")

    async def trial(self, currency: str = "KRW") -> dict[str, int]:
        """What every account of a currency holds."""
        return dict((await self.ledger.trial_balance())[currency])

    async def old_keys(self) -> list[str]:
        """Keys of epochs that are over."""
        epochs = await self.epochs()
        old = []
        async for name in self.redis.scan_iter(match="{*}:[wril]:*"):
            tag, epoch = keys.epoch_of(name.decode())
            if 0 <= int(tag) < len(epochs) and epoch < epochs[int(tag)]:
                old.append(name.decode())
        return old

    async def check(self, users: Iterable[str], *, load: bool = True) -> dict[str, Wallet]:
        """Everything adds up: the ledger with itself, entries with wallets, Redis with SQL."""
        users = list(users)
        if load:
            for user in users:
                answer = await self.settle(self.command(Kind.LOGOUT, user))
                assert answer.code is Code.R0, answer
        await self.quiet()
        findings = [finding async for finding in self.ledger.verify()]
        assert not findings, findings
        for currency, accounts in (await self.ledger.trial_balance()).items():
            assert sum(accounts.values()) == 0, (currency, accounts)
        wallets = {}
        for user in users:
            wallets[user] = await self._check_player(user)
        return wallets

    async def _check_player(self, user: str) -> Wallet:
        entries = await self.stored(user)
        folded: Wallet | None = None
        rounds: defaultdict[bytes, dict[str, Bet]] = defaultdict(dict)
        for entry in entries:
            folded = fold_wallet(folded, entry)
            if entry.round_digest:
                fold_round(rounds[entry.round_digest], entry)
        digests = [entry.event_digest for entry in entries]
        assert len(set(digests)) == len(digests), "an event twice"
        wallet = await self.ledger.wallet(user)
        assert wallet == folded, (wallet, folded)
        assert wallet is not None
        shard = self.shard(user)
        epoch = (await self.ledger.heads())[shard].epoch
        there = await self.redis.hgetall(keys.wallet(shard, epoch, user))
        there.pop(b"ask_until", None)  # of a load that was cut short
        expected = {name.encode(): str(value).encode() for name, value in wallet_fields(wallet)}
        assert not there or there == expected, (there, expected)
        for digest, bets in rounds.items():
            texts = await self.redis.hgetall(keys.round_(shard, epoch, digest))
            opened = int(texts.pop(b"", b"0"))
            known = {index.encode(): bet.text().encode() for index, bet in bets.items()}
            assert texts.items() <= known.items(), (texts, known)
            if texts:
                open_there = sum(bet.state is BetState.OPEN for index, bet in bets.items() if index.encode() in texts)
                assert opened == open_there, (opened, open_there)
        return wallet


FREE = Policy(session_required=False)
"""Bets without a login."""


@asynccontextmanager
async def world(*, workers: int = 1, writer: bool = True, **settings: Any) -> AsyncIterator[World]:
    """A running world of `workers` wallet cores. Fails at its end if an exception was lost that nobody retrieved."""
    directory = guarded_directory("w-", IN_MEMORY)
    made = World(directory, **settings)
    lost: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: lost.append(context))
    try:
        await made.open()
        if writer:
            await made.start_writer()
            for _ in range(workers):
                await made.worker()
        yield made
    finally:
        await made.close()
        shutil.rmtree(directory, ignore_errors=True)
    gc.collect()  # what nobody retrieved is found when its task or future goes
    assert not lost, lost
