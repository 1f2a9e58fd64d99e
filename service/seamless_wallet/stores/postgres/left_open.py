"""What plays now: open bets and sessions of all players, and the server's clock.

The index of open bets is by player: all of them are looked at, and the entries of the old ones alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from seamless_wallet.ledger.bets import parse_bet
from seamless_wallet.ledger.records import LeftOpenQuery, LeftOpenRound, OpenBets, PlayedRound
from seamless_wallet.stores.bounds import DISORDER_MS
from seamless_wallet.stores.postgres.primary import Connection
from seamless_wallet.stores.postgres.sql import READ_SQL

INDEX_ONLY: Final = "SET LOCAL enable_seqscan = off"
"""A planner that knows the table badly would read all bets that there ever were."""


async def left_open(connection: Connection, shards: int, query: LeftOpenQuery) -> Sequence[LeftOpenRound]:
    """Rounds of all players with bets that were placed before a time and are open, the first ones first.

    Raises ValueError for a place that is none.
    """
    after_ms, _, after_entry = (query.after or "-1.0").partition(".")
    await connection.execute(INDEX_ONLY)
    rows = await connection.fetch(
        READ_SQL["left_open"],
        shards,
        query.before_ms,
        query.before_ms + DISORDER_MS,
        int(after_ms),
        int(after_entry or 0),
        query.provider,
        query.limit,
    )
    found = []
    for entry, player, key, provider, game_no, placed_ms, user_id, currency in rows:
        states = await connection.fetch(READ_SQL["open_bets_of_round"], player, key)
        bets = {bet_index: parse_bet(state) for bet_index, state in states}
        round_ = PlayedRound(provider, game_no, placed_ms, entry // shards, bets)
        found.append(LeftOpenRound(user_id, currency, round_, f"{placed_ms}.{entry}"))
    return found


async def open_bets(connection: Connection, shards: int) -> OpenBets:
    """How many bets are open, and since when about the first one is."""
    await connection.execute(INDEX_ONLY)
    rows = await connection.fetch(READ_SQL["count_open_bets"], shards)
    oldest_ms = await connection.fetchval(READ_SQL["oldest_received"], [first for _, first in rows])
    return OpenBets(sum(count for count, _ in rows), oldest_ms or 0)


async def open_sessions(connection: Connection, since_ms: int) -> Mapping[str, int]:
    """Provider → sessions that are open and were renewed since then."""
    return dict(await connection.fetch(READ_SQL["open_sessions"], since_ms))


async def clock_ms(connection: Connection) -> int:
    """Epoch milliseconds."""
    now_ms: int = await connection.fetchval(READ_SQL["clock"])
    return now_ms
