"""A whole wallet in one process: a private Valkey, a ledger, one writer and any number of wallet cores."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from seamless_wallet.commands import BACK_OFFICE, Answer, Code, Command, Item, Kind, Policy, shard_of
from seamless_wallet.engine import keys
from seamless_wallet.engine.scripts import load_scripts
from seamless_wallet.ledger.bets import Bet, BetState
from seamless_wallet.ledger.entry import Entry
from seamless_wallet.ledger.fold import Wallet, fold_round, fold_wallet
from seamless_wallet.processes.assembly import AssembledWallet, assembled_wallet
from seamless_wallet.processes.writer import build_writer
from seamless_wallet.settings import Settings, load_settings
from seamless_wallet.stores.sqlite import SqliteLedger, init
from seamless_wallet.supervisor.embedded_valkey import Valkey, start_valkey
from seamless_wallet.wallet.loader import wallet_fields

PROVIDER = "games"
WAIT_S = 20.0
"""How long a condition may take. Never reached by a test that passes."""


IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a directory of random name in it
"""Where an fsync costs nothing, if this machine has it: a busy disk would stretch every scenario."""


class ShiftedClock:
    """The machine's clock, moved by the test."""

    def __init__(self) -> None:
        self.shift_ms = 0

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self.shift_ms

    def monotonic_s(self) -> float:
        return time.monotonic()


async def until(condition: Callable[[], Any], what: str = "", limit_s: float = WAIT_S) -> Any:
    """Wait for a condition, plain or awaitable, and return what it gave."""
    deadline_s = time.monotonic() + limit_s
    while True:
        found = condition()
        if isinstance(found, Awaitable):
            found = await found
        if found:
            return found
        assert time.monotonic() < deadline_s, f"never: {what or condition}"
        await asyncio.sleep(0.005)


class FaultyStore:
    """The writer's ledger, which a test can make fail, hold or count."""

    def __init__(self, ledger: SqliteLedger) -> None:
        self._ledger = ledger
        self.before: Callable[[str], Awaitable[None] | None] = lambda _: None
        self.after: Callable[[str], Awaitable[None] | None] = lambda _: None

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._ledger, name)
        if not asyncio.iscoroutinefunction(found):
            return found

        async def call(*args: Any) -> Any:
            waiting = self.before(name)
            if waiting is not None:
                await waiting
            result = await found(*args)
            waiting = self.after(name)
            if waiting is not None:
                await waiting
            return result

        return call


class Proxy:
    """A unix socket in front of Redis that can hold, drop or cut."""

    def __init__(self, path: Path, target: Path) -> None:
        self.path = path
        self._target = target
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.forward_requests = True
        self.forward_replies = True
        self.on_request: Callable[[bytes], None] = lambda _: None

    @property
    def url(self) -> str:
        return f"unix://{self.path}"

    async def start(self) -> None:
        self._server = await asyncio.start_unix_server(self._accept, self.path)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server_reader, server_writer = await asyncio.open_unix_connection(self._target)
        except OSError:
            writer.close()
            return
        self._writers |= {writer, server_writer}
        for job in (self._pump(reader, server_writer, to_server=True), self._pump(server_reader, writer, False)):
            task = asyncio.create_task(job)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, to_server: bool) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if to_server:
                    self.on_request(data)
                if self.forward_requests if to_server else self.forward_replies:
                    writer.write(data)
                    await writer.drain()
        writer.close()

    def cut(self) -> None:
        """Break every connection at once."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def heal(self) -> None:
        """Break what is there; new connections work."""
        self.cut()
        self.forward_requests = self.forward_replies = True

    async def close(self) -> None:
        self.cut()
        if self._server:
            self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class World:
    """Everything a scenario needs. Use `world(...)`."""

    def __init__(self, directory: Path, **settings: Any) -> None:
        self.directory = directory
        environ = {"WALLET_DATA_DIR": str(directory), "WALLET_REDIS_URL": f"unix://{directory / 'redis.sock'}"}
        environ |= {f"WALLET_{name.upper()}": str(value) for name, value in settings.items()}
        self.settings: Settings = load_settings(environ)
        self.clock = ShiftedClock()
        self.stack = AsyncExitStack()
        self.server: Valkey | None = None
        self.ledger: SqliteLedger = None  # type: ignore[assignment]
        self.redis: Redis = None  # type: ignore[assignment]
        self.store: FaultyStore = None  # type: ignore[assignment]
        self.writing: asyncio.Task[None] | None = None
        self.writer: Any = None
        self.workers: list[AssembledWallet] = []
        self._worker_stacks: list[AsyncExitStack] = []
        self._numbers = count(1)

    # ------------------------------------------------------------------ parts

    async def open(self) -> None:
        init(self.settings.ledger_path, self.settings.shards, self.settings.currencies)
        self.ledger = await self.stack.enter_async_context(SqliteLedger.open(self.settings.ledger_path))
        self.start_redis()
        self.redis = Redis.from_url(self.settings.redis_address)
        self.stack.push_async_callback(self.redis.aclose)

    def start_redis(self) -> None:
        self.server = start_valkey(self.directory, self.directory / "redis.sock")

    def restart_redis(self) -> None:
        """SIGKILL, then an empty one."""
        assert self.server
        self.server.kill()
        self.start_redis()

    async def start_writer(self, redis_url: str | None = None, ready: bool = True) -> None:
        assert self.writing is None
        ledger = SqliteLedger.open(self.settings.ledger_path)
        ledger.acquire_lease()
        scripts = {script.sha: script.text for script in load_scripts().values()}
        await ledger.register_scripts(scripts, self.clock.now_ms())
        self.store = FaultyStore(ledger)
        self.writer = build_writer(self._settings(redis_url), self.store, self.clock)  # type: ignore[arg-type]

        async def write() -> None:
            try:
                await self.writer.run()
            finally:
                await ledger.close()

        self.writing = asyncio.create_task(write())
        if ready:
            waiting = asyncio.create_task(self.writer.ready.wait())
            await asyncio.wait([waiting, self.writing], return_when=asyncio.FIRST_COMPLETED, timeout=WAIT_S)
            waiting.cancel()
            if self.writing.done():
                writing, self.writing = self.writing, None
                writing.result()

    async def stop_writer(self) -> None:
        """As if it was killed: cancelled at whatever it awaits."""
        if self.writing:
            self.writing.cancel()
            await asyncio.gather(self.writing, return_exceptions=True)
            self.writing = None

    async def writer_ends(self) -> None:
        """Raises what ended it."""
        writing, self.writing = self.writing, None
        assert writing
        await writing

    async def worker(self, redis_url: str | None = None, **updates: Any) -> AssembledWallet:
        stack = AsyncExitStack()
        self._worker_stacks.append(stack)
        ledger = await stack.enter_async_context(SqliteLedger.open(self.settings.ledger_path))
        settings = self._settings(redis_url).model_copy(update=updates)
        core = await stack.enter_async_context(assembled_wallet(settings, ledger, self.clock))
        await core.wait_until_ready()
        self.workers.append(core)
        return core

    async def close_workers(self) -> None:
        while self._worker_stacks:
            await self._worker_stacks.pop().aclose()
        self.workers.clear()

    async def proxy(self) -> Proxy:
        proxy = Proxy(self.directory / f"p{next(self._numbers)}.sock", self.directory / "redis.sock")
        await proxy.start()
        self.stack.push_async_callback(proxy.close)
        return proxy

    def _settings(self, redis_url: str | None) -> Settings:
        if redis_url is None:
            return self.settings
        environ = {"WALLET_DATA_DIR": str(self.directory), "WALLET_REDIS_URL": redis_url}
        return self.settings.model_copy(update={"redis_url": load_settings(environ).redis_url})

    async def close(self) -> None:
        await self.close_workers()
        await self.stop_writer()
        await self.stack.aclose()
        if self.server:
            self.server.close()

    # ------------------------------------------------------------------ disasters

    async def copy_keys(self, redis: Redis | None = None) -> dict[bytes, tuple[int, bytes]]:
        """All that Redis holds, with what is left to live, ms (0: for ever)."""
        found = {}
        async for name in (redis or self.redis).scan_iter():
            ttl_ms, value = await self.redis.pttl(name), await self.redis.dump(name)
            if value is not None:  # it has just been unlinked
                found[name] = (max(0, ttl_ms), value)
        return found

    async def put_back(self, copied: dict[bytes, tuple[int, bytes]], redis: Redis | None = None) -> None:
        """Roll Redis back to a copy, in one step."""
        async with (redis or self.redis).pipeline(transaction=True) as pipe:
            pipe.flushall()
            for name, (ttl_ms, value) in copied.items():
                pipe.restore(name, ttl_ms, value)
            await pipe.execute()

    async def fail_over(self, copied: dict[bytes, tuple[int, bytes]]) -> None:
        """Another server, which holds this copy, takes the place of the one that dies."""
        directory = self.directory / f"s{next(self._numbers)}"
        directory.mkdir()
        other = start_valkey(directory)
        async with Redis.from_url(other.url) as client:
            await self.put_back(copied, client)
            for script in load_scripts().values():
                await client.script_load(script.text)
        assert self.server
        self.server.kill()
        (directory / "redis.sock").rename(self.directory / "redis.sock")
        self.server = other

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
            tag, epoch = keys.generation_of(name.decode())
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
        expected = {name.encode(): str(value).encode() for name, value in wallet_fields(wallet)}
        assert not there or there == expected, (there, expected)
        for digest, bets in rounds.items():
            texts = await self.redis.hgetall(keys.round_(shard, epoch, digest))
            opened = int(texts.pop(b"", b"0"))
            known = {index.encode(): bet.text().encode() for index, bet in bets.items()}
            assert texts.items() <= known.items(), (texts, known)
            if texts:
                open_there = sum(bet.state is BetState.OPEN for bet in bets.values())
                assert opened == open_there, (opened, open_there)
        return wallet


class Bettor:
    """A player whose every event is repeated until it is final, with what he must have in the end."""

    def __init__(self, world: World, user: str, balance: int) -> None:
        self._world = world
        self.user = user
        self.balance = balance
        self.acknowledged: list[str] = []
        self.rounds = 0

    async def play(self, rounds: int, workers: int = 1) -> None:
        """Bet 10, win 5 or lose all; every third bet is cancelled."""
        for _ in range(rounds):
            self.rounds += 1
            n, game = self.rounds, f"{self.user}-{self.rounds}"
            await self._do(self._world.bet(self.user, game, 10, tid=f"b-{game}"), n % workers, -10)
            if n % 3 == 0:
                await self._do(self._world.bets(Kind.CANCEL, self.user, game, 10, tid=f"c-{game}"), n % workers, 10)
            else:
                winloss = 5 if n % 2 else -10
                item = Item("1", "P", 10, winloss)
                result = self._world.bets(Kind.RESULT, self.user, game, item, tid=f"r-{game}")
                await self._do(result, n % workers, 10 + winloss)

    async def _do(self, command: Command, worker: int, moves: int) -> None:
        answer = await self._world.settle(command, worker)
        assert answer.code is Code.R0, (answer, command)
        self.acknowledged.append(command.transaction_id)
        self.balance += moves

    async def verify(self, wallet: Wallet) -> None:
        """What was acknowledged is in the ledger, once; and nothing else moved money."""
        assert wallet.balance == self.balance, (wallet.balance, self.balance, self.user)
        stored = [e.command.transaction_id for e in await self._world.stored(self.user)]
        for transaction_id in self.acknowledged:
            assert stored.count(transaction_id) == 1, (transaction_id, stored.count(transaction_id))


async def bettors(world: World, number: int, balance: int = 10_000) -> list[Bettor]:
    """So many players, with money."""
    users = [f"player-{n}" for n in range(number)]
    await gather(*(world.player(user, balance, n % len(world.workers)) for n, user in enumerate(users)))
    return [Bettor(world, user, balance) for user in users]


async def verify_all(world: World, players: list[Bettor]) -> None:
    """Every book in order, and every player has what he must have."""
    wallets = await world.check([player.user for player in players])
    for player in players:
        await player.verify(wallets[player.user])


FREE = Policy(session_required=False)
"""Bets without a login."""


@asynccontextmanager
async def world(*, workers: int = 1, writer: bool = True, **settings: Any) -> AsyncIterator[World]:
    """A running world of `workers` wallet cores."""
    directory = Path(tempfile.mkdtemp(prefix="w-", dir=IN_MEMORY))
    made = World(directory, **settings)
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


async def gather(*jobs: Awaitable[Any]) -> list[Any]:
    """All results; the first exception is raised once all are done."""
    results = await asyncio.gather(*jobs, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results
