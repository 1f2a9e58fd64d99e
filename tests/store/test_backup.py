"""A backup is one moment of a ledger in use, whole and checked, or it is not there."""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.stores.sqlite import SqliteLedger, init
from seamless_wallet.stores.sqlite.backup import LedgerCopy, back_up
from seamless_wallet.stores.sqlite.database import LOG_PAGES
from seamless_wallet.stores.sqlite.new_file import CopyRefused, NewFile
from seamless_wallet.stores.sqlite.restore import opened_backup, restore
from tests.store.backends import SHARDS
from tests.store.books import CURRENCIES, START_MS
from tests.store.test_sqlite_faults import CRASHING_WRITER

BACKENDS = ("sqlite",)

ROOT = Path(__file__).parents[2]
ENTRIES = "SELECT * FROM entry ORDER BY shard, seq"
LOG_BYTES = LOG_PAGES * 4096
BEGINNING = "SELECT * FROM entry WHERE shard = ? AND seq <= ? ORDER BY seq"


def nothing(_done: int, _total: int) -> None:
    """Nobody watches."""


def save(ledger: Path, target: Path, *, replace: bool = False, copying=nothing, checking=nothing) -> LedgerCopy:
    """Back up"""
    return back_up(ledger, target, replace=replace, copying=copying, checking=checking)


def put_back(backup: Path, ledger: Path) -> None:
    """Restore into a place without a ledger."""
    with opened_backup(backup, ledger) as source:
        restore(
            source, backup, ledger, shards=SHARDS, currencies=CURRENCIES, new_uuid="another", replace=False,
            copying=nothing, checking=nothing,
        )  # fmt: skip


def rows(path: Path, sql: str = ENTRIES, *args) -> list[tuple]:
    """What a file holds."""
    connection = sqlite3.connect(path)
    try:
        return connection.execute(sql, args).fetchall()
    finally:
        connection.close()


async def findings(path: Path) -> list:
    """What `wallet verify` says"""
    async with SqliteLedger.open(path, SHARDS, CURRENCIES) as ledger:
        return [finding async for finding in ledger.verify()]


def names(directory: Path) -> set[str]:
    """What is in a directory"""
    return {path.name for path in directory.iterdir()}


@contextmanager
def writing(path: Path):
    """Another process commits to this ledger without a pause. Yields what tells how many entries shard 0 has."""
    init(path, SHARDS, CURRENCIES)
    writer = subprocess.Popen(
        [sys.executable, "-c", CRASHING_WRITER, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )

    def reported() -> int:
        assert writer.stdout
        return int(writer.stdout.readline().split()[0])

    try:
        reported()
        yield reported
    finally:
        writer.kill()
        writer.communicate()


@pytest.fixture
async def full(store, book, other, backend):
    """The path of a ledger with entries in both shards, in use."""
    book.bet("g1", a=5, b=5)
    await store.commit([book.take(), other.take()])
    return backend.path


@pytest.fixture
def place(tmp_path):
    """A directory for backups."""
    path = tmp_path / "backups"
    path.mkdir()
    return path


async def test_a_backup_under_load_is_one_moment_and_restores_to_equal_entries(tmp_path, place):
    """While another process commits all the time: every backup is the beginning of what was committed, and whole."""
    ledger = tmp_path / "ledger.db"
    with writing(ledger) as reported:
        for number in range(3):
            before = reported()
            saved = save(ledger, place / str(number))
            assert saved.seqs[0] >= before
            assert reported() > before
        for _ in range(100):
            reported()
    for number in range(3):
        put_back(place / str(number), tmp_path / f"restored-{number}")
        restored = rows(tmp_path / f"restored-{number}")
        assert restored
        assert await findings(tmp_path / f"restored-{number}") == []
        heads = rows(place / str(number), "SELECT shard, seq FROM shard")
        assert restored == [row for shard, seq in heads for row in rows(ledger, BEGINNING, shard, seq)]


def test_a_backup_ends_although_somebody_commits_between_any_two_steps(tmp_path, place, monkeypatch):
    """Without a snapshot it would begin again each time. What is committed meanwhile is not in it."""
    monkeypatch.setattr("seamless_wallet.stores.sqlite.backup.PAGES_PER_STEP", 1)
    ledger = tmp_path / "ledger.db"
    with writing(ledger) as reported:
        for _ in range(5):
            last = reported()
        steps: list[tuple[int, int]] = []

        def copying(done: int, total: int) -> None:
            nonlocal last
            if len(steps) < 20:
                last = reported()
            steps.append((done, total))

        saved = save(ledger, place / "b", copying=copying)
    assert len({total for _, total in steps}) == 1
    assert [done for done, _ in steps] == list(range(1, steps[0][1] + 1))
    assert saved.seqs[0] < last


def test_the_log_grows_by_no_more_than_what_is_committed_meanwhile_and_is_used_again_afterwards(tmp_path, place):
    """The reader is gone with the copy: the check, which takes longer, holds nothing up."""
    ledger, log = tmp_path / "ledger.db", tmp_path / "ledger.db-wal"
    with writing(ledger) as reported:
        while log.stat().st_size < LOG_BYTES:  # SQLite begins anew at about this size
            reported()
        for number in range(5):
            save(ledger, place / str(number))
            reported()
        grown = log.stat().st_size
        deadline_s = time.monotonic() + 5
        count = reported()
        while reported() < count + 20_000 and time.monotonic() < deadline_s:
            pass
        assert log.stat().st_size <= max(grown, 2 * LOG_BYTES)
    assert grown < 32_000_000


async def test_it_says_what_was_saved(full, place):
    """UUID, the last entry of each shard, the newest entry's time, the size; only its owner may read the file."""
    told = []
    saved = save(full, place / "b", copying=lambda *args: told.append(args), checking=lambda *args: told.append(args))
    assert saved.seqs == (3, 2)
    assert saved.last_ms == START_MS
    assert saved.uuid == rows(full, "SELECT uuid FROM ledger")[0][0]
    assert saved.size_bytes == (place / "b").stat().st_size
    assert stat.S_IMODE((place / "b").stat().st_mode) == 0o600
    assert names(place) == {"b"}
    assert all(0 < done <= total for done, total in told)
    assert rows(place / "b") == rows(full)
    assert await findings(place / "b") == []


def test_a_ledger_without_entries_can_be_saved(tmp_path, place):
    """There is no last entry"""
    init(tmp_path / "ledger.db", SHARDS, CURRENCIES)
    saved = save(tmp_path / "ledger.db", place / "b")
    assert (saved.seqs, saved.last_ms) == ((0, 0), None)


def test_a_file_that_is_there_stays_unless_told_otherwise(full, place):
    """Also one that comes while the copy is made"""
    (place / "b").write_text("mine")
    with pytest.raises(CopyRefused, match=r"exists already: .*--replace"):
        save(full, place / "b")
    with pytest.raises(CopyRefused, match="exists already"):
        save(full, place / "c", copying=lambda *_: (place / "c").write_text("yours"))
    assert (place / "b").read_text() == "mine"
    assert (place / "c").read_text() == "yours"
    assert names(place) == {"b", "c"}
    save(full, place / "b", replace=True)
    assert rows(place / "b") == rows(full)


def test_a_disk_without_hard_links_takes_backups_too(full, place, monkeypatch):
    """And a file that is there stays"""

    def link(*_args, **_options):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    save(full, place / "b")
    assert names(place) == {"b"}
    with pytest.raises(CopyRefused):
        save(full, place / "c", checking=lambda *_: (place / "c").write_text("yours"))
    assert (place / "c").read_text() == "yours"


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm", ".writer.lock"])
def test_the_ledger_itself_is_never_written_over(full, suffix):
    """Nor what belongs to it, whatever the path looks like"""
    (full.parent / "link").symlink_to(full.parent)
    for target in (full, full.parent / "link" / full.name, full.parent / "backups" / ".." / full.name):
        (full.parent / "backups").mkdir(exist_ok=True)
        with pytest.raises(CopyRefused, match="is the ledger itself"):
            save(full, target.with_name(f"{target.name}{suffix}"), replace=True)


def test_a_missing_directory_and_what_is_no_file_are_refused(full, place):
    """With a line that says which"""
    with pytest.raises(CopyRefused, match=r"the directory .*/none does not exist"):
        save(full, place / "none" / "b")
    (place / "directory").mkdir()
    (place / "link").symlink_to(full)
    for name in ("directory", "link"):
        with pytest.raises(CopyRefused, match="is no plain file"):
            save(full, place / name, replace=True)
    assert names(place) == {"directory", "link"}


def test_an_unsafe_directory_is_refused(full, place):
    """Others could put a ledger of theirs in the place of the backup"""
    place.chmod(0o777)
    with pytest.raises(CopyRefused, match="is writable by everybody"):
        save(full, place / "b")
    assert names(place) == set()


@pytest.mark.parametrize("at", ["os.fdatasync", "os.fsync", "os.link"])
def test_a_full_disk_is_one_line_and_leaves_nothing(full, place, monkeypatch, at):
    """Wherever it is noticed"""

    def fails(*_args, **_options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(at, fails)
    with pytest.raises(CopyRefused, match="No space left on device; make room on that disk") as caught:
        save(full, place / "b")
    assert "\n" not in str(caught.value)
    assert names(place) == set()


def test_a_disk_that_is_full_for_sqlite_is_one_line_and_leaves_nothing(full, place):
    """A limit of the file's size stands for the disk"""
    program = (
        "import resource, signal, sys; from pathlib import Path; from tests.store.test_backup import save;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (40_960, 40_960));"
        "save(Path(sys.argv[1]), Path(sys.argv[2]))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, str(full), str(place / "b")],
        cwd=ROOT, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert "CopyRefused: cannot copy" in result.stderr
    assert "make room on that disk" in result.stderr
    assert names(place) == set()


def test_a_damaged_ledger_is_not_kept_as_a_backup(full, place, backend):
    """An older and sound backup is not replaced by it"""
    save(full, place / "b")
    sound = (place / "b").read_bytes()
    assert backend.tamper("UPDATE wallet SET balance = balance + 1") == 2
    with pytest.raises(CopyRefused, match=r"does not hold together.*findings, the first is: shard 0, entry 3: "):
        save(full, place / "b", replace=True)
    assert (place / "b").read_bytes() == sound
    assert names(place) == {"b"}


@pytest.mark.parametrize(("version", "why"), [(99, "newer version"), (0, "back it up with the version that made it")])
def test_a_ledger_of_another_version_is_refused(full, place, backend, version, why):
    """It could not be checked"""
    backend.tamper("UPDATE ledger SET schema_version = ?", version or -1)
    with pytest.raises(StoreError, match=why):
        save(full, place / "b")
    assert names(place) == set()


def test_without_a_ledger_there_is_no_backup(tmp_path, place):
    """And none is made"""
    with pytest.raises(StoreError, match=r"there is no ledger at .*/none"):
        save(tmp_path / "none", place / "b")
    (tmp_path / "text").write_text("no database" * 100)
    with pytest.raises(StoreError, match="file is not a database"):
        save(tmp_path / "text", place / "b")
    assert names(place) == set()


def test_one_process_at_a_time_writes_a_backup(full, place):
    """Another one with the same name is refused, and disturbs nothing"""
    with NewFile(place / "b", replace=True) as first:
        first.path.write_text("half")
        with pytest.raises(CopyRefused, match="another process is writing"):
            save(full, place / "b")
        first.publish()
    assert (place / "b").read_text() == "half"
    assert names(place) == {"b"}


def test_a_published_file_that_still_has_its_temporary_name_is_left_whole(full, place):
    """A kill between the two names: the next run removes the other name only"""
    save(full, place / "b")
    os.link(place / "b", place / ".b.partial")
    sound = (place / "b").read_bytes()
    with pytest.raises(CopyRefused):
        save(full, place / "b")
    assert (place / "b").read_bytes() == sound
    assert names(place) == {"b"}
