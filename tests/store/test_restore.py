"""A restore puts a sound backup in the place of the ledger, or leaves the ledger as it was."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from seamless_wallet.ledger.ports import LeaseHeld, StoreError
from seamless_wallet.stores.sqlite import SqliteLedger, init
from seamless_wallet.stores.sqlite.database import check_files
from seamless_wallet.stores.sqlite.new_file import CopyRefused
from seamless_wallet.stores.sqlite.restore import Restored, opened_backup, restore
from seamless_wallet.stores.sqlite.sql import MIGRATIONS
from tests.store.backends import SHARDS
from tests.store.books import CURRENCIES
from tests.store.test_backup import ROOT, findings, names, nothing, rows, save

NEW_UUID = "00000000-0000-4000-8000-000000000001"


def put_back(backup: Path, ledger: Path, *, replace: bool = False, new_uuid: str = NEW_UUID, **changes) -> Restored:
    """Restore"""
    settings = {"shards": SHARDS, "currencies": CURRENCIES, "copying": nothing, "checking": nothing, **changes}
    with opened_backup(backup, ledger) as source:
        return restore(source, backup, ledger, new_uuid=new_uuid, replace=replace, **settings)


def uuid_of(path: Path) -> str:
    """Which ledger a file is"""
    return rows(path, "SELECT uuid FROM ledger")[0][0]


@pytest.fixture
async def saved(store, book, other, backend, tmp_path):
    """A backup with three entries of a ledger that has gone on since, and is closed."""
    place = tmp_path / "backups"
    place.mkdir()
    book.bet("g1", a=5)
    await store.commit([book.take()])
    save(backend.path, place / "b")
    await store.commit([other.take()])
    await store.close()
    return place / "b"


@pytest.fixture
def ledger(saved, backend):
    """The path of that ledger."""
    return backend.path


async def test_a_backup_takes_the_place_of_the_ledger_under_another_uuid(saved, ledger):
    """The old one is kept as it was; both are whole. In the new one entries can be committed"""
    old_uuid, old_rows = uuid_of(ledger), rows(ledger)
    restored = put_back(saved, ledger, replace=True)
    assert restored.kept
    assert names(ledger.parent) == {"backups", ledger.name, restored.kept.name, "ledger.db.writer.lock"}
    assert restored.copy.uuid == uuid_of(ledger) == NEW_UUID
    assert uuid_of(saved) == old_uuid
    assert restored.copy.seqs == (3, 0)
    assert rows(ledger) == rows(saved) == old_rows[:3]
    assert await findings(ledger) == []
    assert restored.kept.name.startswith("ledger.db.replaced-2")
    assert uuid_of(restored.kept) == old_uuid
    assert rows(restored.kept) == old_rows
    assert ledger.stat().st_mode & 0o777 == 0o600
    async with SqliteLedger.open(ledger, SHARDS, CURRENCIES) as store:
        store.acquire_lease()
        await store.take_over("nonce-2", range(SHARDS), 0)
        assert await store.open_epoch(0, 1, 2, "run", "repl", "") is not None


def test_where_there_is_no_ledger_one_is_made(saved, tmp_path):
    """On another machine"""
    directory = tmp_path / "new"
    directory.mkdir()
    assert put_back(saved, directory / "ledger.db").kept is None
    assert rows(directory / "ledger.db") == rows(saved)
    assert names(directory) == {"ledger.db", "ledger.db.writer.lock"}
    with pytest.raises(StoreError):
        put_back(saved, tmp_path / "none" / "ledger.db")


def test_a_ledger_that_is_there_stays_unless_told_otherwise(saved, ledger):
    """And nothing was begun"""
    before, there = ledger.read_bytes(), names(ledger.parent)
    with pytest.raises(CopyRefused, match=r"there is a ledger at .*: pass --replace .*; the old one is kept"):
        put_back(saved, ledger)
    assert ledger.read_bytes() == before
    assert names(ledger.parent) == there


def test_a_backup_may_come_through_a_pipe(saved, ledger):
    """As from a program that unpacks it"""
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb") as pipe:  # a pipe takes 64 KiB at once; the ledger of the test has more
        feeder = subprocess.Popen(["cat", str(saved)], stdout=pipe)
    try:
        restored = put_back(Path(f"/proc/self/fd/{reader}"), ledger, replace=True)
    finally:
        os.close(reader)
        feeder.wait()
    assert restored.copy.seqs == (3, 0)


HOLDERS = {
    "the writer": ("store.acquire_lease()", "is the writer of"),
    "a reader": ("", "a process has the ledger .* open"),
}


@pytest.mark.parametrize(("act", "why"), HOLDERS.values(), ids=HOLDERS)
def test_a_ledger_in_use_is_refused(saved, ledger, act, why):
    """By the writer, or by whoever has it open, such as a worker that does nothing"""
    program = f"""
import asyncio, sys
from seamless_wallet.stores.sqlite import SqliteLedger

BACKENDS = ("sqlite",)
async def main():
    store = SqliteLedger.open(sys.argv[1])
    {act}
    await store.heads()
    print("open", flush=True)
    sys.stdin.read()
asyncio.run(main())
"""
    before = ledger.read_bytes()
    holder = subprocess.Popen(
        [sys.executable, "-c", program, str(ledger)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout
    try:
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(StoreError, match=why) as caught:
            put_back(saved, ledger, replace=True)
        assert isinstance(caught.value, LeaseHeld if act else CopyRefused)
    finally:
        holder.kill()
        holder.communicate()
    assert ledger.read_bytes() == before
    assert put_back(saved, ledger, replace=True).kept


def damage_page(path: Path) -> None:
    """As a bad disk would"""
    raw = bytearray(path.read_bytes())
    raw[4096 * 3 : 4096 * 4] = b"\xaa" * 4096
    path.write_bytes(raw)


def cut(path: Path) -> None:
    """As a copy that was interrupted"""
    os.truncate(path, path.stat().st_size // 2)


def change(sql: str) -> Callable[[Path], None]:
    """As somebody who writes past the program"""

    def act(path: Path) -> None:
        connection = sqlite3.connect(path, isolation_level=None)
        for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute(sql)
        connection.close()

    return act


def write(content: bytes) -> Callable[[Path], None]:
    """Another file under the name of the backup"""

    def act(path: Path) -> None:
        path.write_bytes(content)

    return act


BAD = {
    "a page is noise": (damage_page, "is damaged: .*; restore another|does not hold together"),
    "the second half is missing": (cut, "is damaged: .*; restore another|does not hold together"),
    "a balance was changed": (change("UPDATE wallet SET balance = balance + 1"), "2 findings, the first is: shard 0"),
    "an entry is missing": (change("DELETE FROM entry WHERE seq = 2"), "findings, the first is: shard 0"),
    "a newer version made it": (change("UPDATE ledger SET schema_version = 99"), "created by a newer version"),
    "it does not say what it is": (change("DELETE FROM ledger"), "is damaged: .*; restore another"),
    "it has other shards": (change("UPDATE ledger SET shards = 3"), "has 3 shards and the settings say 2: .*set it ba"),
    "it is empty": (write(b""), "is not a backup of a ledger: correct the path"),
    "it is text": (write(b"no ledger " * 1_000), "is damaged: file is not a database"),
}


@pytest.mark.parametrize(("act", "why"), BAD.values(), ids=BAD)
def test_a_bad_backup_is_refused_before_anything_is_touched(saved, ledger, act, why):
    """With one line that names it"""
    act(saved)
    before, there = ledger.read_bytes(), names(ledger.parent)
    with pytest.raises(StoreError, match=why) as caught:
        put_back(saved, ledger, replace=True)
    assert str(saved) in str(caught.value)
    assert "partial" not in str(caught.value)
    assert ledger.read_bytes() == before
    assert names(ledger.parent) == there


def test_a_backup_in_a_currency_that_the_settings_do_not_have_is_refused(saved, ledger):
    """A currency that it does not have is added"""
    with pytest.raises(StoreError, match="backups/b has players in KRW; add KRW to \\[currencies\\]"):
        put_back(saved, ledger, replace=True, currencies={"USD": 2})
    put_back(saved, ledger, replace=True, currencies={"KRW": 2, "EUR": 2})
    SqliteLedger.open(ledger, SHARDS, {"KRW": 2, "EUR": 2})


def test_a_backup_of_an_older_version_gets_the_tables_of_today(saved, ledger, monkeypatch):
    """As by `wallet init`, before it is checked"""
    room = "seamless_wallet.stores.sqlite"
    later = len(MIGRATIONS) + 1
    monkeypatch.setattr(f"{room}.setup.MIGRATIONS", [*MIGRATIONS, (later, "CREATE TABLE later (id INTEGER);")])
    for module in ("setup", "backup", "restore"):
        monkeypatch.setattr(f"{room}.{module}.SCHEMA_VERSION", later)
    put_back(saved, ledger, replace=True)
    assert rows(ledger, "SELECT * FROM later") == []
    assert rows(ledger, "SELECT schema_version FROM ledger") == [(later,)]
    assert rows(ledger) == rows(saved)


def test_what_is_no_backup_or_not_safe_is_refused(saved, ledger, tmp_path):
    """A missing file, the ledger itself, a file with a log, a file that everybody may write"""
    with pytest.raises(CopyRefused, match=r"there is no backup at .*/none"):
        put_back(tmp_path / "none", ledger, replace=True)
    with pytest.raises(CopyRefused, match="is the ledger itself"):
        put_back(ledger, ledger, replace=True)
    log = saved.with_name("b-wal")
    log.write_text("frames")
    with pytest.raises(CopyRefused, match=r"a part of it is in b-wal; .*`wallet backup`"):
        put_back(saved, ledger, replace=True)
    log.unlink()
    saved.chmod(0o666)
    with pytest.raises(CopyRefused, match="is writable by everybody"):
        put_back(saved, ledger, replace=True)
    saved.chmod(0o600)
    saved.parent.chmod(0o777)
    with pytest.raises(CopyRefused, match="is writable by everybody"):
        put_back(saved, ledger, replace=True)


def test_an_unsafe_directory_of_the_ledger_is_refused(saved, ledger):
    """Nothing is written into it"""
    there = names(ledger.parent)
    ledger.parent.chmod(0o777)
    with pytest.raises(StoreError, match="is writable by everybody"):
        put_back(saved, ledger, replace=True)
    ledger.parent.chmod(0o700)
    assert names(ledger.parent) == there


def test_a_full_disk_is_one_line_and_leaves_the_ledger(saved, ledger, monkeypatch):
    """Nothing was touched yet"""
    before, there = ledger.read_bytes(), names(ledger.parent)

    def fails(*_args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(StoreError, match="No space left on device") as caught:
        put_back(saved, ledger, replace=True)
    assert "\n" not in str(caught.value)
    assert ledger.read_bytes() == before
    assert names(ledger.parent) == there


def test_a_ledger_that_sqlite_could_not_finish_is_not_used(saved, ledger, monkeypatch):
    """Its UUID would be that of the backup: the new one is in a log that is left behind"""
    before, others = ledger.read_bytes(), []

    def init_and_stay(path: Path, *words) -> str:
        uuid = init(path, *words)
        others.append(sqlite3.connect(path))
        others[0].execute("SELECT * FROM ledger").fetchall()
        return uuid

    monkeypatch.setattr("seamless_wallet.stores.sqlite.restore.init", init_and_stay)
    with pytest.raises(CopyRefused, match="a part of it stayed in its log"):
        put_back(saved, ledger, replace=True)
    others[0].close()
    assert ledger.read_bytes() == before
    assert not [name for name in names(ledger.parent) if "restoring" in name]


@pytest.fixture
async def crashed(backend, store, book, saved, tmp_path):
    """A copy of the ledger as a crash leaves it: its last entries are in the log only. And what it holds"""
    async with SqliteLedger.open(backend.path) as again:
        again.acquire_lease()
        await again.take_over("again", range(SHARDS), 0)
        book.deposit(1)
        await again.commit([book.take()])
        place = tmp_path / "crashed"
        place.mkdir()
        for suffix in ("", "-wal"):
            shutil.copy(f"{backend.path}{suffix}", place)
        return place / backend.path.name, rows(backend.path)


def test_a_ledger_that_was_not_closed_is_kept_with_its_log(saved, crashed):
    """The new ledger never sees that log"""
    ledger, expected = crashed
    restored = put_back(saved, ledger, replace=True)
    assert restored.kept
    assert Path(f"{restored.kept}-wal").stat().st_size
    assert rows(restored.kept) == expected
    assert rows(ledger) == rows(saved)
    assert not Path(f"{ledger}-wal").exists()


def test_a_log_without_a_ledger_is_moved_away(saved, ledger):
    """It would be read into the new one"""
    ledger.unlink()
    Path(f"{ledger}-wal").write_bytes(b"frames")
    restored = put_back(saved, ledger)
    assert restored.kept
    assert Path(f"{restored.kept}-wal").read_bytes() == b"frames"
    assert rows(ledger) == rows(saved)


def test_a_damaged_ledger_can_be_replaced(saved, ledger):
    """It is what backups are for"""
    ledger.write_bytes(b"noise" * 10_000)
    restored = put_back(saved, ledger, replace=True)
    assert restored.kept
    assert restored.kept.read_bytes() == b"noise" * 10_000
    assert rows(ledger) == rows(saved)


def test_a_link_to_the_ledger_stays(saved, ledger, tmp_path):
    """The ledger may be on another disk"""
    (tmp_path / "far").mkdir()
    ledger.rename(tmp_path / "far" / "real.db")
    ledger.symlink_to(tmp_path / "far" / "real.db")
    restored = put_back(saved, ledger, replace=True)
    assert ledger.is_symlink()
    assert restored.kept
    assert restored.kept.parent == tmp_path / "far"
    assert rows(tmp_path / "far" / "real.db") == rows(saved)


def test_between_two_renames_nothing_opens_the_ledger(saved, ledger, monkeypatch):
    """Not even where there is none to be seen: a new and empty one would be made. A restore ends it"""
    expected = rows(ledger)
    real_rename = os.rename

    def fails_at_the_end(source, target, **options):
        if str(source).endswith(".restoring"):
            raise OSError(errno.EIO, "Input/output error")
        real_rename(source, target, **options)

    monkeypatch.setattr(os, "rename", fails_at_the_end)
    with pytest.raises(CopyRefused, match="Input/output error"):
        put_back(saved, ledger, replace=True)
    assert not ledger.exists()
    for act in (
        lambda: check_files(ledger),
        lambda: init(ledger, SHARDS, CURRENCIES),
        lambda: save(ledger, saved.with_name("c")),
    ):
        with pytest.raises(StoreError, match=r"the restore of the ledger .* was interrupted: run `wallet restore` aga"):
            act()
    assert not ledger.exists()
    monkeypatch.undo()
    put_back(saved, ledger)
    assert rows(ledger) == rows(saved)
    (kept,) = ledger.parent.glob("*.replaced-*")
    assert rows(kept) == expected
