"""What stays to be proven of marks whose entries are archived: that they are still as they were. Pure checks.

Their entries cannot be read again. So a digest of them is kept for each player: the sum, by exclusive or, of the
digest of each mark, as it does not depend on their order. A bet may change afterwards. The sum is of what it was when
the month was archived, which follows from the entries since then.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from seamless_wallet.commands import DIGEST_BYTES, Item, Kind
from seamless_wallet.ledger.bets import Bet, BetState
from seamless_wallet.ledger.entry import Entry
from seamless_wallet.ledger.fold import BetContradiction, Wallet, fold_bet
from seamless_wallet.stores.rows import EntryRow

_pack = msgspec.msgpack.Encoder().encode


class Closing(NamedTuple):
    """Where a player's entries begin that are not archived: after `row`, his newest one that is."""

    row: EntryRow
    wallet: Wallet
    marks: bytes
    """The sum over his archived marks."""

    archived_to: int
    """The place of the last archived entry of his shard."""

    summed_at: int
    """The place of the last entry of his shard when `marks` was summed."""


class Later(NamedTuple):
    """What an entry says of a bet whose first entry is archived."""

    entry_id: int
    entry: Entry
    item: Item
    effect: str


class MarkSum:
    """The sum over a player's marks, and over who he is."""

    def __init__(self, user_id: str, currency: str) -> None:
        self._sum = 0
        self._add(user_id, currency)

    def add(self, digest: bytes, bet_index: str, entry_id: int, fingerprint: bytes | None, state: str | None) -> None:
        """One more mark."""
        self._add(digest, bet_index, entry_id, fingerprint, state)

    def _add(self, *parts: bytes | str | int | None) -> None:
        self._sum ^= int.from_bytes(blake2b(_pack(parts), digest_size=DIGEST_BYTES).digest(), "big")

    def digest(self) -> bytes:
        """Of all so far."""
        return self._sum.to_bytes(DIGEST_BYTES, "big")


def bet_when_summed(bet: Bet, later: Sequence[Later], summed_at: int) -> Bet:
    """The bet as of the last entry at `summed_at` or before; `later` has what is not archived, oldest first.

    Raises BetContradiction unless `bet` is what it all comes to.
    """
    before = _bet_before(bet, [each for each in later if each.effect == "+"])
    summed = before
    for entry_id, entry, item, effect in later:
        before = fold_bet(before, entry, item, effect)
        if entry_id <= summed_at:
            summed = before
    if before != bet:
        raise BetContradiction(f"its entries come to {before.text()!r}")
    return summed


def _bet_before(bet: Bet, moves: Sequence[Later]) -> Bet:
    """What the bet was before all of these had their effect."""
    if not moves:
        return bet
    if moves[0].entry.command.kind is not Kind.CHANGE:
        return Bet(BetState.OPEN, bet.stake)
    kept = len(bet.changes) - len(moves)
    if bet.state is not BetState.SETTLED or kept < 0:
        raise BetContradiction(f"{bet.text()!r} has not {len(moves)} changes")
    return Bet(bet.state, bet.stake, bet.changes[kept].before, bet.first_winloss, bet.changes[:kept])
