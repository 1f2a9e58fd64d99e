"""The asynchronous face of the audit log. One thread writes: what waits meanwhile is one transaction, and one sync."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import msgspec

from seamless_wallet.actions.ports import Action, ActionOutcome, ActionsQuery, StoredAction
from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.stores.sqlite.database import transaction
from seamless_wallet.stores.sqlite_actions.actions_file import ACTIONS_SQL, connect_actions

Result = TypeVar("Result")

TIME_BITS: Final = 20
"""Bits of an id below the time of its action."""

ACTION_ID_MAX: Final = 2**63 - 1
BATCH_ROWS: Final = 256
"""In one transaction."""

_ACTION_FIELDS: Final = len(Action.__struct_fields__)


class SqliteActions:
    """The audit log in a file. An asynchronous context manager."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._executor = ThreadPoolExecutor(1, "audit log")
        self._connection: sqlite3.Connection | None = None
        self._waiting: list[tuple[Action | tuple[int, ActionOutcome], asyncio.Future[int]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._writing is not None:
            await asyncio.gather(self._writing, return_exceptions=True)
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._executor, self._drop)
        await loop.run_in_executor(None, self._executor.shutdown)

    async def begin(self, action: Action) -> int:
        """Record an action, on disk when this returns; its id. Raises StoreError."""
        return await self._write(action)

    async def end(self, action_id: int, outcome: ActionOutcome) -> None:
        """Record what came of it. Raises StoreError."""
        await self._write((action_id, outcome))

    async def find(self, query: ActionsQuery) -> Sequence[StoredAction]:
        """Actions, newest first. Raises StoreError."""
        return await self._run(lambda connection: _find(connection, query))

    async def prune(self, before_ms: int) -> bool:
        """One step of deleting what is older. Returns whether there may be more to delete. Raises StoreError."""
        return await self._run(lambda connection: _prune(connection, before_ms << TIME_BITS))

    async def _write(self, row: Action | tuple[int, ActionOutcome]) -> int:
        written: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append((row, written))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_waiting())
        return await written

    async def _write_waiting(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:BATCH_ROWS], self._waiting[BATCH_ROWS:]
            rows = [row for row, _ in batch]
            outcome: list[int] | StoreError
            try:
                outcome = await self._run(partial(_insert, rows))
            except StoreError as error:
                outcome = error
            for place, (_, written) in enumerate(batch):
                if written.done():  # whoever waited for it has gone
                    continue
                if isinstance(outcome, StoreError):
                    written.set_exception(outcome)
                else:
                    written.set_result(outcome[place])

    async def _run(self, job: Callable[[sqlite3.Connection], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._guarded, job)

    def _guarded(self, job: Callable[[sqlite3.Connection], Result]) -> Result:
        try:
            if self._connection is None:
                self._connection = connect_actions(self._path)
            return job(self._connection)
        except (sqlite3.Error, OSError) as error:
            self._drop()
            if isinstance(error, StoreError):
                raise
            raise StoreError(f"the audit log {self._path} failed: {error}") from error

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _insert(rows: Sequence[Action | tuple[int, ActionOutcome]], connection: sqlite3.Connection) -> list[int]:
    """The ids of the actions, in one transaction."""
    ids = []
    with transaction(connection, "IMMEDIATE"):
        for row in rows:
            if isinstance(row, Action):
                values = (row.started_ms << TIME_BITS, *msgspec.structs.astuple(row))
                ((action_id,),) = connection.execute(ACTIONS_SQL["insert_action"], values).fetchall()
            else:
                action_id, outcome = row
                connection.execute(ACTIONS_SQL["insert_outcome"], (action_id, *msgspec.structs.astuple(outcome)))
            ids.append(action_id)
    return ids


def _find(connection: sqlite3.Connection, query: ActionsQuery) -> list[StoredAction]:
    """The conditions are fixed texts; what people write is only ever a parameter."""
    before = ACTION_ID_MAX if query.to_ms is None else min(ACTION_ID_MAX, query.to_ms << TIME_BITS)
    if query.before_id is not None:
        before = min(before, query.before_id)
    conditions = {"actor": query.actor, "user_id": query.user_id, "action": query.action}
    chosen = {name: value for name, value in conditions.items() if value}
    where = ["id >= ?", "id < ?", *(f"{name} = ?" for name in chosen)]
    if query.user_id:
        where.append("user_id <> ''")  # as the index has it
    values = (min(ACTION_ID_MAX, query.from_ms << TIME_BITS), before, *chosen.values(), query.limit)
    sql = f"SELECT * FROM action LEFT JOIN outcome USING (id) WHERE {' AND '.join(where)} ORDER BY id DESC LIMIT ?"  # noqa: S608 - of fixed texts
    return [_stored(row) for row in connection.execute(sql, values)]


def _stored(row: tuple[Any, ...]) -> StoredAction:
    action_id, *values = row
    outcome = values[_ACTION_FIELDS:]
    return StoredAction(
        action_id, Action(*values[:_ACTION_FIELDS]), None if outcome[0] is None else ActionOutcome(*outcome)
    )


def _prune(connection: sqlite3.Connection, before: int) -> bool:
    with transaction(connection, "IMMEDIATE"):
        connection.execute(ACTIONS_SQL["delete_outcomes"], (before, BATCH_ROWS))
        return connection.execute(ACTIONS_SQL["delete_actions"], (before, BATCH_ROWS)).rowcount == BATCH_ROWS
