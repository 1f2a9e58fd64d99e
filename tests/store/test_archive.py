"""A month of a PostgreSQL ledger goes into a file, and the ledger holds together without it."""

from __future__ import annotations

import asyncio
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import zstandard

from seamless_wallet.commands import event_digest
from seamless_wallet.ledger.ports import Archived, StoreError
from seamless_wallet.ledger.records import ArchivedMonth, EntriesQuery
from seamless_wallet.stores.archive_file import ArchiveRefused, prove_file
from seamless_wallet.stores.increment_audit import Checkpoint, CheckpointRefused
from seamless_wallet.stores.postgres import archiving
from seamless_wallet.stores.postgres.primary import connect
from seamless_wallet.stores.postgres.sql import ARCHIVE_SQL
from seamless_wallet.stores.postgres.verification import verify_snapshot
from tests.acceptance.service_process import environment, run
from tests.store.backends import in_postgres
from tests.store.books import PROVIDER, START_MS, Book, user_of

BACKENDS = ("postgres",)
JANUARY, FEBRUARY = date(2026, 1, 1), date(2026, 2, 1)


def quiet(_title: str) -> Any:
    """A progress bar that nobody sees."""
    return lambda _done, _total: None


async def archive(backend, file: Path, month: date = JANUARY, **changes: Any) -> archiving.ArchivedFile:
    """As the command does."""
    options = {"cold_ms": 0, "drop": False, "bars": quiet, **changes}
    return await archiving.archive(backend.url, month, file, **options)


def move(backend, month: date, *ends: int) -> None:
    """Make entries up to a seq of each shard those of a month, as if they had been committed then."""
    backend.alter(f"SELECT ledger.add_month('{month}')")
    for shard, seq in enumerate(ends):
        where = f"id % 2 = {shard} AND id / 2 <= {seq} AND month > '{FEBRUARY}'"
        backend.tamper(f"UPDATE ledger.entry SET month = '{month}' WHERE {where}")  # noqa: S608


def partitions(backend) -> set[str]:
    """The months of the table."""
    rows = backend.rows("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'ledger.entry'::regclass")
    return {name.removeprefix("ledger.") for (name,) in rows}


async def findings(store) -> list[str]:
    """What a full verification tells."""
    return [finding.text async for finding in store.verify()]


async def verified_since(store, checkpoint: Checkpoint) -> Checkpoint:
    """Verify what is new, which has to be right."""
    increment = await store.verify_since(checkpoint, 1_000)
    assert [finding.text for finding in increment.findings] == []
    return increment.checkpoint


async def filled(backend, store, book: Book, other: Book) -> None:
    """A January and a February of both shards, and what came after. Nothing of both months is open."""
    book.bet("g1", a=1_000, b=500)
    book.result("g1", a=(1_000, 950))
    book.cancel("g1", b=500)
    other.bet("h1", a=700)
    other.create(user_of(1, 2, nth=1)).void = "unstorable"
    await store.commit([book.take(), other.take()])
    january = len(book.entries), len(other.entries)
    other.result("h1", a=(700, -700))  # a bet of January is settled in February
    book.change("g1", a=(1_000, 950, 100))
    book.bet("g2", a=300)
    book.result("g2", a=(300, 300))
    await store.commit([book.take(), other.take()])
    february = len(book.entries), len(other.entries)
    book.change("g1", a=(1_000, 100, 950))  # and changed once more in the present month
    book.bet("g3", a=200)
    await store.commit([book.take(), other.take()])
    move(backend, JANUARY, *january)
    move(backend, FEBRUARY, *february)


@pytest.fixture
async def months(backend, store, book, other):
    """The ledger with two months that are over."""
    await filled(backend, store, book, other)
    return store


async def test_an_archived_month_leaves_a_ledger_that_holds_together(backend, months, book, other, tmp_path):
    """Verify, its increments, the trial balance and every wallet are as before, month after month."""
    before = await months.trial_balance(), await months.heads(), await months.wallet(book.user)
    checkpoint = await verified_since(months, Checkpoint(months.uuid))
    for month in (JANUARY, FEBRUARY):
        done = await archive(backend, tmp_path / f"{month}", month)
        assert (done.again, done.dropped) == (False, False)
        assert f"entry_{month:%Y_%m}" not in partitions(backend)
        assert await findings(months) == []
        assert (await months.trial_balance(), await months.heads(), await months.wallet(book.user)) == before
        assert await verified_since(months, checkpoint) == checkpoint
        assert await verified_since(months, Checkpoint(months.uuid)) == checkpoint
    book.result("g3", a=(200, -200))
    book.change("g1", a=(1_000, 950, 0))
    other.deposit(1)
    await months.commit([book.take(), other.take()])
    assert await findings(months) == []
    assert (await verified_since(months, checkpoint)).last_id == len(book.entries) + len(other.entries)


async def test_an_archived_event_is_still_a_duplicate(backend, months, book, tmp_path):
    """And its bet is known with all that became of it; only the entry itself is not there any more."""
    bet = book.entries[2].command
    before = await months.lookup(0, bet, event_digest(bet))
    assert before.record is not None
    await archive(backend, tmp_path / "january", drop=True)
    assert await months.lookup(0, bet, event_digest(bet)) == before
    with pytest.raises(Archived, match=rf"{bet.transaction_id} is archived: .*/january \(2026-01\), shard 0, entry 3"):
        await months.event(PROVIDER, book.user, bet.transaction_id)
    assert await months.event(PROVIDER, book.user, "never") is None


async def test_readers_are_told_where_archived_entries_are(backend, months, book, tmp_path):
    """The newest one of a player is kept: his balance is known from it on, and before it the file is named."""
    book.now_ms += 60 * 60 * 1000
    book.deposit(1)
    await months.commit([book.take()])
    await archive(backend, tmp_path / "january")
    await archive(backend, tmp_path / "february", FEBRUARY)
    left = await months.history(book.user, EntriesQuery())
    assert [entry.seq for entry in left] == list(range(len(book.entries), 8, -1))
    assert await months.archives(book.user) == [
        ArchivedMonth("2026-01", str(tmp_path / "january")),
        ArchivedMonth("2026-02", str(tmp_path / "february")),
    ]
    assert await months.archives("nobody") == []
    assert (await months.entry_at(book.user, START_MS)).seq == 10
    backend.tamper("UPDATE closing SET received_ms = received_ms + 1")
    with pytest.raises(Archived, match=r"what user-0 had then is archived: .*january \(2026-01\), .*february"):
        await months.entry_at(book.user, START_MS - 1)


def test_the_commands_archive_a_month_and_name_its_file(backend, months, book, tmp_path):
    """Where what they tell ends."""
    config = tmp_path / "wallet.toml"
    config.write_text("[currencies]\nKRW = 2\nUSD = 2\nJPY = 0\n")
    environ = environment(tmp_path, WALLET_LEDGER_URL=backend.url, WALLET_SHARDS="2", WALLET_CONFIG=str(config))
    done = run(["archive", "2026-01", "--json"], environ)
    assert done.returncode == 0, done.stderr
    file = tmp_path / "var" / "archive-2026-01.jsonl.zst"
    told = json.loads(done.stdout)
    assert (told["file"], told["entries"], told["dropped"]) == (str(file), 9, False)
    entries = run(["entries", book.user, "--json"], environ)
    assert entries.stderr == f"Entries of 2026-01 are archived: {file}\n"
    assert len(json.loads(entries.stdout)) == len(book.entries) - 5


async def test_the_balance_as_of_the_closing_is_told(backend, store, book, tmp_path):
    """Of a player of whom nothing but the closing figures is left."""
    await store.commit([book.take()])
    expected = await store.entry_at(book.user, START_MS)
    move(backend, JANUARY, len(book.entries))
    await archive(backend, tmp_path / "file", drop=True)
    found = await store.entry_at(book.user, START_MS)
    assert (found.seq, found.decision, found.command) == (expected.seq, expected.decision, expected.command)
    assert await store.history(book.user, EntriesQuery()) == []
    assert await store.load(0, book.user, 0) is not None
    assert await findings(store) == []


async def test_the_file_can_be_read_by_a_person_and_proven_by_a_program(backend, months, book, tmp_path):
    """A line an entry, with amounts in major units and the event's bets, between the beginning and the ends."""
    file = tmp_path / "file"
    done = await archive(backend, file)
    proof = prove_file(file, lambda _done, _total: None)
    assert (proof.footer.entries, proof.footer.digest) == (done.entries, done.digest)
    assert file.stat().st_mode & 0o777 == 0o600
    with zstandard.open(file, "rt") as text:
        first, *lines, last = [json.loads(line) for line in text]
    assert (first["ledger"], first["month"]) == (months.uuid, "2026-01")
    assert last["entries"] == len(lines) == 9
    bet = next(line for line in lines if line["kind"] == "bet" and line["user_id"] == book.user)
    assert (bet["balance_delta"], bet["balance"], bet["effects"]) == ("-15.00", "85.00", "++")
    void = next(line for line in lines if line["kind"] == "void")
    assert (void["effects"], void["event"], void["balance"]) == ("unstorable", None, "0")
    assert [(item["bet_index"], item["amount"]) for item in bet["event"]["items"]] == [("a", "10.00"), ("b", "5.00")]


@pytest.mark.parametrize("harm", ["cut", "flipped", "edited", "empty"])
async def test_a_damaged_archive_is_refused(backend, months, tmp_path, harm):
    """Whatever is wrong with it, one line says so, and the table of the month stays."""
    file = tmp_path / "file"
    await archive(backend, file)
    data = file.read_bytes()
    if harm == "edited":
        text = zstandard.ZstdDecompressor().stream_reader(data).read()
        data = zstandard.compress(text.replace(b'"balance_delta":"-15.00"', b'"balance_delta":"-14.00"'))
    flipped = bytes([data[len(data) // 2] ^ 1])
    harmed = {
        "cut": data[:-10], "flipped": data[: len(data) // 2] + flipped + data[len(data) // 2 + 1 :], "empty": b"",
    }  # fmt: skip
    file.write_bytes(harmed.get(harm, data))
    with pytest.raises(ArchiveRefused, match=r"^the archive .* (is damaged|does not hold together): "):
        await archive(backend, file, drop=True)
    assert backend.rows("SELECT count(*) FROM entry_2026_01") == [(9,)]
    file.unlink()
    again = await archive(backend, file, drop=True)  # the table is still there: it is written again
    assert (again.again, again.dropped) == (True, True)
    with pytest.raises(ArchiveRefused, match=r"archived in .*file, and there is no file .*other"):
        await archive(backend, tmp_path / "other")


async def test_months_that_must_stay_are_refused_in_one_line(backend, months, book, tmp_path):
    """One that is not over, one out of turn, one that is not there, one that is warm, one with an open bet."""
    present = backend.rows("SELECT date_trunc('month', now() AT TIME ZONE 'UTC')::date")[0][0]
    refusals = {
        present: "is not over yet, by the server's clock: it stays",
        FEBRUARY: "months are archived in order: archive 2026-01 first",
        date(2025, 12, 1): "the ledger has no month 2025-12; its oldest is 2026-01",
    }
    for month, reason in refusals.items():
        with pytest.raises(ArchiveRefused, match=reason):
            await archive(backend, tmp_path / "file", month)
    with pytest.raises(ArchiveRefused, match=r"2026-01 stays for now: .*hot windows; try again after 2\d{3}-"):
        await archive(backend, tmp_path / "file", cold_ms=10**12)
    backend.tamper("UPDATE mark SET state = 'O 500' WHERE state = 'C 500'")
    with pytest.raises(ArchiveRefused, match=r"2026-01 stays: 1 of its bets are open, the oldest is b of user-0"):
        await archive(backend, tmp_path / "file")
    backend.tamper("UPDATE mark SET state = 'C 500' WHERE state = 'O 500'")
    assert backend.rows("SELECT * FROM archive") == []
    assert list(tmp_path.iterdir()) == []


async def test_a_ledger_with_findings_is_not_archived(backend, months, tmp_path):
    """Else its closing figures would make it right."""
    backend.tamper("UPDATE wallet SET balance = balance + 1")
    with pytest.raises(ArchiveRefused, match=r"does not hold together, and nothing of it is archived: "):
        await archive(backend, tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


TAMPERINGS = {
    "an archived event is forgotten": "DELETE FROM mark WHERE bet_index = '' AND entry < 8",
    "it says something else": "UPDATE mark SET fingerprint = digest WHERE bet_index = '' AND entry = 6",
    "an archived bet is open again": "UPDATE mark SET state = 'O 500' WHERE state = 'C 500'",
    "its stake is another one": "UPDATE mark SET state = 'C 501' WHERE state = 'C 500'",
    "its last change is gone": "UPDATE mark SET state = regexp_replace(state, ' [^ ]*$', '') WHERE state LIKE '%:%'",
    "its first winloss is another one": (
        "UPDATE mark SET state = replace(state, 'S 1000 950 950', 'S 1000 950 949') WHERE state LIKE 'S 1000%'"
    ),
    "a wallet without entries": "UPDATE wallet SET balance = balance + 1 WHERE player % 2 = 1",
    "another player": "UPDATE wallet SET user_id = 'nobody' WHERE player % 2 = 1",
    "a closing is gone": "DELETE FROM closing",
    "a closing says more": "UPDATE closing SET balance = balance + 1",
    "a sum is another one": "UPDATE archive_sum SET balance_delta = balance_delta + 1",
    "an end is another one": "UPDATE archive_end SET chain = zeroblob(16)",
    "an end is earlier": "UPDATE archive_end SET seq = seq - 1",
}


async def test_verify_finds_what_was_changed_of_archived_entries(backend, months, tmp_path):
    """What is left of them is proven as their entries were."""
    await archive(backend, tmp_path / "january", drop=True)
    await archive(backend, tmp_path / "february", FEBRUARY, drop=True)
    assert await findings(months) == []
    connection = await connect(backend.url)
    for harm, statement in TAMPERINGS.items():
        transaction = connection.transaction(isolation="repeatable_read")
        await transaction.start()
        await connection.execute("SET LOCAL search_path = ledger; SET LOCAL session_replication_role = replica")
        changed = await connection.execute(in_postgres(statement))
        found = [finding.text async for finding in verify_snapshot(connection, quiet(harm))]
        await transaction.rollback()
        assert not changed.endswith(" 0"), harm
        assert found, harm
    await connection.close()
    assert await findings(months) == []


async def test_marks_are_summed_in_slices(backend, months, tmp_path):
    """However few of a player's events and bets are held at a time."""
    await archive(backend, tmp_path / "january")
    for held_max in (1, 2, 3, 100):
        assert await backend.verify(held_max) == []


async def test_a_checkpoint_from_before_the_archive_goes_on_unless_it_contradicts(backend, months, tmp_path):
    """What is archived since was verified for that. The last archived entry of a shard can still be compared."""
    at_end = await verified_since(months, Checkpoint(months.uuid))
    (chain,) = next(iter(backend.rows("SELECT chain FROM entry WHERE id = 5 * 2")))
    middle = Checkpoint(months.uuid, 5, {0: (1, 5, chain)})
    earlier = Checkpoint(months.uuid, 3, {0: (1, 3, bytes(16))})
    await archive(backend, tmp_path / "january")
    assert await verified_since(months, middle) == at_end
    assert await verified_since(months, earlier) == at_end
    with pytest.raises(CheckpointRefused, match="does not fit"):
        await months.verify_since(Checkpoint(months.uuid, 5, {0: (1, 5, bytes(16))}), 1_000)


class Killed(BaseException):
    """In place of SIGKILL: nothing after it is done by this connection."""


STEPS = ("set_marks", "detach", "pending")
MORE_STEPS = ("close_month", "commit_durably", "rows", "insert_sums", "set_closings", "insert_ends", "insert_archive",
              "transaction", "drop")  # fmt: skip


@pytest.mark.parametrize("step", [*STEPS, *(pytest.param(step, marks=pytest.mark.long) for step in MORE_STEPS)])
async def test_a_kill_at_any_step_leaves_a_ledger_that_holds_and_the_same_command_ends_it(
    backend, months, step, tmp_path, monkeypatch
):
    """The connection ends in front of the step, or in the middle of detaching."""
    before = await months.trial_balance()
    if step == "pending":
        reader = await connect(backend.url)
        transaction = reader.transaction()
        await transaction.start()
        await reader.execute("LOCK TABLE ledger.entry IN ACCESS SHARE MODE")  # without a snapshot: only the lock counts
        task = asyncio.create_task(archive(backend, tmp_path / "file", drop=True))
        pending = "SELECT FROM pg_inherits WHERE inhdetachpending"
        while not await asyncio.to_thread(backend.rows, pending):
            pass
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await transaction.rollback()
        await reader.close()
        backend.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'ALTER TABLE%'")
    else:
        name = ARCHIVE_SQL[step]
        monkeypatch.setitem(ARCHIVE_SQL, step, "SELECT pg_terminate_backend(pg_backend_pid())")
        with pytest.raises(StoreError):
            await archive(backend, tmp_path / "file", drop=True)
        monkeypatch.setitem(ARCHIVE_SQL, step, name)
    assert await findings(months) == []
    assert await months.trial_balance() == before
    done = await archive(backend, tmp_path / "file", drop=True)
    assert done.dropped
    assert done.again == (step in {"transaction", "detach", "drop", "pending"})
    assert await findings(months) == []
    assert await months.trial_balance() == before
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


async def test_the_writer_goes_on_while_a_month_is_archived(backend, months, book, tmp_path):
    """Also while the month waits for a reader to be detached, which sees all of it until its end."""
    before, entries = await months.trial_balance(), sum(head.seq for head in await months.heads())
    reader = await connect(backend.url)
    transaction = reader.transaction(isolation="repeatable_read", readonly=True)
    await transaction.start()
    assert await reader.fetchval("SELECT count(*) FROM ledger.archive") == 0
    task = asyncio.create_task(archive(backend, tmp_path / "file"))
    commits = 0
    while not backend.rows("SELECT * FROM archive"):
        book.deposit(1)
        await months.commit([book.take()])
        commits += 1
    for _ in range(20):
        book.deposit(1)
        await months.commit([book.take()])
    assert not task.done()
    assert commits
    assert await reader.fetchval("SELECT count(*) FROM ledger.entry WHERE month > ledger.archived()") == entries
    await transaction.rollback()
    await reader.close()
    assert (await task).entries == 9
    assert await findings(months) == []
    after = await months.trial_balance()
    assert after["KRW"]["player"] == before["KRW"]["player"] + commits + 20


async def test_no_entry_gets_an_archived_month_when_the_clock_is_set_back(backend, months, tmp_path):
    """The shards' own months go on, also of those that were idle."""
    backend.tamper("UPDATE shard SET month = '-infinity'")
    await archive(backend, tmp_path / "file")
    assert backend.rows("SELECT DISTINCT month FROM shard") == [(FEBRUARY,)]


async def test_who_does_not_own_the_tables_may_not_archive(backend, months, tmp_path):
    """One line says who may."""
    backend.alter("DO $$ BEGIN CREATE ROLE reader LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    backend.alter("GRANT USAGE ON SCHEMA ledger TO reader; GRANT SELECT ON ALL TABLES IN SCHEMA ledger TO reader")
    url = backend.url.replace("postgres@", "reader@")
    with pytest.raises(ArchiveRefused, match="only the owner of the tables may archive"):
        await archiving.archive(url, JANUARY, tmp_path / "file", cold_ms=0, drop=False, bars=quiet)


async def test_the_file_of_another_month_or_ledger_is_left_alone(backend, months, tmp_path):
    """It is refused, and so is a second run beside one that runs."""
    file = tmp_path / "file"
    await archive(backend, file)
    with pytest.raises(ArchiveRefused, match="is the archive of another month"):
        await archive(backend, file, FEBRUARY)
    other = await connect(backend.url)
    await other.execute("SELECT pg_advisory_lock($1)", archiving.ARCHIVE_LOCK)
    with pytest.raises(ArchiveRefused, match="another `wallet archive` is running"):
        await archive(backend, tmp_path / "two", FEBRUARY)
    await other.close()
