"""What a system under load is, and the wallet as one of them."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol, Self

import asyncpg

from benchmarks.books import Books
from benchmarks.figures import Names
from benchmarks.generator import WrongAnswer, closed_loop, post
from benchmarks.peers import postgres_wallet
from benchmarks.peers.webhook import PATH
from benchmarks.play import DEPOSIT, logins
from benchmarks.service import CURRENCY, SCALE, TOKEN, Service, running, wait_until_ready
from tests.postgres_server import Postgres

ADMIN_IN_FLIGHT: Final = 32
IMPORTS_IN_FLIGHT: Final = 2
IMPORTED_TOGETHER: Final = 200


class System(Protocol):
    """One system under load, while it runs."""

    name: str
    port: int
    roots: list[int]
    """The processes whose trees are this system."""
    books: Books

    async def create(self, players: Sequence[str], balance: int = DEPOSIT) -> None:
        """Players who are logged in and have so much, in minor units."""

    async def compare(self) -> str:
        """Whether balances, entries and bets are those of the books. Says what agreed. Raises WrongAnswer."""


class AdminCall(NamedTuple):
    """A request to the back office."""

    request: bytes


class Stored(NamedTuple):
    """What a ledger holds."""

    balances: dict[str, int]
    entries: dict[str, int]
    bets: int


class Wallet:
    """`wallet up`, with the Valkey that it brings and a ledger in SQLite."""

    def __init__(self, name: str, service: Service, parent_pid: int) -> None:
        self.name = name
        self.service = service
        self.port = service.webhook_port
        self.roots = [parent_pid]
        self.books = Books()

    @classmethod
    @contextmanager
    def start(
        cls, name: str, directory: Path, workers: int | None = 1, package: str = "seamless_wallet", **settings: str
    ) -> Iterator[Self]:
        """A service that is ready. Without `workers` it has as many as it chooses."""
        directory.mkdir(mode=0o700, exist_ok=True)
        if workers is not None:
            settings["WALLET_WORKERS"] = str(workers)
        service = Service(directory, **settings)
        with running([sys.executable, "-m", package, "up"], service.environ) as process:
            wait_until_ready(service)
            yield cls(name, service, process.pid)

    async def create(self, players: Sequence[str], balance: int = DEPOSIT) -> None:
        created = [_post("/v1/players", {"user_id": each, "currency": CURRENCY}, each) for each in players]
        await closed_loop(self.service.admin_port, [(call,) for call in created], ADMIN_IN_FLIGHT)
        if balance:
            deposits = [_post(f"/v1/players/{each}/deposits", {"amount": _major(balance)}, each) for each in players]
            await closed_loop(self.service.admin_port, [(call,) for call in deposits], ADMIN_IN_FLIGHT)
        await self._log_in(players, balance)

    async def create_many(self, players: Sequence[str], balance: int = DEPOSIT) -> None:
        """The same in half the time, which the first versions could not do. Raises WrongAnswer."""
        rows = [{"user_id": each, "currency": CURRENCY, "balance": _major(balance)} for each in players]
        parts = [rows[at : at + IMPORTED_TOGETHER] for at in range(0, len(rows), IMPORTED_TOGETHER)]
        calls = [(_post("/v1/imports", {"players": part}, ""),) for part in parts]
        imported = await closed_loop(self.service.admin_port, calls, IMPORTS_IN_FLIGHT)
        for _, body in imported.answers:
            refused = [each for each in json.loads(body)["results"] if each["outcome"] != "taken"]
            if refused:
                raise WrongAnswer(f"{self.name}: {len(refused)} players were not imported: {refused[0]}")
        await self._log_in(players, balance)

    async def _log_in(self, players: Sequence[str], balance: int) -> None:
        self.books.open(players, balance)
        answered = await closed_loop(self.port, logins(players, PATH), ADMIN_IN_FLIGHT)
        self.books.enter(answered.answers)

    async def compare(self) -> str:
        if not (await asyncio.to_thread(self.service.admin, "GET", "/v1/trial-balance"))["balanced"]:
            raise WrongAnswer(f"{self.name}: the trial balance does not balance")
        found = await asyncio.to_thread(self.service.verify)
        if found["exit_status"]:
            raise WrongAnswer(f"{self.name}: wallet verify: {found}")
        balances, kinds, bets = await self.stored()
        self.books.compare_balances(balances)
        self.books.compare_counts(kinds, bets)
        return (
            f"{self.books.answers} answers, {sum(kinds.values())} entries, {bets} bets and {len(self.books.balances)} "
            "balances agree; trial balance zero; wallet verify found nothing"
        )

    async def stored(self) -> Stored:
        """What SQL has."""
        path = self.service.directory / "ledger.sqlite3"
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as ledger:
            balances = dict(ledger.execute("SELECT user_id, balance FROM wallet"))
            kinds = dict(ledger.execute("SELECT kind, count(*) FROM entry GROUP BY kind"))
            ((bets,),) = ledger.execute(  # an earlier version has two rows of one that is open
                "SELECT count(*) FROM (SELECT DISTINCT player, digest, bet_index FROM mark WHERE bet_index <> '')"
            )
        return Stored(balances, kinds, bets)


def _post(path: str, body: dict[str, Any], key: str) -> AdminCall:
    """A call of the back office; what it may do once only, under this key."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Idempotency-Key": key, "Content-Type": "application/json"}
    return AdminCall(post(path, json.dumps(body).encode(), headers))


def _major(minor: int) -> str:
    """An amount as the back office takes it."""
    return f"{minor // 10**SCALE}.{minor % 10**SCALE:0{SCALE}}"


class WalletOnPostgres(Wallet):
    """`wallet up` with a ledger in a PostgreSQL of its own, on the disk."""

    @classmethod
    @contextmanager
    def start_with_server(cls, directory: Path) -> Iterator[Self]:
        """A service that is ready. The server has the settings of the peer that is PostgreSQL alone."""
        with (
            Postgres(None, **postgres_wallet.SETTINGS) as server,
            cls.start(Names.ON_POSTGRES, directory, WALLET_LEDGER_URL=server.url()) as wallet,
        ):
            wallet.roots.append(server.pid)
            wallet.url = server.url()
            yield wallet

    url: str

    async def stored(self) -> Stored:
        connection = await asyncpg.connect(self.url)
        balances = dict(await connection.fetch("SELECT user_id, balance FROM ledger.wallet"))
        kinds = dict(await connection.fetch("SELECT kind, count(*) FROM ledger.entry GROUP BY kind"))
        bets = await connection.fetchval("SELECT count(*) FROM ledger.mark WHERE bet_index <> ''")
        await connection.close()
        return Stored(balances, kinds, bets)
