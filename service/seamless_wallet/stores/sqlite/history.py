"""What people ask of the past, each function within the caller's one snapshot. None walks the ledger."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from seamless_wallet.commands import PlayerStatus, digest
from seamless_wallet.ledger.bets import parse_bet
from seamless_wallet.ledger.entry import Entry
from seamless_wallet.ledger.fold import Wallet, first_seen_bets
from seamless_wallet.ledger.records import (
    EntriesQuery,
    LeftOpenQuery,
    LeftOpenRound,
    OpenBets,
    PlayedRound,
    PlayersQuery,
)
from seamless_wallet.money import AMOUNT_MAX
from seamless_wallet.stores.bounds import DISORDER_MS, LAST_CHARACTER
from seamless_wallet.stores.rows import EntryRow, StoredWallet, entry_of, stored_wallet
from seamless_wallet.stores.sqlite.reads import read_wallet
from seamless_wallet.stores.sqlite.sql import READ_SQL


def entries_of(connection: sqlite3.Connection, user_id: str, query: EntriesQuery) -> Sequence[Entry]:
    """A player's entries of a time, newest first."""
    found = read_wallet(connection, user_id)
    if found is None:
        return []
    to_ms = AMOUNT_MAX + 1 if query.to_ms is None else query.to_ms
    chosen = (
        entry_of(row, user_id)
        for row in _walk(connection, found, to_ms, query.before_seq, query.from_ms)
        if query.from_ms <= row.received_ms < to_ms
    )
    return list(islice(chosen, query.limit))


def entry_at(connection: sqlite3.Connection, user_id: str, at_ms: int) -> Entry | None:
    """The newest entry of a player that was received at `at_ms` or before."""
    found = read_wallet(connection, user_id)
    rows = _walk(connection, found, at_ms + 1) if found else iter(())
    return next((entry_of(row, user_id) for row in rows if row.received_ms <= at_ms), None)


def event(connection: sqlite3.Connection, provider: str, user_id: str, transaction_id: str) -> Entry | None:
    """The entry of an event."""
    found = read_wallet(connection, user_id)
    if found is None:
        return None
    key = found.player, digest("event", provider, user_id, transaction_id)
    row = connection.execute(READ_SQL["event_entry"], key).fetchone()
    return entry_of(EntryRow(*row), user_id) if row else None


def rounds(connection: sqlite3.Connection, user_id: str, before_seq: int | None, limit: int) -> Sequence[PlayedRound]:
    """A player's rounds by the entry of their first bet, newest first."""
    found = read_wallet(connection, user_id)
    return list(islice(_rounds(connection, found, before_seq), limit)) if found else []


def _rounds(connection: sqlite3.Connection, found: StoredWallet, before_seq: int | None) -> Iterator[PlayedRound]:
    for row in _walk(connection, found, None, before_seq):
        entry = entry_of(row, found.wallet.user_id)
        round_digest = entry.round_digest
        if round_digest is None or not first_seen_bets(entry):
            continue
        marks = connection.execute(READ_SQL["round"], (found.player, round_digest)).fetchall()
        if min((first for _, first, _ in marks), default=0) == row.id:
            bets = {bet_index: parse_bet(state) for bet_index, _, state in marks}
            yield PlayedRound(row.provider, row.game_no, row.received_ms, row.seq, bets)


def open_rounds(connection: sqlite3.Connection, user_id: str, limit: int) -> Sequence[PlayedRound]:
    """A player's rounds with open bets, newest first, with those bets alone. Of so many bets at most."""
    found = read_wallet(connection, user_id)
    if found is None:
        return []
    by_digest: dict[bytes, PlayedRound] = {}
    for key, bet_index, state, provider, game_no, placed_ms, seq in connection.execute(
        READ_SQL["open_rounds"], (found.player, limit)
    ):
        known = by_digest.get(key)
        bets = {**(known.bets if known else {}), bet_index: parse_bet(state)}
        if known is not None and known.seq < seq:
            placed_ms, seq = known.placed_ms, known.seq  # noqa: PLW2901
        by_digest[key] = PlayedRound(provider, game_no, placed_ms, seq, bets)
    return sorted(by_digest.values(), key=lambda round_: round_.seq, reverse=True)


def left_open(connection: sqlite3.Connection, query: LeftOpenQuery) -> Sequence[LeftOpenRound]:
    """Rounds of all players with bets that were placed before a time and are open, the first ones first."""
    found: list[LeftOpenRound] = []
    rows = connection.execute(READ_SQL["left_open"], (int(query.after or 0), query.provider))
    for entry, player, key, provider, game_no, placed_ms, seq, user_id, currency in rows:
        if placed_ms >= query.before_ms + DISORDER_MS or len(found) == query.limit:
            break
        if placed_ms < query.before_ms:
            states = connection.execute(READ_SQL["open_bets_of_round"], (player, key))
            bets = {bet_index: parse_bet(state) for bet_index, state in states}
            round_ = PlayedRound(provider, game_no, placed_ms, seq, bets)
            found.append(LeftOpenRound(user_id, currency, round_, str(entry)))
    return found


def open_bets(connection: sqlite3.Connection) -> OpenBets:
    """How many bets are open, and since when the first one is."""
    return OpenBets(*connection.execute(READ_SQL["count_open_bets"]).fetchone())


def open_sessions(connection: sqlite3.Connection, since_ms: int) -> Mapping[str, int]:
    """Provider → sessions that are open and were renewed since then."""
    return dict(connection.execute(READ_SQL["open_sessions"], (since_ms,)))


def players(connection: sqlite3.Connection, query: PlayersQuery) -> Sequence[Wallet]:
    """Players by user_id."""
    name = "players"
    if query.owing:
        name = "players_owing"
    elif query.status == PlayerStatus.BLOCKED:
        name = "players_blocked"
    first = max(query.prefix.encode(), query.after.encode()).decode()
    rows = connection.execute(
        READ_SQL[name], (first, query.after, query.prefix + LAST_CHARACTER, query.status, query.limit)
    )
    return [stored_wallet(row).wallet for row in rows]


def _walk(
    connection: sqlite3.Connection,
    found: StoredWallet,
    before_ms: int | None,
    before_seq: int | None = None,
    from_ms: int = 0,
) -> Iterator[EntryRow]:
    """A player's entries, newest first, from near where those before a time or a seq begin, to near `from_ms`."""
    start = None
    if before_seq is not None:
        start = connection.execute(READ_SQL["signpost_at_seq"], (found.player, before_seq)).fetchone()
    elif before_ms is not None:
        since_ms = min(before_ms + DISORDER_MS, AMOUNT_MAX)
        start = connection.execute(READ_SQL["signpost_at_time"], (found.player, since_ms)).fetchone()
    first_id = start[0] if start else found.last
    for row in connection.execute(READ_SQL["story"], (first_id, AMOUNT_MAX if before_seq is None else before_seq)):
        read = EntryRow(*row)
        if read.received_ms < from_ms - DISORDER_MS:
            return
        yield read
