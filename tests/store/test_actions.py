"""The file of the audit log: on disk before anything is done, never changed, forgotten after its time."""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from seamless_wallet.actions.ports import Action, ActionOutcome, ActionsQuery
from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.processes.action_log import kept_actions
from seamless_wallet.processes.system_ports import SystemClock
from seamless_wallet.settings import load_settings
from seamless_wallet.stores.sqlite_actions import SqliteActions
from seamless_wallet.stores.sqlite_actions.actions_file import connect_actions
from tests.integration.waiting import until

DONE = ActionOutcome(2_000, 201, "", "{}")


def action(started_ms: int = 1_000, **changes: str) -> Action:
    """A deposit for ann."""
    given = {
        "actor": "money",
        "role": "money",
        "peer": "192.0.2.7",
        "action": "deposit",
        "method": "POST",
        "path": "/v1/players/ann/deposits",
        "user_id": "ann",
        "key": "k",
        "parameters": "{}",
        "reason": "",
    }
    return Action(started_ms=started_ms, **{**given, **changes})


async def test_what_was_recorded_is_there_for_the_next_process(tmp_path: Path):
    """Private, and with its outcome, if there is one."""
    path = tmp_path / "audit.db"
    async with SqliteActions(path) as actions:
        first, second = await actions.begin(action()), await actions.begin(action(reason="again"))
        await actions.end(first, DONE)
    assert path.stat().st_mode & 0o777 == 0o600
    async with SqliteActions(path) as actions:
        newest, oldest = await actions.find(ActionsQuery())
    assert (newest.id, newest.action, newest.outcome) == (second, action(reason="again"), None)
    assert (oldest.id, oldest.action, oldest.outcome) == (first, action(), DONE)


async def test_two_processes_may_record_at_once(tmp_path: Path):
    """While one follows the other: each action has an id of its own, also many of one millisecond."""
    async with SqliteActions(tmp_path / "audit.db") as one, SqliteActions(tmp_path / "audit.db") as other:
        ids = await asyncio.gather(*(log.begin(action()) for _ in range(50) for log in (one, other)))
        assert len(set(ids)) == 100
        assert len(await one.find(ActionsQuery(limit=500))) == 100


def test_many_may_make_the_file_at_once(tmp_path: Path):
    """SQLite itself does not wait while another one turns the log on."""

    def opened(directory: Path) -> None:
        connect_actions(directory / "audit.db").close()

    with ThreadPoolExecutor(4) as threads:
        for number in range(30):
            directory = tmp_path / str(number)
            directory.mkdir(mode=0o700)
            list(threads.map(opened, [directory] * 4))


async def test_nothing_that_is_recorded_can_be_changed(tmp_path: Path):
    """By mistake: whoever may write the file can do anything with it."""
    path = tmp_path / "audit.db"
    async with SqliteActions(path) as actions:
        await actions.end(await actions.begin(action()), DONE)
        with sqlite3.connect(path) as connection:
            for change in ("UPDATE action SET actor = 'x'", "UPDATE outcome SET status = 1"):
                with pytest.raises(sqlite3.IntegrityError, match="never changed"):
                    connection.execute(change)
        connection.close()
        with pytest.raises(StoreError, match="UNIQUE"):
            await actions.end((await actions.find(ActionsQuery()))[0].id, DONE)


async def test_what_is_old_is_forgotten_with_its_outcome(tmp_path: Path):
    """And nothing that is younger."""
    async with SqliteActions(tmp_path / "audit.db") as actions:
        for started_ms in (1_000, 2_000):
            await actions.end(await actions.begin(action(started_ms)), DONE)
        assert not await actions.prune(1_500)
        (left,) = await actions.find(ActionsQuery())
        assert (left.action.started_ms, left.outcome) == (2_000, DONE)


async def test_a_file_that_cannot_be_had_is_an_error_and_is_tried_again(tmp_path: Path):
    """Nothing is recorded meanwhile, and everything afterwards."""
    path = tmp_path / "gone" / "audit.db"
    async with SqliteActions(path) as actions:
        with pytest.raises(StoreError, match="audit log"):
            await actions.begin(action())
        path.parent.mkdir()
        assert await actions.begin(action())


async def test_who_goes_while_it_is_recorded_leaves_the_others_alone(tmp_path: Path):
    """A request that is cancelled is recorded, or not; the ones beside it are."""
    async with SqliteActions(tmp_path / "audit.db") as actions:
        going, staying = (asyncio.create_task(actions.begin(action())) for _ in range(2))
        await asyncio.sleep(0)
        going.cancel()
        assert await staying


async def test_the_admin_process_forgets_what_the_settings_do_not_keep(tmp_path: Path):
    """At its start, and then every hour."""
    settings = load_settings({"WALLET_DATA_DIR": str(tmp_path), "WALLET_AUDIT_YEARS": "1"})
    now_ms = SystemClock().now_ms()
    async with SqliteActions(settings.audit_path) as actions:
        for days in (400, 10):
            await actions.begin(action(now_ms - days * 86_400_000))
    async with kept_actions(settings, SystemClock()) as actions:

        async def is_forgotten() -> bool:
            return len(await actions.find(ActionsQuery())) == 1

        await until(is_forgotten)
