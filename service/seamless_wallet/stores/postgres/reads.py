"""What the ledger is asked, each function in one statement, or within the caller's one snapshot."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Final

from seamless_wallet.commands import BET_KINDS, round_digest
from seamless_wallet.ledger.bets import Bet, parse_bet
from seamless_wallet.ledger.entry import Entry, counterparty_of
from seamless_wallet.ledger.fold import Wallet
from seamless_wallet.ledger.records import EventRecord, FoundEvents, ShardHead, WalletSnapshot
from seamless_wallet.money import AMOUNT_MAX
from seamless_wallet.stores import bounds
from seamless_wallet.stores.postgres.primary import WHOLE_TABLES, Connection
from seamless_wallet.stores.postgres.row_forms import read_entry, wallet_of
from seamless_wallet.stores.postgres.sql import READ_SQL
from seamless_wallet.stores.rows import StoredWallet

STORY_ROWS: Final = 100
"""Entries that a walk through a player's story asks for at a time."""

BIGINT_MAX: Final = 2**63 - 1


async def heads(connection: Connection) -> Sequence[ShardHead]:
    """The heads of all shards, by shard number."""
    return [ShardHead(*row) for row in await connection.fetch(READ_SQL["heads"])]


async def database_size(connection: Connection) -> Mapping[str, int]:
    """Bytes of the database."""
    return {"database": await connection.fetchval(READ_SQL["database_size"])}


async def read_wallet(connection: Connection, shards: int, user_id: str) -> StoredWallet | None:
    """A player's number and wallet; None if there is no such player."""
    row = await connection.fetchrow(READ_SQL["wallet"], user_id)
    return wallet_of(row, shards) if row else None


async def wallet(connection: Connection, shards: int, user_id: str) -> Wallet | None:
    """The committed state of a player."""
    found = await read_wallet(connection, shards, user_id)
    return found.wallet if found else None


async def wallets(connection: Connection, shards: int, user_ids: Collection[str]) -> Mapping[str, Wallet]:
    """The committed states of those of these players that there are, by user_id."""
    found = [wallet_of(row, shards).wallet for row in await connection.fetch(READ_SQL["wallets"], list(user_ids))]
    return {each.user_id: each for each in found}


async def load(connection: Connection, shards: int, shard: int, user_id: str, since_ms: int) -> WalletSnapshot:
    """A wallet, its open bets, and at least all that happened since `since_ms` (of received_ms), if that is bounded."""
    epoch, seq = await connection.fetchrow(READ_SQL["head"], shard)
    found = await read_wallet(connection, shards, user_id)
    if found is None:
        return WalletSnapshot(epoch, seq, None, {}, ())
    events: list[EventRecord] = []
    touched: dict[tuple[bytes, str], None] = {}
    complete = True
    async for entry in story(connection, shards, found, AMOUNT_MAX):
        command = entry.command
        if command.received_ms < since_ms - bounds.DISORDER_MS:
            break
        if len(events) >= bounds.LOAD_MAX or len(touched) + len(command.items) > bounds.LOAD_MAX:
            complete = False
            break
        events.append(EventRecord(entry.event_digest, entry.fingerprint, entry.seq))
        if command.kind in BET_KINDS:
            digest = round_digest(command)
            touched.update(dict.fromkeys((digest, item.bet_index) for item in command.items))
    rounds: defaultdict[bytes, dict[str, Bet]] = defaultdict(dict)
    bets = await connection.fetch(READ_SQL["open_bets"], found.player, bounds.LOAD_MAX)
    if touched:
        digests, indexes = zip(*touched, strict=True)
        bets += await connection.fetch(READ_SQL["bets"], found.player, digests, indexes)
    for digest, bet_index, state in bets:
        rounds[digest][bet_index] = parse_bet(state)
    return WalletSnapshot(epoch, seq, found.wallet, rounds, events[::-1], complete)


async def find_events(connection: Connection, shards: int, events: Sequence[tuple[str, bytes]]) -> FoundEvents:
    """Which of these events, each a user_id and a digest, are committed."""
    users, digests = [user_id for user_id, _ in events], [digest for _, digest in events]
    found: dict[int, ShardHead] = {}
    records: dict[bytes, EventRecord] = {}
    for epoch, seq, run_id, replid, nonce, shard, digest, fingerprint, entry in await connection.fetch(
        READ_SQL["events"], users, digests
    ):
        if digest is None:
            found[shard] = ShardHead(epoch, seq, run_id, replid, nonce)
        else:
            records[digest] = EventRecord(digest, fingerprint, entry // shards)
    return FoundEvents([found[shard] for shard in sorted(found)], records)


async def story(connection: Connection, shards: int, found: StoredWallet, before_seq: int) -> AsyncIterator[Entry]:
    """A player's entries before a seq, newest first, read a few at a time as they are asked for."""
    signpost = await connection.fetchval(READ_SQL["signpost_at_seq"], found.player, before_seq)
    start = found.last if signpost is None else signpost * shards + found.player % shards
    before = min(before_seq * shards, BIGINT_MAX)
    async for row in connection.cursor(READ_SQL["story"], start, before, prefetch=STORY_ROWS):
        yield read_entry(row, shards, found.wallet.user_id)


async def entries(
    connection: Connection, shards: int, user_id: str, before_seq: int | None, limit: int
) -> Sequence[Entry]:
    """A player's entries, newest first."""
    found = await read_wallet(connection, shards, user_id)
    if found is None or limit < 1:
        return []
    read: list[Entry] = []
    async for entry in story(connection, shards, found, AMOUNT_MAX if before_seq is None else before_seq):
        read.append(entry)
        if len(read) == limit:
            break
    return read


async def voids(connection: Connection, shards: int, shard: int, from_seq: int) -> Collection[int]:
    """The seqs of a shard's void entries from `from_seq` on."""
    rows = await connection.fetch(READ_SQL["voids"], from_seq * shards, shards, shard)
    return {place // shards for (place,) in rows}


async def trial_balance(connection: Connection) -> Mapping[str, Mapping[str, int]]:
    """Currency → account → sum, from entries."""
    await connection.execute(WHOLE_TABLES)
    balances: dict[str, dict[str, int]] = {}
    for currency, provider, balance_delta, debt_delta in await connection.fetch(READ_SQL["trial_balance"]):
        accounts = balances.setdefault(currency, {"player": 0, "debt": 0})
        accounts["player"] += balance_delta
        accounts["debt"] -= debt_delta
        accounts[counterparty_of(provider)] = debt_delta - balance_delta
    return balances


async def has_named(connection: Connection, nonce: str) -> bool:
    """Whether a writer of this nonce was named."""
    named: bool = await connection.fetchval(READ_SQL["writer"], nonce)
    return named


async def registered_scripts(connection: Connection) -> Mapping[str, str]:
    """SHA → text."""
    return dict(await connection.fetch(READ_SQL["scripts"]))
