"""The peers as systems under load: their processes, their servers, and what they must have come to."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import asyncpg
from redis.asyncio import Redis

from benchmarks.books import Books
from benchmarks.figures import Names
from benchmarks.generator import WrongAnswer
from benchmarks.peers import postgres_wallet, redis_wallet, tigerbeetle_wallet
from benchmarks.play import DEPOSIT
from benchmarks.service import CURRENCY, free_port, running, wait_for
from tests.postgres_server import Postgres
from tests.valkey_server import Valkey, start_valkey


class _Peer:
    """A handler process of ours, and perhaps a server."""

    def __init__(self, name: str, port: int, roots: list[int]) -> None:
        self.name = name
        self.port = port
        self.roots = roots
        self.books = Books()


class Empty(_Peer):
    """The empty handler: answers, and keeps nothing."""

    @classmethod
    @contextmanager
    def start(cls) -> Iterator[Empty]:
        """A handler that listens."""
        with _handler("empty") as (port, pid):
            yield cls(Names.EMPTY, port, [pid])

    async def create(self, players: Sequence[str], balance: int = DEPOSIT) -> None:
        """It knows nobody."""

    async def compare(self) -> str:
        return "keeps nothing"


class _ValkeyPeer(_Peer):
    """Processes of ours, and a Valkey that has the balances."""

    def __init__(self, name: str, port: int, roots: list[int], valkey: Valkey) -> None:
        super().__init__(name, port, [*roots, valkey.process.pid])
        self.valkey = valkey

    async def create(self, players: Sequence[str], balance: int = DEPOSIT) -> None:
        async with Redis(unix_socket_path=str(self.valkey.socket_path)) as redis:
            for player in players:
                await redis.hset(redis_wallet.wallet_key(player), "balance", str(balance))
        self.books.open(players, balance)

    async def compare_balances(self, redis: Redis) -> None:
        """What each has in Redis must be what the books say. Raises WrongAnswer."""
        players = list(self.books.balances)
        found = {each: int(await redis.hget(redis_wallet.wallet_key(each), "balance") or 0) for each in players}
        self.books.compare_balances(found)


class RedisWallet(_ValkeyPeer):
    """The handler of `redis_wallet`."""

    @classmethod
    @contextmanager
    def start(cls, directory: Path) -> Iterator[RedisWallet]:
        """A handler that listens."""
        directory.mkdir(mode=0o700)
        with start_valkey(directory) as valkey, _handler("redis_wallet", str(valkey.socket_path)) as (port, pid):
            yield cls(Names.REDIS, port, [pid], valkey)

    async def compare(self) -> str:
        async with Redis(unix_socket_path=str(self.valkey.socket_path)) as redis:
            await self.compare_balances(redis)
            taken = await redis.dbsize() - len(self.books.balances)
        if taken != self.books.entries["bet"]:
            raise WrongAnswer(f"{taken} transactions instead of {self.books.entries['bet']}")
        return f"{self.books.answers} answers, {taken} transactions and {len(self.books.balances)} balances agree"


class BareWay(_ValkeyPeer):
    """Both processes of `bare_way`, and where the writer keeps the bets."""

    def __init__(self, name: str, port: int, roots: list[int], valkey: Valkey, place: str | Path) -> None:
        super().__init__(name, port, roots, valkey)
        self._place = place

    @classmethod
    @contextmanager
    def start(cls, directory: Path) -> Iterator[BareWay]:
        """A handler that listens. The bets go to a file."""
        file = directory / "bets"
        with _way(directory, str(file)) as (valkey, port, roots):
            yield cls(Names.WAY, port, roots, valkey, file)

    @classmethod
    @contextmanager
    def start_with_server(cls, directory: Path) -> Iterator[BareWay]:
        """The same; they go to a PostgreSQL of its own, with the settings of the peer that is PostgreSQL alone."""
        with (
            Postgres(None, **postgres_wallet.SETTINGS) as server,
            _way(directory, server.url()) as (valkey, port, roots),
        ):
            yield cls(Names.WAY_TO_POSTGRES, port, [*roots, server.pid], valkey, server.url())

    async def compare(self) -> str:
        async with Redis(unix_socket_path=str(self.valkey.socket_path)) as redis:
            await self.compare_balances(redis)
        kept = await self._kept()
        if kept != self.books.entries["bet"]:
            raise WrongAnswer(f"{kept} bets were kept instead of {self.books.entries['bet']}")
        return f"{self.books.answers} answers, {kept} bets and {len(self.books.balances)} balances agree"

    async def _kept(self) -> int:
        if isinstance(self._place, Path):
            return len(self._place.read_text().splitlines())
        connection = await asyncpg.connect(self._place)
        kept: int = await connection.fetchval("SELECT count(*) FROM bet")
        await connection.close()
        return kept


@contextmanager
def _way(directory: Path, place: str) -> Iterator[tuple[Valkey, int, list[int]]]:
    """A Valkey, the port of a handler, and the processes' ids, with a writer that keeps bets at a place."""
    directory.mkdir(mode=0o700)
    with start_valkey(directory) as valkey:
        socket = str(valkey.socket_path)
        write = [sys.executable, "-m", "benchmarks.peers.bare_way", "write", socket, place]
        with running(write, dict(os.environ)) as writer, _handler("bare_way", socket) as (port, pid):
            yield valkey, port, [pid, writer.pid]


class PostgresWallet(_Peer):
    """The handler of `postgres_wallet`, and a PostgreSQL of its own on the disk."""

    def __init__(self, name: str, port: int, roots: list[int], url: str) -> None:
        super().__init__(name, port, roots)
        self._url = url

    @classmethod
    @contextmanager
    def start(cls, name: str, *, constraints: bool) -> Iterator[PostgresWallet]:
        """A handler that listens."""
        with ExitStack() as stack:
            server = stack.enter_context(Postgres(None, **postgres_wallet.SETTINGS))
            asyncio.run(_load_schema(server.url(), constraints=constraints))
            port, pid = stack.enter_context(_handler("postgres_wallet", server.url()))
            yield cls(name, port, [pid, server.pid], server.url())

    async def create(self, players: Sequence[str], balance: int = DEPOSIT) -> None:
        now_ms = time.time_ns() // 1_000_000
        connection = await asyncpg.connect(self._url)
        await connection.executemany(
            "INSERT INTO wallet (user_id, currency, status, version, balance, renewed_ms, closed_ms) "
            "VALUES ($1, $2, 'active', 1, $3, $4, 0)",
            [(player, CURRENCY, balance, now_ms) for player in players],
        )
        await connection.execute("VACUUM ANALYZE")
        await connection.close()
        self.books.open(players, balance)

    async def compare(self) -> str:
        connection = await asyncpg.connect(self._url)
        balances = dict(await connection.fetch("SELECT user_id, balance FROM wallet"))
        entries, bets, wrong = await connection.fetchrow(
            "SELECT (SELECT count(*) FROM entry), (SELECT count(*) FROM bet), (SELECT count(*) FROM wallet WHERE "
            "version > 1 AND balance <> (SELECT balance FROM entry WHERE player = wallet.player AND version = "
            "wallet.version))"
        )
        asked = ("fsync", "full_page_writes", "synchronous_commit")
        flags = {name: await connection.fetchval(f"SHOW {name}") for name in asked}
        await connection.close()
        self.books.compare_balances(balances)
        if set(flags.values()) != {"on"} or wrong or (entries, bets) != (self.books.entries["bet"], self.books.bets):
            raise WrongAnswer(f"{self.name}: {entries} entries, {bets} bets, {wrong} wallets wrong, {flags}")
        return (
            f"{self.books.answers} answers, {entries} entries, {bets} bets and {len(balances)} balances agree; "
            f"{', '.join(asked)} are on"
        )


class TigerBeetleWallet(_Peer):
    """The handler of `tigerbeetle_wallet`. The server is somebody else's, and its CPU is not counted."""

    def __init__(self, port: int, pid: int, address: str) -> None:
        super().__init__(Names.TIGERBEETLE, port, [pid])
        self._address = address
        self._library = tigerbeetle_wallet.client_module()

    @classmethod
    @contextmanager
    def start(cls, address: str) -> Iterator[TigerBeetleWallet]:
        """A handler that listens."""
        with _handler("tigerbeetle_wallet", address) as (port, pid):
            yield cls(port, pid, address)

    async def create(self, players: Sequence[str], balance: int = DEPOSIT) -> None:
        library, peer = self._library, tigerbeetle_wallet
        rich = library.AccountFlags.DEBITS_MUST_NOT_EXCEED_CREDITS
        common = {"ledger": peer.LEDGER, "code": peer.ACCOUNT_CODE}
        accounts = [library.Account(id=peer.account_id(player), flags=rich, **common) for player in players]
        deposits = [
            library.Transfer(
                id=library.id(),
                debit_account_id=peer.HOUSE,
                credit_account_id=account.id,
                amount=balance,
                ledger=peer.LEDGER,
                code=peer.DEPOSIT_CODE,
            )
            for account in accounts
        ]
        async with library.ClientAsync(cluster_id=0, replica_addresses=self._address) as client:
            await client.create_accounts([library.Account(id=peer.HOUSE, **common)])
            for at in range(0, len(players), peer.BATCH):
                await client.create_accounts(accounts[at : at + peer.BATCH])
                await client.create_transfers(deposits[at : at + peer.BATCH])
        self.books.open(players, balance)

    async def compare(self) -> str:
        peer, players = tigerbeetle_wallet, list(self.books.balances)
        found: dict[str, int] = {}
        async with self._library.ClientAsync(cluster_id=0, replica_addresses=self._address) as client:
            for at in range(0, len(players), peer.BATCH):
                some = players[at : at + peer.BATCH]
                accounts = {each.id: each for each in await client.lookup_accounts(list(map(peer.account_id, some)))}
                found |= {player: peer.balance_of(accounts[peer.account_id(player)]) for player in some}
        self.books.compare_balances(found)
        return f"{self.books.answers} answers and {len(found)} balances agree"


async def _load_schema(url: str, *, constraints: bool) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(postgres_wallet.SCHEMA.read_text())
    if constraints:
        await connection.execute(postgres_wallet.CONSTRAINTS.read_text())
    await connection.close()


@contextmanager
def _handler(module: str, *arguments: str) -> Iterator[tuple[int, int]]:
    """Port and pid of a peer's process that listens."""
    port = free_port()
    command = [sys.executable, "-m", f"benchmarks.peers.{module}", str(port), *arguments]
    with running(command, dict(os.environ)) as process:
        wait_for(port)
        yield port, process.pid
