"""What people ask of the past, each function within the caller's one snapshot. None walks the ledger."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from seamless_wallet.commands import PlayerStatus, digest
from seamless_wallet.ledger.bets import parse_bet
from seamless_wallet.ledger.entry import Entry
from seamless_wallet.ledger.fold import Wallet, first_seen_bets
from seamless_wallet.ledger.ports import Archived
from seamless_wallet.ledger.records import ArchivedMonth, EntriesQuery, PlayedRound, PlayersQuery
from seamless_wallet.money import AMOUNT_MAX
from seamless_wallet.stores.bounds import DISORDER_MS, LAST_CHARACTER
from seamless_wallet.stores.postgres.primary import Connection
from seamless_wallet.stores.postgres.reads import BIGINT_MAX, STORY_ROWS, read_wallet
from seamless_wallet.stores.postgres.row_forms import entry_row_of, read_entry, wallet_of
from seamless_wallet.stores.postgres.sql import READ_SQL
from seamless_wallet.stores.rows import EntryRow, StoredWallet, entry_of


async def entries_of(connection: Connection, shards: int, user_id: str, query: EntriesQuery) -> Sequence[Entry]:
    """A player's entries of a time, newest first."""
    found = await read_wallet(connection, shards, user_id)
    read: list[Entry] = []
    if found is None or query.limit < 1:
        return read
    to_ms = AMOUNT_MAX + 1 if query.to_ms is None else query.to_ms
    async for row in _walk(connection, shards, found, to_ms, query.before_seq, query.from_ms):
        if query.from_ms <= row.received_ms < to_ms:
            read.append(entry_of(row, user_id))
            if len(read) == query.limit:
                break
    return read


async def entry_at(connection: Connection, shards: int, user_id: str, at_ms: int) -> Entry | None:
    """The newest entry of a player that was received at `at_ms` or before. Raises Archived."""
    found = await read_wallet(connection, shards, user_id)
    if found is not None:
        async for row in _walk(connection, shards, found, at_ms + 1):
            if row.received_ms <= at_ms:
                return entry_of(row, user_id)
        last = await connection.fetchrow(READ_SQL["closing"], found.player)
        if last is not None:
            if last["received_ms"] <= at_ms:
                return read_entry(last, shards, user_id)
            raise Archived(f"what {user_id} had then is archived: {_files(await _archives(connection, shards, found))}")
    return None


async def event(connection: Connection, shards: int, provider: str, user_id: str, transaction_id: str) -> Entry | None:
    """The entry of an event. Raises Archived."""
    found = await read_wallet(connection, shards, user_id)
    if found is None:
        return None
    key = digest("event", provider, user_id, transaction_id)
    row = await connection.fetchrow(READ_SQL["event_entry"], found.player, key)
    if row:
        return read_entry(row, shards, user_id)
    place = await connection.fetchval(READ_SQL["event_place"], found.player, key)
    if place is None:
        return None
    seq, shard = divmod(place, shards)
    months = [
        ArchivedMonth(month, file)
        for month, file, end in await connection.fetch(READ_SQL["archives"], shard)
        if end >= seq
    ]
    raise Archived(f"the event {transaction_id} is archived: {_files(months[:1])}, shard {shard}, entry {seq}")


async def rounds(
    connection: Connection, shards: int, user_id: str, before_seq: int | None, limit: int
) -> Sequence[PlayedRound]:
    """A player's rounds by the entry of their first bet, newest first."""
    found = await read_wallet(connection, shards, user_id)
    read: list[PlayedRound] = []
    if found is None or limit < 1:
        return read
    async for row in _walk(connection, shards, found, None, before_seq):
        played = await _round_of(connection, found, row)
        if played is not None:
            read.append(played)
            if len(read) == limit:
                break
    return read


async def _round_of(connection: Connection, found: StoredWallet, row: EntryRow) -> PlayedRound | None:
    """The round whose first bet this entry has placed or tombstoned."""
    entry = entry_of(row, found.wallet.user_id)
    round_digest = entry.round_digest
    if round_digest is None or not first_seen_bets(entry):
        return None
    marks = await connection.fetch(READ_SQL["round"], found.player, round_digest)
    if min((first for _, first, _ in marks), default=0) != row.id:
        return None
    bets = {bet_index: parse_bet(state) for bet_index, _, state in marks}
    return PlayedRound(row.provider, row.game_no, row.received_ms, row.seq, bets)


async def open_rounds(connection: Connection, shards: int, user_id: str, limit: int) -> Sequence[PlayedRound]:
    """A player's rounds with open bets, newest first, with those bets alone. Of so many bets at most."""
    found = await read_wallet(connection, shards, user_id)
    if found is None:
        return []
    by_digest: dict[bytes, PlayedRound] = {}
    for key, bet_index, state, provider, game_no, placed_ms, place in await connection.fetch(
        READ_SQL["open_rounds"], found.player, limit
    ):
        seq, known = place // shards, by_digest.get(key)
        bets = {**(known.bets if known else {}), bet_index: parse_bet(state)}
        if known is not None and known.seq < seq:
            placed_ms, seq = known.placed_ms, known.seq  # noqa: PLW2901
        by_digest[key] = PlayedRound(provider, game_no, placed_ms, seq, bets)
    return sorted(by_digest.values(), key=lambda round_: round_.seq, reverse=True)


async def players(connection: Connection, shards: int, query: PlayersQuery) -> Sequence[Wallet]:
    """Players by user_id."""
    name = "players"
    if query.owing:
        name = "players_owing"
    elif query.status == PlayerStatus.BLOCKED:
        name = "players_blocked"
    first = max(query.prefix.encode(), query.after.encode()).decode()
    rows = await connection.fetch(
        READ_SQL[name], first, query.after, query.prefix + LAST_CHARACTER, query.status, query.limit
    )
    return [wallet_of(row, shards).wallet for row in rows]


async def archives(connection: Connection, shards: int, user_id: str) -> Sequence[ArchivedMonth]:
    """The archived months that may have entries of a player, oldest first."""
    found = await read_wallet(connection, shards, user_id)
    return await _archives(connection, shards, found) if found else []


async def _archives(connection: Connection, shards: int, found: StoredWallet) -> Sequence[ArchivedMonth]:
    """From that of his first entry to that of his newest archived one."""
    last = await connection.fetchrow(READ_SQL["closing"], found.player)
    if last is None:
        return []
    months: list[ArchivedMonth] = []
    for month, file, end in await connection.fetch(READ_SQL["archives"], found.player % shards):
        if end >= found.player // shards:
            months.append(ArchivedMonth(month, file))
        if end >= last["id"] // shards:
            break
    return months


def _files(months: Sequence[ArchivedMonth]) -> str:
    return ", ".join(f"{each.file} ({each.month})" for each in months) or "in a month that is not known"


async def _walk(
    connection: Connection,
    shards: int,
    found: StoredWallet,
    before_ms: int | None,
    before_seq: int | None = None,
    from_ms: int = 0,
) -> AsyncIterator[EntryRow]:
    """A player's entries, newest first, from near where those before a time or a seq begin, to near `from_ms`."""
    signpost = None
    if before_seq is not None:
        signpost = await connection.fetchval(READ_SQL["signpost_at_seq"], found.player, before_seq)
    elif before_ms is not None:
        since_ms = min(before_ms + DISORDER_MS, AMOUNT_MAX)
        signpost = await connection.fetchval(READ_SQL["signpost_at_time"], found.player, since_ms)
    start = found.last if signpost is None else signpost * shards + found.player % shards
    before = BIGINT_MAX if before_seq is None else min(before_seq * shards, BIGINT_MAX)
    async for row in connection.cursor(READ_SQL["story"], start, before, prefetch=STORY_ROWS):
        read = entry_row_of(row, shards)
        if read.received_ms < from_ms - DISORDER_MS:
            return
        yield read
