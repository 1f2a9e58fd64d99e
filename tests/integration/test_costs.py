"""What an event costs where it can be counted: the same on every machine, so that a dearer one is seen in a test.

A figure here may fall with a change: write the new one down. If it has to rise, say why where it is decided.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Final

import hiredis
import pytest

from benchmarks.lua_cpu import KINDS, PLAYERS, Game, Server
from benchmarks.scaling import LEDGER_BYTES
from seamless_wallet.commands import Item, Kind
from seamless_wallet.engine.scripts import load_scripts
from seamless_wallet.stores.sqlite import SqliteLedger, init
from tests.store.books import CURRENCIES, Book
from tests.valkey_server import start_valkey

EVENTS: Final = 50
PAGE_BYTES: Final = 4096
USER: Final = "player-1"

COMMANDS: Final = {
    "bet": {"evalsha": 1, "hmget": 3, "hget": 2, "hset": 4, "xadd": 1, "pexpire": 1},
    "cancel": {"evalsha": 1, "hmget": 3, "hget": 2, "hset": 4, "xadd": 1, "pexpire": 2},
    "result": {"evalsha": 1, "hmget": 3, "hget": 2, "hset": 4, "xadd": 1, "pexpire": 2},
}
"""What Redis executes for an event of one item: the call, and the commands of its script."""

WORDS: Final = {"bet": 30, "cancel": 27, "result": 27}
"""Of the command that a worker sends: EVALSHA, the script, keys and arguments."""

SENT_BYTES: Final = {"bet": 625, "cancel": 604, "result": 601}
"""Of that command, with ids as long as in play."""

STATEMENTS: Final = {1: 9, 25: 81}
"""That SQLite executes for a commit of so many one-bet events of one player, BEGIN and COMMIT included: 3 an event."""


@pytest.fixture(scope="module")
def game():
    """Players with money on a private Valkey, without worker and writer: so only what is counted is executed."""
    with (
        tempfile.TemporaryDirectory() as directory,
        start_valkey(Path(directory)) as valkey,
        closing(Server(valkey)) as server,
    ):
        yield Game(server, load_scripts())


def commands_executed(server: Server) -> dict[str, int]:
    """How often each command was, since the last reset."""
    told = server.call("INFO", "commandstats")
    assert isinstance(told, bytes)
    lines = told.decode().splitlines()
    stats = dict(line.removeprefix("cmdstat_").split(":") for line in lines if line.startswith("cmdstat_"))
    calls = {name: int(fields.partition("=")[2].partition(",")[0]) for name, fields in stats.items()}
    return {name: number for name, number in calls.items() if name not in {"info", "config|resetstat"}}


@pytest.mark.parametrize("name", KINDS)
def test_an_event_costs_redis_no_more_commands(game, name):
    """Each further `redis.call` of a script is CPU of Redis for every event."""
    numbers = [1000 * list(KINDS).index(name) + number for number in range(1, EVENTS + 1)]
    if name != "bet":
        game.play([game.command(Kind.BET, USER, number) for number in numbers])
    events = [game.command(KINDS[name], USER, number) for number in numbers]
    game.server.call("CONFIG", "RESETSTAT")
    game.play(events)
    executed = commands_executed(game.server)
    assert {command: number / EVENTS for command, number in executed.items()} == COMMANDS[name]


@pytest.mark.parametrize("name", KINDS)
def test_an_event_is_sent_to_redis_in_no_more_words(game, name):
    """Keys and arguments are packed by the worker, read by Redis, and handed to Lua one by one."""
    packed = game.command(KINDS[name], USER, PLAYERS)
    reader = hiredis.Reader()
    reader.feed(packed)
    words = reader.gets()
    assert isinstance(words, list)
    assert len(words) == WORDS[name]
    assert len(packed) == pytest.approx(SENT_BYTES[name], abs=3)  # the numbers in ids differ in length


async def opened(path: Path) -> SqliteLedger:
    """A ledger of one shard, ours to write."""
    init(path, 1, CURRENCIES)
    store = SqliteLedger.open(path)
    store.acquire_lease()
    await store.take_over("nonce", [0], 1)
    assert await store.open_epoch(0, 0, 1, "run", "repl", "") == 0
    return store


@pytest.fixture
def book():
    """A player with money, in a shard of its own."""
    made = Book(shards=1)
    made.create()
    made.deposit(10**12)
    return made


@pytest.mark.parametrize("events", STATEMENTS)
async def test_a_commit_takes_no_more_statements(tmp_path, book, events):
    """Of one event, and of a batch: what is asked of SQL for each entry shows in the difference."""
    async with await opened(tmp_path / "ledger.db") as store:
        book.bet("before", a=100)
        await store.commit([book.take()])
        for number in range(events):
            book.bet(f"game-{number}", a=100)
        seen: list[str] = []
        await store._threads.write(lambda connection: connection.set_trace_callback(seen.append))
        await store.commit([book.take()])
        statements = [sql for sql in seen if not sql.startswith("--")]  # a trigger's own
        assert len(statements) == STATEMENTS[events], Counter(" ".join(sql.split()[:3]) for sql in statements)


def pages(connection: sqlite3.Connection) -> int:
    """Of the ledger, those in the log included."""
    (found,) = connection.execute("PRAGMA page_count").fetchone()
    return int(found)


async def test_an_event_takes_no_more_room_in_the_ledger(tmp_path, book):
    """Entry, marks and indexes together."""
    async with await opened(tmp_path / "ledger.db") as store:

        async def grown(first: int, events: int) -> int:
            for number in range(first, first + events):
                book.post(
                    book.command(
                        Kind.BET,
                        game_no=f"game-{number:06}",
                        items=(Item("1", "player", 100),),
                        transaction_id=f"2_agent_1700000000000_{number:06}",
                        context={"game_type": "BAC", "table_no": "T7"},
                    )
                )
            await store.commit([book.take()])
            return await store._threads.write(lambda connection: pages(connection) * PAGE_BYTES)

        before = await grown(0, 1000)
        after = await grown(1000, 2000)
        assert (after - before) / 2000 == pytest.approx(LEDGER_BYTES, rel=0.03)
