"""What the ledger is asked, each function within the caller's one snapshot."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

from seamless_wallet.commands import BET_KINDS, Command, event_digest, fingerprint, round_digest
from seamless_wallet.ledger.bets import Bet, parse_bet
from seamless_wallet.ledger.entry import INVALID_ENTRY_ERRORS, Entry, counterparty_of
from seamless_wallet.ledger.fold import FoldError, Wallet
from seamless_wallet.ledger.payload import decode_payload
from seamless_wallet.ledger.records import EventRecord, FoundEvents, LedgerLookup, ShardHead, WalletSnapshot
from seamless_wallet.money import AMOUNT_MAX
from seamless_wallet.stores import bounds
from seamless_wallet.stores.audit import READ_ERRORS
from seamless_wallet.stores.gathered_lookups import AskedLookup
from seamless_wallet.stores.known import BetIdentity
from seamless_wallet.stores.rows import EntryRow, InvalidEntry, StoredWallet, entry_of, stored_wallet
from seamless_wallet.stores.sqlite.sql import READ_SQL

LIKE_NO_EVENT: Final = b""
"""In place of a fingerprint: the event is there, and says what no other one says."""


def heads(connection: sqlite3.Connection) -> Sequence[ShardHead]:
    """The heads of all shards, by shard number."""
    return [ShardHead(*row) for row in connection.execute(READ_SQL["heads"])]


def read_wallet(connection: sqlite3.Connection, user_id: str) -> StoredWallet | None:
    """A player's number and wallet; None if there is no such player."""
    row = connection.execute(READ_SQL["wallet"], (user_id,)).fetchone()
    return stored_wallet(row) if row else None


def wallet(connection: sqlite3.Connection, user_id: str) -> Wallet | None:
    """The committed state of a player."""
    found = read_wallet(connection, user_id)
    return found.wallet if found else None


def wallets(connection: sqlite3.Connection, user_ids: Collection[str]) -> Mapping[str, Wallet]:
    """The committed states of those of these players that there are, by user_id."""
    found = (read_wallet(connection, user_id) for user_id in user_ids)
    return {each.wallet.user_id: each.wallet for each in found if each}


def read_bet(connection: sqlite3.Connection, key: BetIdentity) -> Bet | None:
    """A bet's state after its newest entry; None if it was never seen."""
    row = connection.execute(READ_SQL["bet"], key).fetchone()
    return parse_bet(row[0]) if row else None


def event_seq(connection: sqlite3.Connection, player: int, digest: bytes) -> int | None:
    """The seq of a player's event, whether or not its entry can be read; None if it is not committed."""
    row = connection.execute(READ_SQL["event"], (player, digest)).fetchone()
    return row[0] if row else None


def read_event(connection: sqlite3.Connection, found: StoredWallet, digest: bytes) -> EventRecord | None:
    """An event of a player, and what its entry says; None if it is not committed.

    Raises FoldError if its entry cannot be read, or is that of another event.
    """
    row = connection.execute(READ_SQL["event"], (found.player, digest)).fetchone()
    if row is None:
        return None
    seq, payload, provider = row
    try:
        command = decode_payload(payload, found.wallet.user_id, provider.decode())
        if event_digest(command) != digest:
            raise InvalidEntry("it is that of another event")
    except READ_ERRORS as error:
        raise FoldError(
            f"the entry {seq} of player {found.player} does not tell what its event says: {error}"
        ) from error
    return EventRecord(digest, fingerprint(command), seq)


def load(connection: sqlite3.Connection, shard: int, user_id: str, since_ms: int) -> WalletSnapshot:
    """A wallet, its open bets, and at least all that happened since `since_ms` (of received_ms), if that is bounded."""
    epoch, seq = connection.execute(READ_SQL["head"], (shard,)).fetchone()
    found = read_wallet(connection, user_id)
    if found is None:
        return WalletSnapshot(epoch, seq, None, {}, ())
    events: list[EventRecord] = []
    touched: dict[BetIdentity, None] = {}
    complete = True
    for entry in story(connection, found, AMOUNT_MAX):
        command = entry.command
        if command.received_ms < since_ms - bounds.DISORDER_MS:
            break
        if len(events) >= bounds.LOAD_MAX or len(touched) + len(command.items) > bounds.LOAD_MAX:
            complete = False
            break
        events.append(EventRecord(entry.event_digest, entry.fingerprint, entry.seq))
        if command.kind in BET_KINDS:
            digest = round_digest(command)
            touched.update(dict.fromkeys((found.player, digest, item.bet_index) for item in command.items))
    rounds: defaultdict[bytes, dict[str, Bet]] = defaultdict(dict)
    for digest, bet_index, state in connection.execute(READ_SQL["open_bets"], (found.player, bounds.LOAD_MAX)):
        rounds[digest][bet_index] = parse_bet(state)
    for key in touched:
        bet = read_bet(connection, key)
        if bet is not None:
            rounds[key[1]][key[2]] = bet
    return WalletSnapshot(epoch, seq, found.wallet, rounds, events[::-1], complete)


def lookup(connection: sqlite3.Connection, shard: int, command: Command, digest: bytes) -> LedgerLookup:
    """One event, and what is known of the bets that it names."""
    epoch, seq = connection.execute(READ_SQL["head"], (shard,)).fetchone()
    found = read_wallet(connection, command.user_id)
    if found is None:
        return LedgerLookup(epoch, seq, None, None, {})
    bets = {}
    if command.items:
        round_ = round_digest(command)
        for item in command.items:
            bet = read_bet(connection, (found.player, round_, item.bet_index))
            if bet is not None:
                bets[item.bet_index] = bet
    return LedgerLookup(epoch, seq, found.wallet, read_event(connection, found, digest), bets)


def lookups(connection: sqlite3.Connection, asked: Sequence[AskedLookup]) -> Sequence[LedgerLookup | Exception]:
    """Many of them. One that cannot be read spoils no other; the database itself failing does."""
    found: list[LedgerLookup | Exception] = []
    for each in asked:
        try:
            found.append(lookup(connection, *each))
        except INVALID_ENTRY_ERRORS as error:
            found.append(error)
    return found


def find_events(connection: sqlite3.Connection, events: Sequence[tuple[str, bytes]]) -> FoundEvents:
    """Which of these events, each a user_id and a digest, are committed. One that cannot be read spoils no other."""
    records = {}
    for user_id, digest in events:
        found = read_wallet(connection, user_id)
        try:
            record = read_event(connection, found, digest) if found else None
        except FoldError:
            record = EventRecord(digest, LIKE_NO_EVENT, 0)
        if record is not None:
            records[digest] = record
    return FoundEvents(heads(connection), records)


def story(connection: sqlite3.Connection, found: StoredWallet, before_seq: int) -> Iterator[Entry]:
    """A player's entries before a seq, newest first, read one by one as they are asked for."""
    signpost = connection.execute(READ_SQL["signpost_at_seq"], (found.player, before_seq)).fetchone()
    start = signpost[0] if signpost else found.last
    for row in connection.execute(READ_SQL["story"], (start, before_seq)):
        yield entry_of(EntryRow(*row), found.wallet.user_id)


def entries(connection: sqlite3.Connection, user_id: str, before_seq: int | None, limit: int) -> Sequence[Entry]:
    """A player's entries, newest first."""
    found = read_wallet(connection, user_id)
    if found is None:
        return []
    return list(islice(story(connection, found, AMOUNT_MAX if before_seq is None else before_seq), limit))


def stored_entries(connection: sqlite3.Connection, shard: int, first_seq: int) -> Iterator[Entry]:
    """The entries of a shard from `first_seq` on, newest first. For the end of a ledger: it is read backwards."""
    for *row, user_id in connection.execute(READ_SQL["backwards"], (shard,)):
        entry = entry_of(EntryRow(*row), user_id)
        if entry.seq < first_seq:
            return
        yield entry


def voids(connection: sqlite3.Connection, shard: int, from_seq: int) -> Collection[int]:
    """The seqs of a shard's void entries from `from_seq` on."""
    return {seq for (seq,) in connection.execute(READ_SQL["voids"], (shard, from_seq))}


def trial_balance(connection: sqlite3.Connection) -> Mapping[str, Mapping[str, int]]:
    """Currency → account → sum, from entries."""
    balances: dict[str, dict[str, int]] = {}
    for currency, provider, balance_delta, debt_delta in connection.execute(READ_SQL["trial_balance"]):
        accounts = balances.setdefault(currency, {"player": 0, "debt": 0})
        accounts["player"] += balance_delta
        accounts["debt"] -= debt_delta
        accounts[counterparty_of(provider)] = debt_delta - balance_delta
    return balances


def has_named(connection: sqlite3.Connection, nonce: str) -> bool:
    """Whether a writer of this nonce was named."""
    return connection.execute(READ_SQL["writer"], (nonce,)).fetchone() is not None


def registered_scripts(connection: sqlite3.Connection) -> Mapping[str, str]:
    """SHA → text."""
    return dict(connection.execute(READ_SQL["scripts"]).fetchall())
