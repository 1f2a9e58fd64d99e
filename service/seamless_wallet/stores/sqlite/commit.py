"""The writer's one transaction: heads, wallets, entries, bets, rounds.

It is first tried whole. If an entry cannot be stored, a second pass goes entry by entry to name the first such one;
it, too, is rolled back.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from seamless_wallet.commands import Kind
from seamless_wallet.errors import WalletError
from seamless_wallet.ledger.bets import Bet
from seamless_wallet.ledger.conflicts import Displaced, EpochCause, EpochMoved, LedgerConflict
from seamless_wallet.ledger.entry import Entry
from seamless_wallet.ledger.fold import BetContradiction, Wallet
from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.stores.rows import (
    INVALID_ENTRY_ERRORS,
    apply_entry,
    bets_after,
    encode_sessions,
    entry_row,
    first_seen_digests,
    round_change,
    wallet_of,
)
from seamless_wallet.stores.sqlite.database import transaction
from seamless_wallet.stores.sqlite.reads import read_bet
from seamless_wallet.stores.sqlite.sql import READ_SQL, WRITE_SQL

Chained = tuple[Entry, bytes]
"""An entry that is not stored yet, and its chain link."""

_REFUSALS: Final = (sqlite3.IntegrityError, *INVALID_ENTRY_ERRORS)


class _StateChanged(WalletError, ValueError):
    """A compare-and-swap missed: wallet or round are not what was read, or not there."""


def commit_batches(connection: sqlite3.Connection, shards: int, nonce: str, batches: Sequence[Sequence[Entry]]) -> None:
    """Commit gapless batches, at most one a shard, as the writer of this nonce.

    Raises LedgerConflict, EpochMoved, Displaced or sqlite3.Error.
    """
    batches = [batch for batch in batches if batch]
    if len({batch[0].shard for batch in batches}) != len(batches):
        raise ValueError("two batches of one shard")
    for batch in batches:
        _check_gapless(batch)
    try:
        with transaction(connection, "IMMEDIATE"):
            _store(connection, shards, nonce, batches)
    except _REFUSALS as error:
        _raise_for_first_refused(connection, shards, nonce, batches)
        raise StoreError(
            f"SQL refused the transaction, but accepts each entry alone: {error}; report this with the log"
        ) from error


def _check_gapless(batch: Sequence[Entry]) -> None:
    first = batch[0]
    for expected, entry in enumerate(batch, first.seq):
        if entry.shard != first.shard:
            raise ValueError("a batch of several shards")
        if entry.seq != expected:
            raise LedgerConflict(EpochCause.GAP, first.shard, expected, f"is missing before {entry.seq}")


def _store(connection: sqlite3.Connection, shards: int, nonce: str, batches: Sequence[Sequence[Entry]]) -> None:
    fresh: list[Chained] = []
    for batch in batches:
        fresh += _advance_head(connection, nonce, batch)
    if not fresh:
        return
    wallets = _store_wallets(connection, shards, [entry for entry, _ in fresh])
    connection.executemany(
        WRITE_SQL["insert_entry"],
        [(*entry_row(entry, wallets[entry.command.user_id].currency), chain) for entry, chain in fresh],
    )
    _store_bets(connection, [entry for entry, _ in fresh])


def _advance_head(connection: sqlite3.Connection, nonce: str, batch: Sequence[Entry]) -> list[Chained]:
    """Move the shard's head over the batch; returns what of it is not stored yet."""
    first, last = batch[0], batch[-1]
    found = connection.execute(WRITE_SQL["chain_end"], (first.shard,)).fetchone()
    if found is None:
        raise StoreError(f"the ledger has no shard {first.shard}")
    epoch, seq, chain, token, present = found
    if present != nonce:
        raise Displaced(f"the ledger names another writer of shard {first.shard}")
    if any(entry.epoch != epoch for entry in batch):
        raise EpochMoved(f"shard {first.shard} is in epoch {epoch}; entries are of {first.epoch}")
    if seq < first.seq - 1:
        raise LedgerConflict(EpochCause.GAP, first.shard, seq + 1, f"is missing before {first.seq}")
    known = seq - first.seq + 1
    if known:
        _check_redelivered(connection, batch[:known])
        batch = batch[known:]
    chained, before = [], token
    for entry in batch:
        if entry.before != before:
            raise LedgerConflict(EpochCause.FORK, entry.shard, entry.seq, "does not follow the entry before it")
        chain, before = entry.chained_to(chain), entry.token
        chained.append((entry, chain))
    if chained:
        swap = (last.seq, chain, last.token, last.shard, epoch, seq, token, nonce)
        swapped = connection.execute(WRITE_SQL["advance_head"], swap).rowcount
        if swapped != 1:
            raise StoreError(f"the head of shard {last.shard} moved within the transaction")
    return chained


def _check_redelivered(connection: sqlite3.Connection, batch: Sequence[Entry]) -> None:
    """Raises LedgerConflict(FORK) unless the entries are stored just so."""
    rows = connection.execute(WRITE_SQL["stored"], (batch[0].shard, batch[0].seq, batch[-1].seq))
    stored = {seq: (epoch, payload, decided) for seq, epoch, payload, decided in rows}
    for entry in batch:
        if stored.get(entry.seq) != (entry.epoch, entry.payload, entry.decided):
            raise LedgerConflict(EpochCause.FORK, entry.shard, entry.seq, "is stored with another content")


def _store_wallets(connection: sqlite3.Connection, shards: int, entries: Iterable[Entry]) -> dict[str, Wallet]:
    """Fold the entries over the wallets and compare-and-swap these; returns them by user_id."""
    before: dict[str, Wallet | None] = {}
    after: dict[str, Wallet] = {}
    shard_by_user: dict[str, int] = {}
    for entry in entries:
        user_id = entry.command.user_id
        wallet = after.get(user_id)
        if wallet is None:
            row = connection.execute(READ_SQL["wallet"], (user_id,)).fetchone()
            before[user_id] = wallet = wallet_of(row) if row else None
            shard_by_user[user_id] = entry.shard
        after[user_id] = apply_entry(wallet, entry, shards)
    created, updated = [], []
    for user_id, new in after.items():
        old = before[user_id]
        state = (new.status, new.version, new.seq, new.balance, new.debt, encode_sessions(new.sessions))
        if old is None:
            created.append((user_id, shard_by_user[user_id], new.currency, *state))
        else:
            updated.append((*state, user_id, old.version, old.balance, old.debt))
    connection.executemany(WRITE_SQL["insert_wallet"], created)
    if updated and connection.executemany(WRITE_SQL["update_wallet"], updated).rowcount != len(updated):
        raise _StateChanged("a wallet changed within the transaction")
    return after


def _store_bets(connection: sqlite3.Connection, entries: Iterable[Entry]) -> None:
    """Prove every item against the bet that SQL has, and compare-and-swap the bets; then the rounds' open ones."""
    before: dict[bytes, Bet | None] = {}
    after: dict[bytes, Bet] = {}
    first_seen: dict[bytes, Entry] = {}
    deltas: defaultdict[tuple[bytes, str], int] = defaultdict(int)

    def known(digest: bytes) -> Bet | None:
        if digest not in before:
            before[digest] = read_bet(connection, digest)
        return after.get(digest, before[digest])

    for entry in entries:
        for digest, bet in bets_after(entry, known):
            after[digest] = bet
            first_seen.setdefault(digest, entry)
        digest, delta = round_change(entry)
        if delta:
            deltas[digest, entry.command.user_id] += delta
    _swap_bets(connection, before, after, first_seen)
    opened = [(digest, user_id, delta) for (digest, user_id), delta in deltas.items() if delta > 0]
    closed = [(-delta, digest) for (digest, _), delta in deltas.items() if delta < 0]
    connection.executemany(WRITE_SQL["open_bets"], opened)
    if closed and connection.executemany(WRITE_SQL["close_bets"], closed).rowcount != len(closed):
        raise _StateChanged("bets are closed in a round that has none")


def _swap_bets(
    connection: sqlite3.Connection,
    before: Mapping[bytes, Bet | None],
    after: Mapping[bytes, Bet],
    first_seen: Mapping[bytes, Entry],
) -> None:
    """Write the bets that are new, and those that changed over what was read."""
    inserted, updated = [], []
    for digest, bet in after.items():
        old = before[digest]
        if old is None:
            inserted.append((digest, first_seen[digest].shard, first_seen[digest].seq, bet.text()))
        elif bet is not old:
            updated.append((bet.text(), digest, old.text()))
    connection.executemany(WRITE_SQL["insert_bet"], inserted)
    if updated and connection.executemany(WRITE_SQL["update_bet"], updated).rowcount != len(updated):
        raise _StateChanged("a bet changed within the transaction")


def _raise_for_first_refused(
    connection: sqlite3.Connection, shards: int, nonce: str, batches: Sequence[Sequence[Entry]]
) -> None:
    """Raises LedgerConflict for the first entry that cannot follow those before it. Keeps nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for batch in batches:
            _, stored_seq, *_ = connection.execute(WRITE_SQL["chain_end"], (batch[0].shard,)).fetchone()
            for entry in batch:
                if entry.seq > stored_seq:
                    _store_one(connection, shards, nonce, entry)
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _store_one(connection: sqlite3.Connection, shards: int, nonce: str, entry: Entry) -> None:
    """Store one entry, or say why not. That an identity is known goes before all else, as it explains the rest."""
    try:
        reused = _known_identity(connection, entry)
        if reused:
            raise LedgerConflict(EpochCause.REUSED, entry.shard, entry.seq, reused)
        _store(connection, shards, nonce, [[entry]])
    except BetContradiction as error:
        raise LedgerConflict(EpochCause.CONTRADICTED, entry.shard, entry.seq, str(error)) from error
    except _REFUSALS as error:
        raise LedgerConflict(EpochCause.UNSTORABLE, entry.shard, entry.seq, f"cannot be stored: {error}") from error


def _known_identity(connection: sqlite3.Connection, entry: Entry) -> str:
    """Which identity of the entry is in SQL already, in words; "" if none is."""
    row = connection.execute(WRITE_SQL["event_seq"], (entry.event_digest,)).fetchone()
    if row:
        return f"its event is that of entry {row[0]}"
    for digest in first_seen_digests(entry):
        row = connection.execute(WRITE_SQL["bet_seq"], (digest,)).fetchone()
        if row:
            return f"a bet of it was first seen in entry {row[0]}"
    command = entry.command
    if command.kind is Kind.CREATE and connection.execute(READ_SQL["wallet"], (command.user_id,)).fetchone():
        return "its player exists"
    return ""
