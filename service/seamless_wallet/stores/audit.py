"""Whether the ledger is consistent. Pure checks over rows in a given order; every SQL backend feeds them.

Memory is bounded by one player's sessions and one round's bets. What nothing in the ledger repeats cannot be checked:
its UUID, the scales of currencies, the Redis server of a shard and an epoch raised without an entry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from operator import itemgetter

import msgspec

from seamless_wallet.commands import bet_digest, shard_of
from seamless_wallet.ledger.bets import Bet, BetState
from seamless_wallet.ledger.entry import CHAIN_START, Entry
from seamless_wallet.ledger.fold import Wallet, fold_round, net_effect
from seamless_wallet.stores.rows import (
    INVALID_ENTRY_ERRORS,
    EntryRow,
    StoredRow,
    WalletRow,
    apply_entry,
    encode_sessions,
    entry_row,
    first_seen_digests,
)

ChainEnd = tuple[int, int, bytes]
"""Epoch, seq and chain of a shard's head."""


class Finding(msgspec.Struct, frozen=True):
    """Something that does not fit, with the entry it is about, if it is about one."""

    shard: int | None
    seq: int | None
    text: str


def check_chain(
    rows: Iterable[tuple[EntryRow, bytes]], heads: Mapping[int, ChainEnd], shards: int
) -> Iterator[Finding]:
    """All entries with their chain links, by shard and seq: gaps, links, and the columns that repeat the payload."""
    ends: dict[int, ChainEnd] = {}
    for row, chain in rows:
        epoch, seq, previous = ends.get(row.shard, (0, 0, CHAIN_START))
        if row.seq != seq + 1:
            yield Finding(row.shard, row.seq, f"the entry before it is {seq}")
        if row.epoch < epoch:
            yield Finding(row.shard, row.seq, f"epoch {row.epoch} after epoch {epoch}")
        entry = Entry(row.shard, row.epoch, row.seq, row.payload, row.decided)
        if entry.chained_to(previous) != chain:
            yield Finding(row.shard, row.seq, "is not chained to the entry before it")
        yield from _check_entry(entry, row, shards)
        ends[row.shard] = (row.epoch, row.seq, chain)
    for shard in sorted(heads.keys() | ends.keys()):
        last = ends.get(shard, (0, 0, CHAIN_START))
        head = heads.get(shard)
        if head is None or not 0 <= shard < shards:
            yield Finding(shard, last[1], "the ledger has no such shard")
        elif head[1:] != last[1:] or head[0] < last[0]:
            yield Finding(shard, last[1], f"is not where the head says that the shard ends ({head[1]})")
    for shard in sorted(set(range(shards)) - heads.keys()):
        yield Finding(shard, None, "the shard has no head")


def _check_entry(entry: Entry, row: EntryRow, shards: int) -> Iterator[Finding]:
    """Its own arithmetic, and its columns."""
    try:
        expected = entry_row(entry, row.currency)
        balanced = sum(leg.amount for leg in entry.legs()) == 0
        moved = entry.decision.balance_delta - entry.decision.debt_delta == net_effect(entry)
        in_its_shard = shard_of(entry.command.user_id, shards) == entry.shard
    except INVALID_ENTRY_ERRORS as error:
        yield Finding(row.shard, row.seq, f"cannot be read: {error}")
        return
    wrong = [name for name, is_, ought in zip(EntryRow._fields, row, expected, strict=True) if is_ != ought]
    if wrong:
        yield Finding(row.shard, row.seq, f"its payload says another {', '.join(wrong)}")
    if not (balanced and moved):
        yield Finding(row.shard, row.seq, "its legs are not what its items say")
    if not in_its_shard:
        yield Finding(row.shard, row.seq, "its player belongs to another shard")


def check_wallets(
    rows: Iterable[tuple[str, str, Entry]],
    stored: Callable[[str], tuple[int, WalletRow] | None],
    shards: int,
) -> Iterator[Finding]:
    """All entries as (user_id, currency, entry), by user_id and seq: each wallet is what its entries add up to.

    `stored`: user_id → shard and row of the wallet.
    """
    for user_id, group in groupby(rows, key=itemgetter(0)):
        wallet: Wallet | None = None
        found = stored(user_id)
        for _, currency, entry in group:
            try:
                wallet = apply_entry(wallet, entry, shards)
            except INVALID_ENTRY_ERRORS as error:
                yield Finding(entry.shard, entry.seq, f"does not follow from the player's entries: {error}")
                break
            if currency != wallet.currency or entry.command.user_id != user_id:
                yield Finding(entry.shard, entry.seq, "its player or currency is not that of the wallet")
        else:
            if wallet and found != (shard_of(user_id, shards), _row_of(wallet)):
                yield Finding(shard_of(user_id, shards), wallet.seq, "its wallet is not what the entries add up to")


def _row_of(wallet: Wallet) -> WalletRow:
    return (
        wallet.user_id,
        wallet.currency,
        wallet.status,
        wallet.version,
        wallet.seq,
        wallet.balance,
        wallet.debt,
        encode_sessions(wallet.sessions),
    )


def check_rounds(
    rows: Iterable[StoredRow],
    stored_round: Callable[[bytes], tuple[str, int] | None],
    stored_bet: Callable[[bytes], tuple[int, int, str] | None],
) -> Iterator[Finding]:
    """All entries that have a round, by round and seq: its count of open bets, each bet's state and first entry.

    `stored_round`: digest → user_id and open bets. `stored_bet`: digest → shard, seq and state.
    """
    for digest, group in groupby(rows, key=itemgetter(0)):
        bets: dict[str, Bet] = {}
        first_entry: dict[str, tuple[int, int]] = {}
        for _, shard, epoch, seq, payload, decided in group:
            entry = Entry(shard, epoch, seq, payload, decided)
            try:
                fold_round(bets, entry)
            except INVALID_ENTRY_ERRORS as error:
                yield Finding(entry.shard, entry.seq, f"does not follow from the entries of its round: {error}")
                break
            for item in entry.command.items:
                first_entry.setdefault(item.bet_index, (entry.shard, entry.seq))
        else:
            for index, bet in bets.items():
                shard, seq = first_entry[index]
                if stored_bet(bet_digest(entry.command, index)) != (shard, seq, bet.text()):
                    yield Finding(shard, seq, f"the table of bets does not say that it placed a bet, now {bet.text()}")
            open_bets = sum(bet.state is BetState.OPEN for bet in bets.values())
            expected = (entry.command.user_id, open_bets)
            if (stored_round(digest) or (entry.command.user_id, 0)) != expected:
                yield Finding(entry.shard, entry.seq, f"its round has {open_bets} open bets, and the table says else")


def is_first_seen(bet: bytes, entry: Entry | None) -> bool:
    """Whether the entry is the one that placed or tombstoned this bet."""
    try:
        return entry is not None and bet in first_seen_digests(entry)
    except INVALID_ENTRY_ERRORS:
        return False


def check_totals(
    trial_balance: Mapping[str, Mapping[str, int]], wallets: Mapping[str, tuple[int, int]]
) -> Iterator[Finding]:
    """Accounts sum to zero and players' accounts to their wallets. `wallets`: currency → Σ balance, Σ debt."""
    for currency in sorted(trial_balance.keys() | wallets.keys()):
        accounts = trial_balance.get(currency, {"player": 0, "debt": 0})
        if sum(accounts.values()):
            yield Finding(None, None, f"the accounts in {currency} sum to {sum(accounts.values())}, not 0")
        balance, debt = wallets.get(currency, (0, 0))
        if (accounts["player"], accounts["debt"]) != (balance, -debt):
            yield Finding(None, None, f"the wallets in {currency} hold {balance} and owe {debt}, the entries say else")
