"""Whether the ledger is consistent. Pure checks over rows in a given order; every SQL backend feeds them.

Memory is bounded by what one player ever did. What nothing in the ledger repeats cannot be checked: its UUID, the
scales of currencies, the Redis server of a shard and an epoch raised without an entry.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from seamless_wallet.commands import shard_of
from seamless_wallet.ledger.bets import Bet, BetState
from seamless_wallet.ledger.entry import CHAIN_START, INVALID_ENTRY_ERRORS, Entry
from seamless_wallet.ledger.fold import Wallet, fold_bet, items_with_effects
from seamless_wallet.ledger.payload import UnknownPayloadVersion
from seamless_wallet.stores.planning import SIGNPOST_EVERY
from seamless_wallet.stores.rows import (
    VOID,
    EntryRow,
    Place,
    WalletRow,
    apply_entry,
    entry_of,
    entry_row,
    wallet_row,
)

ChainEnd = tuple[int, int, bytes]
"""Epoch, seq and chain of a shard's head."""

MarkRow = tuple[int, bytes, str, int, bytes | None, str | None]
"""open, digest, bet_index, entry, fingerprint, state of a row of `mark`."""

SignpostRow = tuple[int, int, int]
"""seq, received_ms, entry of a row of `signpost`."""

READ_ERRORS = (*INVALID_ENTRY_ERRORS, UnknownPayloadVersion)


class Finding(msgspec.Struct, frozen=True):
    """Something that does not fit, with the entry it is about, if it is about one."""

    shard: int | None
    seq: int | None
    text: str


class ChainCheck:
    """All entries in the order of their ids: gaps, epochs, links, and at last the heads.

    `ends` has, for each shard, where its chain got to. Begin with those of an earlier check to go on from there.
    """

    def __init__(self, ends: Mapping[int, ChainEnd] | None = None, last_id: int = 0) -> None:
        self.ends: dict[int, ChainEnd] = dict(ends or {})
        self.last_id = last_id

    def check(self, row: EntryRow, user_id: str | None) -> Iterator[Finding]:
        """One more entry. `user_id` None: there is no such player."""
        epoch, seq, previous = self.ends.get(row.shard, (0, 0, CHAIN_START))
        self.last_id = row.id
        self.ends[row.shard] = (row.epoch, row.seq, row.chain)
        if row.seq != seq + 1:
            yield Finding(row.shard, row.seq, f"the entry before it is {seq}")
        if row.epoch < epoch:
            yield Finding(row.shard, row.seq, f"epoch {row.epoch} after epoch {epoch}")
        if user_id is None and row.kind != VOID:
            yield Finding(row.shard, row.seq, "its player is not there")
            return
        try:
            entry = entry_of(row, user_id or "")
        except READ_ERRORS as error:
            yield Finding(row.shard, row.seq, f"cannot be read: {error}")
            return
        if entry.chained_to(previous) != row.chain:
            yield Finding(row.shard, row.seq, "is not chained to the entry before it")

    def check_heads(self, heads: Mapping[int, ChainEnd], shards: int) -> Iterator[Finding]:
        """The heads, once all entries were checked."""
        for shard in sorted(heads.keys() | self.ends.keys()):
            last = self.ends.get(shard, (0, 0, CHAIN_START))
            head = heads.get(shard)
            if head is None or not 0 <= shard < shards:
                yield Finding(shard, last[1], "the ledger has no such shard")
            elif head[1:] != last[1:] or head[0] < last[0]:
                yield Finding(shard, last[1], f"is not where the head says that the shard ends ({head[1]})")
        for shard in sorted(set(range(shards)) - heads.keys()):
            yield Finding(shard, None, "the shard has no head")


class PlayerCheck:
    """All entries of one player, oldest first: what they add up to is what the tables say of the player."""

    def __init__(self, player: int, user_id: str, shards: int) -> None:
        self._player = player
        self._user_id = user_id
        self._shards = shards
        self._wallet: Wallet | None = None
        self._last = 0
        self._events: dict[bytes, tuple[int, bytes]] = {}
        self._bets: dict[tuple[bytes, str], Bet] = {}
        self._first_seen: dict[tuple[bytes, str], int] = {}
        self._signposts: list[SignpostRow] = []

    def check(self, row: EntryRow) -> Iterator[Finding]:
        """One more entry of the player: its own arithmetic, its columns, and that it follows."""
        entry = entry_of(row, self._user_id)
        try:
            expected = entry_row(entry, Place(row.id, self._player, self._last, row.chain))
            self._wallet = apply_entry(self._wallet, entry, self._shards)
            self._follow_bets(entry, row.id)
        except READ_ERRORS as error:
            yield Finding(row.shard, row.seq, f"does not follow from the player's entries: {error}")
            return
        wrong = [name for name, is_, ought in zip(EntryRow._fields, row, expected, strict=True) if is_ != ought]
        if wrong:
            yield Finding(row.shard, row.seq, f"ought to have another {', '.join(wrong)}")
        if not self._last and self._player != row.seq * self._shards + row.shard:
            yield Finding(row.shard, row.seq, "its player has not the number of its place")
        if sum(leg.amount for leg in entry.legs()):
            yield Finding(row.shard, row.seq, "its legs are not what its items say")
        self._events[entry.event_digest] = (row.id, entry.fingerprint)
        if self._wallet.version % SIGNPOST_EVERY == 0:
            self._signposts.append((row.seq, row.received_ms, row.id))
        self._last = row.id

    def _follow_bets(self, entry: Entry, entry_id: int) -> None:
        digest = entry.round_digest
        if digest is None:
            return
        for item, effect in items_with_effects(entry):
            key = (digest, item.bet_index)
            self._bets[key] = fold_bet(self._bets.get(key), entry, item, effect)
            self._first_seen.setdefault(key, entry_id)

    def check_wallet(self, stored: WalletRow) -> Iterator[Finding]:
        """The player's row, once all entries were checked."""
        if self._wallet and stored != wallet_row(self._player, self._last, self._wallet):
            shard = shard_of(self._user_id, self._shards)
            yield Finding(shard, self._wallet.seq, "its wallet is not what the entries add up to")

    def check_marks(self, marks: Iterable[MarkRow]) -> Iterator[Finding]:
        """The player's marks, once all entries were checked."""
        for mark in self._expected_marks().symmetric_difference(marks):
            about = "an event" if not mark[2] else f"a bet, {mark[5] or 'open'}"
            yield Finding(
                self._player % self._shards,
                None,
                f"player {self._user_id}: the marks and the entries disagree about {about} of entry id {mark[3]}",
            )

    def check_signposts(self, signposts: Iterable[SignpostRow]) -> Iterator[Finding]:
        """The player's signposts, once all entries were checked."""
        if list(signposts) != self._signposts:
            yield Finding(self._player % self._shards, None, f"player {self._user_id}: a signpost leads astray")

    def _expected_marks(self) -> set[MarkRow]:
        expected: set[MarkRow] = {
            (0, digest, "", entry_id, fingerprint, None) for digest, (entry_id, fingerprint) in self._events.items()
        }
        for (digest, bet_index), bet in self._bets.items():
            first = self._first_seen[digest, bet_index]
            expected.add((0, digest, bet_index, first, None, bet.text()))
            if bet.state is BetState.OPEN:
                expected.add((1, digest, bet_index, first, None, None))
        return expected


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
