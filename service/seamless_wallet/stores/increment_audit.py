"""What can be told of the newest entries alone, from a checkpoint on. Pure checks; every SQL backend feeds them.

It needs the entry before each one, and nothing older. So it does not see what was changed before the checkpoint, and of
a bet no more than that its mark is there: see `wallet docs operations`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from seamless_wallet.commands import PlayerStatus
from seamless_wallet.exit_status import EXIT_FAILURE
from seamless_wallet.ledger.bets import parse_bet
from seamless_wallet.ledger.entry import Entry
from seamless_wallet.ledger.fold import Wallet, first_seen_bets
from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.stores.audit import READ_ERRORS, ChainEnd, Finding
from seamless_wallet.stores.planning import SIGNPOST_EVERY
from seamless_wallet.stores.player_audit import columns_that_differ, decided_entry
from seamless_wallet.stores.rows import VOID, EntryRow, WalletRow, apply_entry

LAST: Final = 8
"""The column `last` of `wallet`."""


class CheckpointRefused(StoreError):
    """A checkpoint that is not of this ledger, or not any more. One line that says what to do."""

    exit_status = EXIT_FAILURE


class Checkpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far a ledger was verified: the id of the last entry, and where the chain of each shard stood then."""

    uuid: str
    last_id: int = 0
    ends: Mapping[int, ChainEnd] = {}


class Increment(msgspec.Struct, frozen=True):
    """What came of some more entries. `at_end`: there are no newer ones yet."""

    checkpoint: Checkpoint
    entries: int
    findings: Sequence[Finding]
    at_end: bool


EventMark = tuple[int, bytes | None]
"""Of an event: its entry, and its fingerprint."""


class BetMark(NamedTuple):
    """Of a bet: the entry that it names, and its state."""

    entry: int
    state: str


class Tables(NamedTuple):
    """How the rows are asked for that belong to an entry. Each answers None if there is no such row.

    `has_fingerprints`: whether the mark of an event has one. Where it has none, None stands for it.
    """

    entry: Callable[[int], EntryRow | None]
    event_mark: Callable[[int, bytes], EventMark | None]
    bet_mark: Callable[[int, bytes, str], BetMark | None]
    signpost: Callable[[int, int], tuple[int, int] | None]
    has_fingerprints: bool


class FollowCheck:
    """New entries in the order of their ids. It holds the newest one of each player."""

    def __init__(self, shards: int, tables: Tables) -> None:
        self._shards = shards
        self._tables = tables
        self.newest: dict[int, EntryRow] = {}

    def check(self, row: EntryRow, user_id: str, currency: str) -> Iterator[Finding]:
        """One more entry, with what its player's wallet says. What is no entry of a player is left out."""
        if row.kind == VOID:
            return
        before = self.newest.get(row.player) or self._tables.entry(row.previous)
        self.newest[row.player] = row
        wallet = None
        if before is not None:
            if before.player != row.player or before.kind == VOID or before.id >= row.id:
                yield Finding(row.shard, row.seq, "is not linked to an entry of its player")
                return
            state = (before.version, before.seq, before.balance, before.debt)
            wallet = Wallet(user_id, currency, PlayerStatus.ACTIVE, *state)
        elif self._shards * row.seq + row.shard != row.player:
            yield Finding(row.shard, row.seq, "its player has not the number of its place")
        entry = decided_entry(row, user_id)
        try:
            wrong = columns_that_differ(row, entry, before.id if before else 0)
            apply_entry(wallet, entry, self._shards)
            missing = list(self._wrong_marks(row, entry))
        except READ_ERRORS as error:
            yield Finding(row.shard, row.seq, f"does not follow from the entry before it: {error}")
            return
        if wrong:
            yield Finding(row.shard, row.seq, f"ought to have another {', '.join(wrong)}")
        for what in missing:
            yield Finding(row.shard, row.seq, f"{what} is not there, or says else")

    def _wrong_marks(self, row: EntryRow, entry: Entry) -> Iterator[str]:
        fingerprint = entry.fingerprint if self._tables.has_fingerprints else None
        if self._tables.event_mark(row.player, entry.event_digest) != (row.id, fingerprint):
            yield "the mark of its event"
        digest = entry.round_digest
        if digest is not None:
            first = first_seen_bets(entry)
            for item in entry.command.items:
                mark = self._tables.bet_mark(row.player, digest, item.bet_index)
                if mark is None or not _fits(mark, row.id, item.amount, is_first=item.bet_index in first):
                    yield f"the mark of bet {item.bet_index}"
        signpost = (row.received_ms, row.id)
        if row.version % SIGNPOST_EVERY == 0 and self._tables.signpost(row.player, row.seq) != signpost:
            yield "its signpost"

    def check_wallet(self, newest: EntryRow, stored: WalletRow, last_id: int) -> Iterator[Finding]:
        """The wallet of a player whose newest entry up to `last_id` this is; it may be newer than that."""
        if stored[LAST] > last_id:
            return
        says = (stored[LAST], *stored[4:LAST])
        if says != (newest.id, newest.version, newest.seq, newest.balance, newest.debt):
            yield Finding(newest.shard, newest.seq, "its wallet is not what its newest entry says")


def _fits(mark: BetMark, entry_id: int, amount: int, *, is_first: bool) -> bool:
    try:
        bet = parse_bet(mark.state)
    except ValueError:
        return False
    right_entry = mark.entry == entry_id if is_first else mark.entry < entry_id
    return right_entry and bet.stake == amount
