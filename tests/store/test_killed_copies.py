"""SIGKILL at every step of a backup and of a restore: nothing is lost, and the same command again ends it."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.stores.sqlite import SqliteLedger, backup, init
from seamless_wallet.stores.sqlite.new_file import CopyRefused
from tests.store.backends import SHARDS
from tests.store.books import CURRENCIES, Book
from tests.store.test_backup import ROOT, findings, names, rows, save
from tests.store.test_restore import put_back, uuid_of

BACKENDS = ("sqlite",)

STEPS = {"open", "os.link", "os.remove", "os.rename", "sqlite3.connect", "fcntl.flock", "fcntl.lockf", "test.step"}
"""Audit events before which a process is killed, if they are about the directory of the test."""


def step(*_: object) -> None:
    """Something that the interpreter does not audit is about to happen."""
    sys.audit("test.step")


def synced(real: Callable[[int], None], descriptor: int) -> None:
    """A call of fsync that is a step"""
    step()
    real(descriptor)


def is_killed_at(number: int, directory: Path, act: Callable[[], object]) -> bool:
    """Do something in a process that is killed before its step of this number. False if it has fewer."""
    pid = os.fork()
    if pid:
        _, status = os.waitpid(pid, 0)
        assert status in {0, signal.SIGKILL}, status
        return status == signal.SIGKILL
    seen = 0

    def kill(event: str, words: tuple) -> None:
        nonlocal seen
        if event in STEPS and (event.startswith(("fcntl", "test")) or str(directory) in str(words)):
            seen += 1
            if seen == number:
                os.kill(os.getpid(), signal.SIGKILL)

    for name in ("fsync", "fdatasync"):
        setattr(os, name, partial(synced, getattr(os, name)))
    backup.PAGES_PER_STEP = 16  # type: ignore[misc]
    sys.addaudithook(kill)
    try:
        act()
    except BaseException as error:  # noqa: BLE001 - this process ends here
        print(repr(error), file=sys.stderr, flush=True)
        os._exit(1)
    os._exit(0)


async def made(path: Path, crashed: Path | None = None) -> None:
    """A ledger with entries, or what a crash leaves of it: then the last ones are in the log only."""
    init(path, SHARDS, CURRENCIES)
    async with SqliteLedger.open(path) as store:
        store.acquire_lease()
        await store.take_over("nonce-1", range(SHARDS), 0)
        await store.open_epoch(0, 0, 1, "run", "repl", "")
        book = Book(0, SHARDS)
        book.create()
        book.deposit(10_000)
        for number in range(40):
            book.bet(f"g{number}", a=1)
        await store.commit([book.take()])
        save(path, path.with_name("backup"))
        book.deposit(1)
        await store.commit([book.take()])
        if crashed:
            for suffix in ("", "-wal"):
                shutil.copy(f"{path}{suffix}", f"{crashed}{suffix}")


def kill_backups(directory: Path) -> int:
    """Returns the number of steps."""
    ledger = directory / "ledger.db"
    asyncio.run(made(ledger))
    expected = rows(ledger)
    for number in range(1, 1_000):
        place = directory / str(number)
        place.mkdir()
        killed = is_killed_at(number, directory, partial(save, ledger, place / "b", copying=step))
        assert rows(ledger) == expected
        if (place / "b").exists():
            assert rows(place / "b") == expected
            with pytest.raises(CopyRefused, match="exists already"):
                save(ledger, place / "b")
        else:
            assert killed
            save(ledger, place / "b")
            assert rows(place / "b") == expected
        assert names(place) == {"b"}
        if not killed:
            return number - 1
    raise AssertionError("there is no end")


def kill_restores(directory: Path) -> int:
    """Returns the number of steps."""
    source, crashed = directory / "source.db", directory / "ledger.db"
    asyncio.run(made(source, crashed))
    old_uuid, old_rows, new_rows = uuid_of(source), rows(source), rows(directory / "backup")
    assert len(old_rows) == len(new_rows) + 1
    for number in range(1, 1_000):
        place = directory / str(number)
        place.mkdir()
        ledger = place / "ledger.db"
        for suffix in ("", "-wal"):
            shutil.copy(f"{crashed}{suffix}", place)
        again = partial(put_back, directory / "backup", ledger, replace=True, copying=step)
        killed = is_killed_at(number, directory, again)
        is_done = check_what_is_there(ledger, old_uuid, old_rows, new_rows)
        assert is_done or killed
        if not is_done:
            again()
            assert rows(ledger) == new_rows
        assert uuid_of(ledger) != old_uuid
        assert asyncio.run(findings(ledger)) == []
        (kept,) = (path for path in place.glob("*.replaced-*") if not path.name.endswith(("-wal", "-shm")))
        assert rows(kept) == old_rows
        assert not [name for name in names(place) if "partial" in name or name.endswith(".restoring")]
        if not killed:
            return number - 1
    raise AssertionError("there is no end")


def check_what_is_there(ledger: Path, old_uuid: str, old_rows: list, new_rows: list) -> bool:
    """The old ledger, whole; or the new one, whole; or a refusal. Whether it is the new one."""
    try:
        store = SqliteLedger.open(ledger, SHARDS, CURRENCIES)
    except StoreError as error:
        assert "was interrupted: run `wallet restore` again" in str(error)  # noqa: PT017 - both ends are right
        with pytest.raises(StoreError, match="was interrupted"):
            init(ledger, SHARDS, CURRENCIES)
        return False
    asyncio.run(store.close())
    assert rows(ledger) == (old_rows if store.uuid == old_uuid else new_rows)
    return store.uuid != old_uuid


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("name", "steps_min"), [("kill_backups", 20), ("kill_restores", 30)])
def test_a_kill_at_any_step_loses_nothing_and_the_same_command_again_ends_it(tmp_path, name, steps_min):
    """Each step in turn, until there are no more. In a process without threads, as it forks."""
    program = (
        "import sys; from pathlib import Path; from tests.store import test_killed_copies; "
        f"print(test_killed_copies.{name}(Path(sys.argv[1])))"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    result = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    steps = int(result.stdout.split()[-1])
    print(f"{name}: {steps} steps")
    assert steps >= steps_min
