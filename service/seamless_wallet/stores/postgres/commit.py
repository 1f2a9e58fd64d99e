"""The writer's one statement: it is stored whole, or nothing of it is.

What it swaps is what this writer's last commits left, or was read in a statement before. That statement holds no lock:
the swap finds out whether it is still so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Final, NamedTuple

import asyncpg
import msgspec

from seamless_wallet.commands import BET_KINDS, Kind
from seamless_wallet.errors import WalletError
from seamless_wallet.ledger.bets import Bet, parse_bet
from seamless_wallet.ledger.conflicts import EntriesRefused, EpochMoved, LedgerConflict
from seamless_wallet.ledger.entry import INVALID_ENTRY_ERRORS, Entry
from seamless_wallet.ledger.payload import UnknownPayloadVersion
from seamless_wallet.ledger.ports import StoreError, WriterOutdated
from seamless_wallet.stores.known import BetIdentity, KnownState
from seamless_wallet.stores.planning import Chained, Plan, plan_commit
from seamless_wallet.stores.postgres.commit_statement import COMMIT, HeadSwap, arguments
from seamless_wallet.stores.postgres.primary import Connection
from seamless_wallet.stores.postgres.refusals import find_refusals
from seamless_wallet.stores.postgres.row_forms import can_be_kept, read_entry, wallet_of
from seamless_wallet.stores.postgres.sql import WRITE_SQL
from seamless_wallet.stores.rows import StoredWallet
from seamless_wallet.stores.shard_heads import Head, chain_to, check_batches, check_redelivered, count_stored

STATE_CHANGED: Final = "WL001"
UNKNOWN_CURRENCY: Final = "WL002"
OTHER_SERVER: Final = "WL003"
"""SQLSTATEs that `migrations` raise."""

UNIQUE: Final = "23505"
NO_PARTITION: Final = "23514"
TOO_LONG: Final = "54000"
"""Those of PostgreSQL. No table has a condition, so the second says that no partition takes the row. The last is of a
text that no index holds.
"""

REFUSED: Final = frozenset({STATE_CHANGED, UNKNOWN_CURRENCY, UNIQUE, TOO_LONG})


class MonthMissing(StoreError):
    """No table takes the entries of this month."""


class StateChanged(WalletError, ValueError):
    """What was swapped is not what was read, or an identity is there already."""


REFUSALS: Final = (StateChanged, *INVALID_ENTRY_ERRORS)
"""What an entry that cannot be stored is refused with."""

STALE: Final = (LedgerConflict, EpochMoved, *REFUSALS)
"""What may only be so by what was remembered."""


class WriterState(msgspec.Struct):
    """Of one writer: its nonce, the start of the server that named it, and what its last commits left."""

    nonce: str = ""
    started: datetime | None = None
    heads: dict[int, Head] = {}
    known: KnownState = msgspec.field(default_factory=KnownState)
    month: date | None = None
    """Of the newest entries."""
    prepared: date | None = None
    """The month that it was when the tables of the next ones were made."""
    prepare_after_s: float = 0.0
    """When that may be tried again, by the clock of the event loop."""

    def forget(self) -> None:
        """SQL may have gone on without us."""
        self.heads.clear()
        self.known.forget()


class _Read(NamedTuple):
    """What SQL had a moment ago of what a commit needs and nobody remembers."""

    wallets: Mapping[str, StoredWallet]
    bets: Mapping[BetIdentity, Bet]


async def commit_batches(
    connection: Connection, shards: int, batches: Sequence[Sequence[Entry]], state: WriterState
) -> None:
    """Commit gapless batches, at most one a shard, as a writer.

    Raises EntriesRefused, LedgerConflict, EpochMoved, Displaced, StoreError or an error of asyncpg.
    """
    batches = check_batches(batches)
    if not batches:
        return
    try:
        try:
            await _commit(connection, shards, batches, state)
        except STALE:
            await _commit(connection, shards, batches, state)  # by what SQL has, now that all is forgotten
    except REFUSALS as error:
        refusals = await find_refusals(connection, shards, batches)
        if refusals:
            raise EntriesRefused(refusals) from error
        raise StoreError(
            f"SQL refused the transaction, but accepts each entry alone: {error}; report this with the log"
        ) from error


async def _commit(connection: Connection, shards: int, batches: Sequence[Sequence[Entry]], state: WriterState) -> None:
    try:
        await _store(connection, shards, batches, state)
    except BaseException:
        state.forget()
        raise


async def _store(connection: Connection, shards: int, batches: Sequence[Sequence[Entry]], state: WriterState) -> None:
    """Even if all of it is stored already, a statement of this writer has to come back before that may be told.

    For an earlier one may be visible that waits for a standby; and a writer that was displaced may tell nothing.
    """
    await _know_heads(connection, [batch[0].shard for batch in batches], state)
    fresh: list[Chained] = []
    swaps: list[HeadSwap] = []
    for batch in batches:
        shard = batch[0].shard
        head = state.heads.get(shard)
        stored = count_stored(head, state.nonce, batch)
        assert head is not None  # noqa: S101 - `count_stored` has raised
        if stored:
            await _check_stored(connection, shards, batch[:stored])
        chained = chain_to(head, batch[stored:])
        after = head
        if chained:
            last, chain = chained[-1]
            after = Head(head.epoch, last.seq, chain, last.token, head.nonce)
        swaps.append(HeadSwap(shard, head, after))
        fresh += chained
    read = await _read_states(connection, shards, fresh, state)
    plan = _plan(shards, fresh, read, state.known)
    await _call(connection, state, swaps, plan)
    state.heads.update((swap.shard, swap.after) for swap in swaps)
    state.known.remember(plan.wallets, plan.bets)


async def _know_heads(connection: Connection, shards: Iterable[int], state: WriterState) -> None:
    unknown = [shard for shard in shards if shard not in state.heads]
    if unknown:
        for shard, *head in await connection.fetch(WRITE_SQL["chain_ends"], unknown):
            state.heads[shard] = Head(*head)


async def _check_stored(connection: Connection, shards: int, batch: Sequence[Entry]) -> None:
    places = [entry.seq * shards + entry.shard for entry in batch]
    rows = await connection.fetch(WRITE_SQL["stored"], places)
    stored = (read_entry(row, shards, row["user_id"]) for row in rows)
    check_redelivered(batch, {entry.seq: entry for entry in stored})


def _plan(shards: int, fresh: Sequence[Chained], read: _Read, known: KnownState) -> Plan:
    def wallet_before(user_id: str) -> StoredWallet | None:
        return known.wallets.get(user_id) or read.wallets.get(user_id)

    def bet_before(key: BetIdentity) -> Bet | None:
        return known.bets.get(key) or read.bets.get(key)

    return plan_commit(fresh, shards, None, wallet_before, bet_before)


async def _read_states(connection: Connection, shards: int, fresh: Sequence[Chained], state: WriterState) -> _Read:
    """Wallets and bets that the entries name and nobody remembers."""
    known = state.known
    users: dict[str, None] = {}
    bets: dict[tuple[str, bytes, str], None] = {}
    for entry, _ in fresh:
        user_id = entry.user_id
        remembered = known.wallets.get(user_id)
        if remembered is None and can_be_kept(user_id):
            users[user_id] = None
        for digest, bet_index in _named_bets(entry):
            if not can_be_kept(user_id + bet_index):
                continue
            if remembered is None or (remembered.player, digest, bet_index) not in known.bets:
                bets[user_id, digest, bet_index] = None
    return await _read_marks(connection, shards, users, bets) if users or bets else _Read({}, {})


def _named_bets(entry: Entry) -> list[tuple[bytes, str]]:
    """Round digest and bet_index of each bet that the entry says is there. Of an entry that cannot be read: none."""
    try:
        if entry.void or entry.command.kind not in BET_KINDS:
            return []
        places = entry.command.kind is Kind.BET
        pairs = zip(entry.command.items, entry.decision.effects, strict=False)
        named = [item.bet_index for item, effect in pairs if not (places and effect == "+")]
        digest = entry.round_digest if named else None
        return [] if digest is None else [(digest, bet_index) for bet_index in named]
    except (UnknownPayloadVersion, *INVALID_ENTRY_ERRORS):
        return []


async def _read_marks(
    connection: Connection, shards: int, users: Iterable[str], bets: Iterable[tuple[str, bytes, str]]
) -> _Read:
    """Wallets by user_id; bets by player, digest and bet_index."""
    columns = list(zip(*bets, strict=True)) or [(), (), ()]
    wallets: dict[str, StoredWallet] = {}
    found: dict[BetIdentity, Bet] = {}
    for row in await connection.fetch(WRITE_SQL["states"], list(users), *columns):
        if row["user_id"] is not None:
            wallets[row["user_id"]] = wallet_of(row, shards)
        elif row["state"] is not None:
            found[row["player"], row["digest"], row["bet_index"]] = parse_bet(row["state"])
    return _Read(wallets, found)


async def _call(connection: Connection, state: WriterState, swaps: Sequence[HeadSwap], plan: Plan) -> None:
    try:
        state.month = await connection.fetchval(COMMIT, state.nonce, state.started, *arguments(swaps, plan))
    except asyncpg.DataError as error:  # a text or a number that no column holds
        raise StateChanged(f"cannot be stored: {error}") from error
    except asyncpg.PostgresError as error:
        if error.sqlstate in REFUSED:
            raise StateChanged(str(error)) from error
        if error.sqlstate == OTHER_SERVER:
            raise WriterOutdated("the database was restarted, or failed over: another nonce is needed") from error
        if error.sqlstate == NO_PARTITION:
            raise MonthMissing(f"no table for this month: {error}") from error
        raise
