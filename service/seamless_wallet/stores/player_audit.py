"""Whether one player's entries give what the tables say of him. Pure checks; every SQL backend feeds them.

Memory is bounded, however much a player ever did: marks are checked in slices of digests. A player who has more events
and bets than may be held is read again for each further slice. Of a player whose first entries are archived, what the
closing figures say is gone on from.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Final

from seamless_wallet.commands import DIGEST_BYTES, shard_of
from seamless_wallet.ledger.bets import Bet, BetState, parse_bet
from seamless_wallet.ledger.entry import Decision, Entry
from seamless_wallet.ledger.fold import Wallet, first_seen_bets, fold_bet, items_with_effects
from seamless_wallet.stores.archived_marks import Closing, Later, MarkSum, bet_when_summed
from seamless_wallet.stores.audit import READ_ERRORS, Finding
from seamless_wallet.stores.planning import SIGNPOST_EVERY
from seamless_wallet.stores.rows import EntryRow, WalletRow, apply_entry, entry_of, wallet_row

MarkRow = tuple[int, bytes, str, int, bytes | None, str | None]
"""Whether it stands among the open bets, digest, bet_index, entry, fingerprint, state of a row of `mark`.

The fingerprint is that of an event, and None where a store has none: it is what the entry says.
"""

SignpostRow = tuple[int, int, int]
"""seq, received_ms, entry of a row of `signpost`."""

HELD_MAX: Final = 200_000
"""Events and bets that are held at a time, together; some hundred bytes each."""

FIRST_DIGEST: Final = b""
"""Not above any digest, also not above one that is too short."""

END: Final = bytes([255]) * (DIGEST_BYTES + 1)
"""Above every digest."""


def columns_that_differ(row: EntryRow, entry: Entry, previous: int) -> list[str]:
    """Names of columns that are not what the payload and the entry before it make them."""
    command = entry.command
    stand = (row.previous, row.kind, row.transaction_id, row.game_no, row.received_ms)
    ought = (previous, command.kind.value, command.transaction_id, command.game_no, command.received_ms)
    if stand == ought:
        return []
    names = ("previous", "kind", "transaction_id", "game_no", "received_ms")
    return [name for name, is_, it_ought in zip(names, stand, ought, strict=True) if is_ != it_ought]


def decided_entry(row: EntryRow, user_id: str) -> Entry:
    """An entry that is not void, with the decision of its columns: they are all that SQL has of it."""
    entry = entry_of(row, user_id)
    entry.decision = Decision(row.version, row.balance, row.debt, row.balance_delta, row.debt_delta, row.effects)
    return entry


class MarkCheck:
    """A player's marks with digests from `first` on and below `end`.

    While it holds more than `held_max`, it halves the slice, and forgets the upper half: another one has to go on from
    `end`, unless that is END. All slices add what is archived to one sum.
    """

    def __init__(
        self,
        player: int,
        user_id: str,
        shards: int,
        first: bytes,
        held_max: int,
        closing: Closing | None = None,
        archived: MarkSum | None = None,
        *,
        has_fingerprints: bool,
    ) -> None:
        currency = closing.wallet.currency if closing else ""
        self._shard = player % shards
        self._user_id = user_id
        self.first = first
        self.end = END
        self._held_max = held_max
        self._closing = closing
        self._has_fingerprints = has_fingerprints
        self.archived = archived or MarkSum(user_id, currency)
        self._events: list[MarkRow] = []
        self._bets: dict[tuple[bytes, str], tuple[int, Bet]] = {}
        """Of each bet the entry that named it first, and its state."""
        self._later: defaultdict[tuple[bytes, str], list[Later]] = defaultdict(list)
        """What entries say of bets that were named first in an archived one."""

    def follow(self, entry: Entry, entry_id: int) -> None:
        """One more entry. Raises one of READ_ERRORS for a bet that does not follow."""
        digest = entry.round_digest
        if digest is not None and self.first <= digest < self.end:
            first_seen = first_seen_bets(entry)
            for item, effect in items_with_effects(entry):
                key = (digest, item.bet_index)
                if self._closing and key not in self._bets and item.bet_index not in first_seen:
                    self._later[key].append(Later(entry_id, entry, item, effect))
                    continue
                seen_in, bet = self._bets.get(key, (entry_id, None))
                self._bets[key] = (seen_in, fold_bet(bet, entry, item, effect))
        digest = entry.event_digest
        if self.first <= digest < self.end:
            fingerprint = entry.fingerprint if self._has_fingerprints else None
            self._events.append((0, digest, "", entry_id, fingerprint, None))
        if len(self._events) + len(self._bets) + len(self._later) > self._held_max:
            self._narrow()

    def check(self, row: EntryRow) -> Iterator[Finding]:
        """One more entry, of whose other sides a PlayerCheck has told already."""
        try:
            self.follow(decided_entry(row, self._user_id), row.id)
        except READ_ERRORS as error:
            yield Finding(row.shard, row.seq, f"does not follow from the player's entries: {error}")

    def _narrow(self) -> None:
        """Forget the upper half of what is held. What has one digest stays together, however much it is."""
        held = sorted({mark[1] for mark in self._events} | {digest for digest, _ in (*self._bets, *self._later)})
        if len(held) > 1:
            self.end = held[len(held) // 2]
            self._events = [mark for mark in self._events if mark[1] < self.end]
            self._bets = {key: bet for key, bet in self._bets.items() if key[0] < self.end}
            for key in [key for key in self._later if key[0] >= self.end]:
                del self._later[key]

    def check_marks(self, marks: Iterable[MarkRow]) -> Iterator[Finding]:
        """All of the player's marks of the slice, once all entries were followed."""
        for mark in marks:
            yield from self.check_mark(mark)
        yield from self.check_missing()

    def check_mark(self, mark: MarkRow) -> Iterator[Finding]:
        """One of them."""
        if self._closing and mark[3] <= self._closing.archived_to:
            yield from self._check_archived(mark)
        elif mark in self._expected:
            self._expected.remove(mark)
        else:
            yield self._disagreement(mark)

    def check_missing(self) -> Iterator[Finding]:
        """Those that were not among them."""
        for mark in self._expected:
            yield self._disagreement(mark)
        for (_, bet_index), later in self._later.items():
            seq = later[0].entry.seq
            yield Finding(self._shard, seq, f"player {self._user_id}: the bet {bet_index} that it names is not there")

    @cached_property
    def _expected(self) -> set[MarkRow]:
        """What the entries come to, less what was there already."""
        expected = set(self._events)
        for (digest, bet_index), (seen_in, bet) in self._bets.items():
            expected.add((int(bet.state is BetState.OPEN), digest, bet_index, seen_in, None, bet.text()))
        return expected

    def _disagreement(self, mark: MarkRow) -> Finding:
        _, _, bet_index, entry_id, _, state = mark
        about = f"a bet, {state}" if bet_index else "an event"
        text = f"player {self._user_id}: the marks and the entries disagree about {about} of entry id {entry_id}"
        return Finding(self._shard, None, text)

    def _check_archived(self, mark: MarkRow) -> Iterator[Finding]:
        """One whose entry is archived: what it was then takes part in the sum."""
        _, digest, bet_index, entry_id, fingerprint, state = mark
        later = self._later.pop((digest, bet_index), [])
        if self._closing and bet_index and state is not None:
            try:
                state = bet_when_summed(parse_bet(state), later, self._closing.summed_at).text()
            except READ_ERRORS as error:
                text = f"player {self._user_id}: a bet of entry id {entry_id}, {state}, does not follow: {error}"
                yield Finding(self._shard, None, text)
        self.archived.add(digest, bet_index, entry_id, fingerprint, state)


class PlayerCheck:
    """All entries of one player, oldest first: what they add up to is what the tables say of the player.

    With `closing` they are those after it, and so are the signposts.
    """

    def __init__(
        self,
        player: int,
        user_id: str,
        shards: int,
        signposts: Iterator[SignpostRow],
        held_max: int,
        closing: Closing | None = None,
        *,
        has_fingerprints: bool,
    ) -> None:
        self._player = player
        self._user_id = user_id
        self._shards = shards
        self._signposts = signposts
        self._closing = closing
        self.marks = MarkCheck(
            player, user_id, shards, FIRST_DIGEST, held_max, closing, has_fingerprints=has_fingerprints
        )
        self._wallet: Wallet | None = closing.wallet if closing else None
        self._last = closing.row.id if closing else 0

    def check(self, row: EntryRow) -> Iterator[Finding]:
        """One more entry: its own arithmetic, its columns, that it follows, and its signpost if it must have one."""
        entry = decided_entry(row, self._user_id)
        try:
            wrong = columns_that_differ(row, entry, self._last)
            wallet = self._wallet = apply_entry(self._wallet, entry, self._shards)
            self.marks.follow(entry, row.id)
        except READ_ERRORS as error:
            yield Finding(row.shard, row.seq, f"does not follow from the player's entries: {error}")
            return
        if wrong:
            yield Finding(row.shard, row.seq, f"ought to have another {', '.join(wrong)}")
        if not self._last and self._player != row.seq * self._shards + row.shard:
            yield Finding(row.shard, row.seq, "its player has not the number of its place")
        signpost = (row.seq, row.received_ms, row.id)
        if wallet.version % SIGNPOST_EVERY == 0 and next(self._signposts, None) != signpost:
            yield Finding(row.shard, row.seq, "its signpost is not there, or leads astray")
        self._last = row.id

    def check_wallet(self, stored: WalletRow) -> Iterator[Finding]:
        """The player's row and what is left of the signposts, once all entries were checked."""
        shard = shard_of(self._user_id, self._shards)
        if self._wallet and stored != wallet_row(self._player, self._last, self._wallet):
            yield Finding(shard, self._wallet.seq, "its wallet is not what the entries add up to")
        if next(self._signposts, None) is not None:
            yield Finding(shard, None, f"player {self._user_id}: a signpost leads astray")

    def check_archived(self) -> Iterator[Finding]:
        """The sum over archived marks, once all slices of marks were checked."""
        if self._closing and self.marks.archived.digest() != self._closing.marks:
            shard = shard_of(self._user_id, self._shards)
            yield Finding(shard, None, f"player {self._user_id}: marks of archived entries are not as they were")
