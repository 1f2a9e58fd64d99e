"""Look-ups of events, those of one turn of the event loop in one statement: a snapshot for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, NamedTuple

from seamless_wallet.commands import Command, round_digest
from seamless_wallet.ledger.bets import Bet, parse_bet
from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.ledger.records import EventRecord, LedgerLookup
from seamless_wallet.stores.postgres.connection import Connection
from seamless_wallet.stores.postgres.connections import Connections
from seamless_wallet.stores.postgres.row_forms import wallet_of
from seamless_wallet.stores.postgres.sql import READ_SQL

TOGETHER_MAX: Final = 100
"""Look-ups of one statement."""


class _Asked(NamedTuple):
    shard: int
    command: Command
    digest: bytes
    answer: asyncio.Future[LedgerLookup]


class Lookups:
    """Gathers what is looked up until the loop has turned, and asks for it."""

    def __init__(self, connections: Connections, shards: int) -> None:
        self._connections = connections
        self._shards = shards
        self._asked: list[_Asked] = []
        self._asking: set[asyncio.Task[None]] = set()

    async def lookup(self, shard: int, command: Command, digest: bytes) -> LedgerLookup:
        """One event, and what is known of the bets that it names. Raises StoreError."""
        loop = asyncio.get_running_loop()
        asked = _Asked(shard, command, digest, loop.create_future())
        if not self._asked:
            loop.call_soon(self._ask)
        self._asked.append(asked)
        return await asked.answer

    def _ask(self) -> None:
        asked, self._asked = self._asked, []
        for start in range(0, len(asked), TOGETHER_MAX):
            task = asyncio.ensure_future(self._answer(asked[start : start + TOGETHER_MAX]))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)

    async def _answer(self, asked: Sequence[_Asked]) -> None:
        try:
            found = await self._connections.read(_look_up, self._shards, asked)
        except StoreError as error:
            for each in asked:
                if not each.answer.done():
                    each.answer.set_exception(StoreError(str(error)))
        else:
            for each, lookup in zip(asked, found, strict=True):
                if not each.answer.done():
                    each.answer.set_result(lookup)
        finally:
            for each in asked:
                each.answer.cancel()  # of those that are not done: something unforeseen was raised


async def _look_up(connection: Connection, shards: int, asked: Sequence[_Asked]) -> list[LedgerLookup]:
    named = [
        (number, each.command.user_id, round_digest(each.command), item.bet_index)
        for number, each in enumerate(asked)
        for item in each.command.items
    ]
    numbers, users, digests, indexes = zip(*named, strict=True) if named else ((), (), (), ())
    rows = await connection.fetch(
        READ_SQL["lookups"],
        range(len(asked)),
        [each.shard for each in asked],
        [each.command.user_id for each in asked],
        [each.digest for each in asked],
        numbers,
        users,
        digests,
        indexes,
    )
    bets: list[dict[str, Bet]] = [{} for _ in asked]
    found: list[LedgerLookup | None] = [None] * len(asked)
    for row in rows:
        number, epoch, seq = row[:3]
        if epoch is None:
            bets[number][row["bet_index"]] = parse_bet(row["state"])
            continue
        wallet = wallet_of(row[3:12], shards).wallet if row["player"] is not None else None
        record = None
        if row["entry"] is not None:
            record = EventRecord(asked[number].digest, row["fingerprint"], row["entry"] // shards)
        found[number] = LedgerLookup(epoch, seq, wallet, record, bets[number])
    answers = [lookup for lookup in found if lookup is not None]
    if len(answers) != len(asked):
        raise StoreError("the ledger has no such shard")
    return answers
