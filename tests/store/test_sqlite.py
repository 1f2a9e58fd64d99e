"""What is SQLite's own: files, settings, migrations, crashes."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from seamless_wallet.ledger.conflicts import EntriesRefused, RefusalCause
from seamless_wallet.ledger.entry import payload_fingerprint
from seamless_wallet.ledger.fold import FoldError
from seamless_wallet.ledger.ports import LeaseHeld, StoreError
from seamless_wallet.ledger.records import EventRecord
from seamless_wallet.stores.sql_files import read_queries, statements
from seamless_wallet.stores.sqlite import SqliteLedger, init
from seamless_wallet.stores.sqlite.database import connect
from seamless_wallet.stores.sqlite.sql import EXPORT_SQL, MIGRATIONS, READ_SQL, SCHEMA_VERSION, SQL_PACKAGE, WRITE_SQL
from tests.store.books import CURRENCIES

BACKENDS = ("sqlite",)

ROOT = Path(__file__).parents[2]
PACKAGE_DIR = ROOT / "service" / "seamless_wallet" / "stores" / "sqlite"


SCHEMA = (PACKAGE_DIR / "schema.sql").read_text()


@contextmanager
def made_by(script: str) -> Iterator[sqlite3.Connection]:
    """A database that has what a script makes, and no rows."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.create_function("payload_fingerprint", 1, payload_fingerprint)
        for statement in statements(script):
            connection.execute(statement)
        yield connection


def schema_of(script: str) -> dict[str, str]:
    """Name → definition of everything that a script makes, comments and spaces aside."""
    with made_by(script) as connection:
        rows = connection.execute("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
        lines = {
            f"{kind} {name}": [line.partition("--")[0].strip() for line in sql.splitlines()] for kind, name, sql in rows
        }
        return {name: " ".join(filter(None, text)) for name, text in lines.items()}


def test_the_migrations_make_the_schema():
    """schema.sql is what all migrations in a row lead to"""
    schema = schema_of(SCHEMA)
    assert schema == schema_of("\n".join(script for _, script in MIGRATIONS))
    assert len(schema) == 19


def places_of(query: str) -> int:
    """How many values a statement takes: those with a number, or else each question mark."""
    numbered = [int(number) for number in re.findall(r"\?([0-9]+)", query)]
    return max(numbered) if numbered else query.count("?")


def test_every_statement_has_a_name_and_a_description():
    """And can be prepared on the schema"""
    with made_by(SCHEMA) as connection:
        for file in ("read.sql", "write.sql", "verify.sql"):
            queries = read_queries(SQL_PACKAGE, file)
            assert queries
            if "make_story" in queries:
                connection.execute(queries["make_story"])
            for name, query in queries.items():
                explain = f"EXPLAIN {query.replace('TEMP TABLE', 'TEMP TABLE IF NOT EXISTS')}"
                assert connection.execute(explain, [None] * places_of(query)).fetchall(), name


def plan_of(query: str) -> list[str]:
    """How SQLite goes about it, step by step."""
    with made_by(SCHEMA) as connection:
        steps = connection.execute(f"EXPLAIN QUERY PLAN {query}", [0] * places_of(query))
        return [step for *_, step in steps]


@pytest.mark.parametrize(
    "name",
    [
        "bet",
        "event",
        "event_entry",
        "open_bets",
        "open_rounds",
        "players",
        "players_blocked",
        "players_owing",
        "round",
        "signpost_at_seq",
        "signpost_at_time",
        "story",
        "wallet",
    ],
)
def test_no_question_walks_a_table(name):
    """Each finds its rows by an index, whatever the ledger's size"""
    plan = plan_of(READ_SQL[name])
    assert not [step for step in plan if step.startswith("SCAN") and step not in {"SCAN story", "SCAN CONSTANT ROW"}], (
        plan
    )
    assert not [step for step in plan if "TEMP B-TREE" in step], plan


@pytest.mark.parametrize(
    "sql", ["UPDATE entry SET kind = 'bet'", "DELETE FROM entry", "REPLACE INTO entry SELECT * FROM entry"]
)
async def test_entries_are_append_only(backend, store, book, sql):
    """By triggers, also for a REPLACE"""
    await store.commit([book.take()])
    connection = connect(backend.path, write=True)
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute(sql)
    connection.close()


async def test_commits_are_synced_and_readers_read_only(backend, store):
    """WAL, synchronous=FULL, foreign keys; a reader's connection cannot write"""
    writer, reader = connect(backend.path, write=True), connect(backend.path, write=False)
    try:
        assert writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert writer.execute("PRAGMA synchronous").fetchone() == (2,)
        assert writer.execute("PRAGMA foreign_keys").fetchone() == (1,)
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            reader.execute("UPDATE shard SET epoch = 9")
    finally:
        writer.close()
        reader.close()


def test_open_without_a_ledger_says_what_to_do(tmp_path):
    """And makes no file"""
    with pytest.raises(StoreError, match="run `wallet init`"):
        SqliteLedger.open(tmp_path / "none.db")
    (tmp_path / "empty.db").touch()
    with pytest.raises(StoreError, match="run `wallet init`"):
        SqliteLedger.open(tmp_path / "empty.db")
    assert not (tmp_path / "none.db").exists()


def test_init_survives_an_empty_file(tmp_path):
    """As a crash before the one transaction leaves it"""
    path = tmp_path / "ledger.db"
    path.touch()
    assert init(path, 4, CURRENCIES) == init(path, 4, CURRENCIES)


def test_init_makes_no_directory(tmp_path):
    """A mistyped path would begin another ledger"""
    with pytest.raises(StoreError, match=r"the directory .*/x does not exist; make it"):
        init(tmp_path / "x" / "y.db", 1, {"KRW": 2})
    assert not list(tmp_path.iterdir())


async def test_a_ledger_s_files_are_its_owner_s_alone(tmp_path, book):
    """All of them, whatever the umask"""
    before = os.umask(0)
    try:
        path = tmp_path / "ledger.db"
        init(path, 2, CURRENCIES)
        async with SqliteLedger.open(path) as store:
            store.acquire_lease()
            await store.take_over("n", range(2), 0)
            await store.open_epoch(0, 0, 1, "run", "repl", "")
            await store.commit([book.take()])
            modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    finally:
        os.umask(before)
    names = ("ledger.db", "ledger.db-shm", "ledger.db-wal", "ledger.db.writer.lock")
    assert modes == dict.fromkeys(names, 0o600)


async def test_a_writer_that_ends_in_order_leaves_a_whole_file(backend, store, book, tmp_path):
    """A copy of the one file is the ledger, though a reader still has it open; while it is written, it is not"""
    entries = book.take()
    await store.commit([entries])
    copy = tmp_path / "copy.db"

    async def entries_of_copy() -> int:
        shutil.copy(backend.path, copy)
        async with SqliteLedger.open(copy) as copied:
            return (await copied.heads())[0].seq

    async with backend.open() as reader:
        assert (await reader.heads())[0].seq == len(entries)
        assert await entries_of_copy() == 0
        await store.close()
        assert await entries_of_copy() == len(entries)


async def test_a_reader_cannot_keep_a_writer_from_ending(backend, store, book):
    """What a long reader needs of the log stays there, and nothing is lost"""
    reader = connect(backend.path, write=False)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM shard").fetchall()
    await store.commit([book.take()])
    began_s = time.monotonic()
    await store.close()
    assert time.monotonic() - began_s < 4
    reader.close()
    async with backend.open() as again:
        assert (await again.heads())[0].seq > 0


@pytest.mark.parametrize("place", ["/proc/ledger.db", "/dev/null/ledger.db", "/"])
def test_init_where_nothing_can_be_written(place):
    """One clear line"""
    with pytest.raises(StoreError, match="cannot make the ledger"):
        init(place, 4, CURRENCIES)


def test_a_file_that_is_no_ledger_is_left_alone(tmp_path):
    """Neither another program's database nor a text"""
    foreign = tmp_path / "foreign.db"
    connection = sqlite3.connect(foreign)
    connection.execute("CREATE TABLE mine (x)")
    connection.close()
    with pytest.raises(StoreError, match="not a ledger"):
        init(foreign, 4, CURRENCIES)
    text = tmp_path / "text.db"
    text.write_text("hello " * 1000)
    for act in (lambda: init(text, 4, CURRENCIES), lambda: SqliteLedger.open(text)):
        with pytest.raises(StoreError, match="check that the file is a ledger"):
            act()
    assert text.read_text().startswith("hello")


def test_a_newer_ledger_is_refused(backend):
    """By open and by init"""
    backend.tamper("UPDATE ledger SET schema_version = 99")
    for act in (backend.open, backend.init):
        with pytest.raises(StoreError, match="install that version or a later one"):
            act()


def test_a_ledger_with_entries_of_a_newer_form_is_refused(backend):
    """By open and by init, also where the tables are the same"""
    backend.tamper("UPDATE ledger SET payload_version = payload_version + 1")
    for act in (backend.open, backend.init):
        with pytest.raises(StoreError, match="install that version or a later one"):
            act()


async def test_a_reader_alone_opens_a_ledger_that_nobody_has_open(backend):
    """Without -wal and -shm beside it, as after a clean shutdown"""
    assert list(backend.path.parent.iterdir()) == [backend.path]
    async with backend.open() as reader:
        assert len(await reader.heads()) == 2


def test_the_loader_refuses_what_it_cannot_name(monkeypatch):
    """A name twice, a statement without one"""
    from seamless_wallet.stores import sql_files as sql  # noqa: PLC0415

    class Text:
        def __init__(self, text):
            self.text = text

        def joinpath(self, _):
            return self

        def read_text(self, _):
            return self.text

    for text, match in (
        ("-- name: a\n-- What.\nSELECT 1;\n-- name: a\n-- What.\nSELECT 2;\n", "twice"),
        ("SELECT 1;\n-- name: a\n-- What.\nSELECT 2;\n", "without a name"),
    ):
        monkeypatch.setattr(sql, "files", lambda _, text=text: Text(text))
        with pytest.raises(ValueError, match=match):
            sql.read_queries("any", "any.sql")
    with pytest.raises(ValueError, match="unfinished"):
        statements("SELECT 1;\nSELECT 2")


@pytest.fixture
def first_ledger(tmp_path):
    """A ledger of the first version, as far as it matters: the same number of its schema, and other tables."""
    path = tmp_path / "first.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("""
            CREATE TABLE ledger (id INTEGER PRIMARY KEY, uuid TEXT, shards INTEGER, schema_version INTEGER) STRICT;
            INSERT INTO ledger VALUES (1, '0f0e', 2, 1);
            CREATE TABLE shard (shard INTEGER PRIMARY KEY, epoch INTEGER, seq INTEGER, chain BLOB) STRICT;
        """)
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("act", [SqliteLedger.open, lambda path: init(path, 2, CURRENCIES)], ids=["open", "init"])
def test_a_ledger_of_the_first_version_is_refused(first_ledger, act):
    """In one line that says what to do; nothing of it is changed"""
    with pytest.raises(StoreError, match=r"first version.*move it away, and run `wallet init`") as refused:
        act(first_ledger)
    assert "\n" not in str(refused.value)
    with closing(sqlite3.connect(first_ledger)) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (2,)


async def test_one_writer_at_a_time(backend, store):
    """The lease is refused while another has it, and free again when that is released or its store closed"""
    second = backend.open()
    with pytest.raises(LeaseHeld, match="only one"):
        second.acquire_lease()
    await store.close()
    with second.acquire_lease():
        await second.take_over("second", range(2), 0)
        assert await second.open_epoch(0, 1, 2, "a", "b", "") == 0
    with pytest.raises(StoreError, match="lease"):
        await second.open_epoch(0, 2, 3, "a", "b", "")
    second.acquire_lease()
    await second.close()
    third = backend.open()
    third.acquire_lease()
    await third.close()


MARKS = """
INSERT INTO mark (player, open, digest, bet_index, entry, fingerprint, state)
SELECT mark.player, {place}, digest, bet_index, mark.entry,
  CASE bet_index WHEN '' THEN payload_fingerprint(payload) END, state
FROM now.mark JOIN now.entry ON entry.id = mark.entry
"""
"""Until version 4 the mark of an event said what the event says."""

OPEN_TWICE = "INSERT INTO mark SELECT player, 1, digest, bet_index, entry, NULL, NULL FROM now.mark WHERE open = 1"
"""Until version 3 the row of an open bet stood there twice, one of them without its state."""


def as_of_version(version, ledger, path):
    """A ledger as an earlier version of the program would have made it"""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for number, script in MIGRATIONS:
            if number <= version:
                for statement in statements(script):
                    connection.execute(statement)
        connection.execute("ATTACH ? AS now", (str(ledger),))
        tables = connection.execute("SELECT name FROM now.sqlite_schema WHERE type = 'table' AND name <> 'mark'")
        for (table,) in tables.fetchall():
            connection.execute(f"INSERT INTO {table} SELECT * FROM now.{table}")  # noqa: S608
        connection.create_function("payload_fingerprint", 1, payload_fingerprint)
        connection.execute(MARKS.format(place=0 if version < 3 else "open"))
        if version < 3:
            connection.execute(OPEN_TWICE)
        connection.execute("UPDATE ledger SET schema_version = ?", (version,))


@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION))
async def test_a_ledger_of_a_schema_before_is_brought_up_to_date(version, tmp_path, book):
    """It says what to do, `init` does it, and then the ledger is as if it had always been of this version"""
    present, path = tmp_path / "present.db", tmp_path / "ledger.db"
    made = init(present, 2, CURRENCIES)
    book.bet("g1", a=100, b=50)
    book.result("g1", b=(50, -50))
    book.cancel("g2", c=70)
    async with SqliteLedger.open(present) as ledger:
        ledger.acquire_lease()
        await ledger.take_over("first", range(2), 0)
        await ledger.open_epoch(0, 0, 1, "run", "repl", "")
        await ledger.commit([book.take()])
    as_of_version(version, present, path)
    with pytest.raises(StoreError, match=f"has schema {version}, not {SCHEMA_VERSION}; run `wallet init`"):
        SqliteLedger.open(path)
    assert init(path, 2, CURRENCIES) == made
    async with SqliteLedger.open(path) as ledger:
        assert (await ledger.open_bets()).count == 1
        assert [finding async for finding in ledger.verify()] == []
    with closing(sqlite3.connect(path)) as connection, closing(sqlite3.connect(present)) as other:
        for (name,) in other.execute("SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')").fetchall():
            rows = f"SELECT * FROM {name} ORDER BY 1, 2"  # noqa: S608
            assert connection.execute(rows).fetchall() == other.execute(rows).fetchall(), name


UNREADABLE = [
    "UPDATE entry SET payload = zeroblob(4) WHERE seq = 3",
    "UPDATE entry SET payload = x'9b6300000000000000000000' WHERE seq = 3",  # of a version that nobody here reads
    "UPDATE entry SET provider = CAST(x'ff' AS TEXT) WHERE seq = 3",
    "UPDATE mark SET entry = (SELECT id FROM entry WHERE seq = 4) WHERE entry = (SELECT id FROM entry WHERE seq = 3)",
]
"""What is done to an event, so that nobody can tell what it says."""


@pytest.fixture
async def two_events(store, book):
    """Two deposits, the entries 3 and 4."""
    events = book.deposit(5, transaction_id="again"), book.deposit(7)
    await store.commit([book.take()])
    return events


@pytest.mark.parametrize("harm", UNREADABLE)
async def test_an_event_that_cannot_be_read_spoils_no_other(backend, store, book, two_events, harm):
    """It is there, but like no event that comes; nothing is told of it alone, and all of the others"""
    broken, whole = two_events
    assert backend.tamper(harm) == 1
    events = (await store.find_events([(book.user, broken.event_digest), (book.user, whole.event_digest)])).events
    assert events[broken.event_digest] == EventRecord(broken.event_digest, b"", 0)
    assert events[whole.event_digest] == EventRecord(whole.event_digest, whole.fingerprint, whole.seq)
    refused = asyncio.ensure_future(store.lookup(0, broken.command, broken.event_digest))
    told = await store.lookup(0, whole.command, whole.event_digest)
    assert told.record == events[whole.event_digest]
    with pytest.raises(FoldError, match="its event"):
        await refused


TEXT_IS_NONE = "UPDATE entry SET effects = CAST(x'ff' AS TEXT), game_no = CAST(x'ff' AS TEXT) WHERE seq = 3"


async def test_a_text_that_is_none_matters_to_no_look_up(backend, store, book, two_events):
    """What an event says is in its payload: no other column is read for it"""
    broken, _ = two_events
    assert backend.tamper(TEXT_IS_NONE) == 1
    record = EventRecord(broken.event_digest, broken.fingerprint, broken.seq)
    assert (await store.find_events([(book.user, broken.event_digest)])).events == {broken.event_digest: record}
    assert (await store.lookup(0, broken.command, broken.event_digest)).record == record


@pytest.mark.parametrize("harm", [*UNREADABLE, TEXT_IS_NONE])
async def test_an_identity_is_known_whatever_its_entry_says(backend, store, book, two_events, harm):
    """Who sends it again has re-used it: neither the shard nor the player pays for a row that is damaged"""
    assert backend.tamper(harm) == 1
    book.deposit(5, transaction_id="again")
    before = await store.heads()
    with pytest.raises(EntriesRefused) as caught:
        await store.commit([book.take()])
    assert [(refused.cause, refused.seq) for refused in caught.value.refusals] == [(RefusalCause.REUSED, 5)]
    assert await store.heads() == before


def test_nothing_is_sorted_for_a_copy():
    """A ledger of any size is copied in little memory"""
    for query in EXPORT_SQL.values():
        assert not any("FOR ORDER BY" in step for step in plan_of(query))


@pytest.mark.parametrize("state", ["O 100", "S 100 5 5", "C 100", "T 100"])
@pytest.mark.parametrize("before", ["O 100", "S 100 -100 -100", "C 100", "T 100"])
def test_no_bet_is_open_and_over(state, before):
    """A bet stands once, among the open ones or among the others, whatever became of it"""
    bet = (7, bytes(16), "b1")
    with made_by(SCHEMA) as connection:
        connection.execute(WRITE_SQL["insert_bet"], (*bet, 3, before))
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute(WRITE_SQL["insert_bet"], (*bet, 4, state))
        assert connection.execute(WRITE_SQL["update_bet"], (state, *bet, "O 99")).rowcount == 0
        assert connection.execute(WRITE_SQL["update_bet"], (state, *bet, before)).rowcount == 1
        rows = connection.execute("SELECT open, player, digest, bet_index, entry, state FROM mark").fetchall()
        assert rows == [(int(state == "O 100"), *bet, 3, state)]
        assert connection.execute(READ_SQL["bet"], bet).fetchall() == [(state,)]
