"""How batches become rows: each one exactly once, however many machines collect, and whenever one of them dies."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any, Final

import asyncpg

from seamless_wallet.calls.record import CallRecord
from seamless_wallet.calls.spool import Spool
from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.stores.call_batches import NOT_STORABLE, WaitingBatch, remove_taken, waiting_batches
from seamless_wallet.stores.call_rows import CALL_COLUMNS, call_rows_of, span_of
from seamless_wallet.stores.postgres.primary import Connection
from seamless_wallet.stores.postgres_calls.calls_tables import CALLS_SQL

COLLECT_LOCK: Final = 7_230_548_167_313
"""Of the advisory lock of whoever inserts calls or deletes partitions: so ids are free, and nobody deadlocks."""

DAY_MS: Final = 86_400_000

NO_NUL: Final = str.maketrans({"\0": "\N{REPLACEMENT CHARACTER}"})
"""PostgreSQL's texts have no NUL. An id with one was refused, so nobody looks for it."""

_OF_CALLERS: Final = tuple(
    CALL_COLUMNS.index(name) for name in ("user_id", "transaction_id", "game_no", "place", "problem")
)


class BatchCollector:
    """Takes batches, and remembers which names may be forgotten: those whose files it has removed itself.

    Those of a collector that died before it came to that go by age.
    """

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._removed: list[str] = []

    async def collect(self, connection: Connection, on_broken: Callable[[str], None]) -> int:
        """Take some of the batches that are there; returns how many there were. 0: all are taken."""
        if not self._removed and next(self._spool.batches(), None) is None:
            return 0
        async with connection.transaction():
            await begin_writing(connection)
            if self._removed:
                await connection.execute(CALLS_SQL["delete_batches"], self._removed)
            with self._file_errors():
                batches = await asyncio.to_thread(lambda: list(waiting_batches(self._spool)))
            batches = await _insert_new(connection, batches)
        with self._file_errors():
            remove_taken(batches, on_broken)
        self._removed = [batch.path.name for batch in batches]
        return len(batches)

    @contextmanager
    def _file_errors(self) -> Iterator[None]:
        """Raises StoreError, which does not blame the database."""
        try:
            yield
        except OSError as error:
            raise StoreError(f"cannot take what is in {self._spool.directory}: {error}") from error


async def begin_writing(connection: Connection) -> None:
    """First in a transaction that inserts, or deletes partitions."""
    await connection.execute(CALLS_SQL["begin_writing"], COLLECT_LOCK)


async def _insert_new(connection: Connection, batches: Sequence[WaitingBatch]) -> list[WaitingBatch]:
    """Insert the calls of those batches that nobody has taken. Returns all, with what is wrong with each."""
    names = [batch.path.name for batch in batches]
    new = {name for (name,) in await connection.fetch(CALLS_SQL["insert_batches"], names)} if names else set()
    waiting = [batch for batch in batches if batch.path.name in new and batch.calls]
    if not waiting or await _refusal_of(connection, waiting) is None:
        return list(batches)
    # Each alone: only those that can never be inserted are given up.
    refusals = {batch.path.name: await _refusal_of(connection, [batch]) for batch in waiting}
    return [
        batch if (refusal := refusals.get(batch.path.name)) is None else batch.not_storable(refusal)
        for batch in batches
    ]


async def _refusal_of(connection: Connection, batches: Sequence[WaitingBatch]) -> Exception | None:
    """Insert the calls of batches, all or none; what is wrong with them if it is no use to try that again."""
    try:
        async with connection.transaction():
            await insert(connection, [batch.calls for batch in batches])
    except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, *NOT_STORABLE) as error:
        return error
    return None


async def insert(connection: Connection, batches: Sequence[Sequence[CallRecord]]) -> None:
    """Insert calls within the caller's transaction, each under a free id of its millisecond."""
    calls = list(chain.from_iterable(batches))
    await connection.execute(CALLS_SQL["add_days"], _ends_of_days(calls))
    firsts, untils = zip(*map(span_of, batches), strict=True)
    ids = dict(await connection.fetch(CALLS_SQL["taken_ids"], firsts, untils))
    rows = _as_texts(call_rows_of(calls, ids))
    await connection.copy_records_to_table("call", schema_name="calls", columns=CALL_COLUMNS, records=rows)


def _ends_of_days(calls: Iterable[CallRecord]) -> list[int]:
    """The first and the last time of each day: of a day its beginning may be gone, and its end not be there yet."""
    times: defaultdict[int, set[int]] = defaultdict(set)
    for call in calls:
        times[call.received_ms // DAY_MS].add(call.received_ms)
    return [end(of_day) for of_day in times.values() for end in (min, max)]


def _as_texts(rows: Iterator[Sequence[Any]]) -> Iterator[Sequence[Any]]:
    """The same rows, as PostgreSQL can keep them."""
    for row in rows:
        if any("\0" in row[place] for place in _OF_CALLERS):
            yield [value.translate(NO_NUL) if isinstance(value, str) else value for value in row]
        else:
            yield row
