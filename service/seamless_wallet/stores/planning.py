"""What one transaction of the writer writes, as rows: the proof of every entry, free of SQL.

Each entry is applied to what SQL holds of its wallet and of the bets that it names. What does not follow raises, and
nothing is written. A store reads what is asked for, and writes the rows over what was read (compare-and-swap).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from seamless_wallet.commands import Kind
from seamless_wallet.ledger.bets import Bet
from seamless_wallet.ledger.entry import Entry
from seamless_wallet.ledger.fold import fold_bet, items_with_effects
from seamless_wallet.stores.known import BetIdentity
from seamless_wallet.stores.rows import (
    StoredWallet,
    WalletRow,
    apply_entry,
    encode_sessions,
    entry_row,
    void_row,
    wallet_row,
)

SIGNPOST_EVERY: Final = 64
"""Entries of a player from one signpost to the next. A time or a seq is found by walking fewer than these."""

_BET = Kind.BET

Chained = tuple[Entry, bytes]
"""An entry that is not stored yet, and its chain link."""

ReadWallet = Callable[[str], StoredWallet | None]
ReadBet = Callable[[BetIdentity], Bet | None]


class Plan:
    """The rows of one transaction.

    The ids of its entries count up from `next_id`. Without one each is the entry's place: seq × shards + shard.
    """

    def __init__(self, shards: int, next_id: int | None, read_wallet: ReadWallet, read_bet: ReadBet) -> None:
        self._shards = shards
        self._next_id = next_id
        self._read_wallet = read_wallet
        self._read_bet = read_bet
        self._wallets_before: dict[str, StoredWallet | None] = {}
        self.wallets: dict[str, StoredWallet] = {}
        """What the plan leaves, by user_id."""
        self._bets_before: dict[BetIdentity, Bet | None] = {}
        self.bets: dict[BetIdentity, Bet] = {}
        self._first_seen: dict[BetIdentity, int] = {}
        self.entries: list[tuple[object, ...]] = []
        """In the order of `EntryRow`."""
        self.events: list[tuple[int, bytes, int]] = []
        """Player, digest, entry."""
        self._proven: list[Entry] = []
        self.signposts: list[tuple[int, int, int, int]] = []
        """Player, seq, received_ms, entry."""

    def add(self, entry: Entry, chain: bytes) -> None:
        """Prove one more entry, and plan its rows. Raises FoldError, or another of INVALID_ENTRY_ERRORS.

        Then the plan is of no use any more.
        """
        user_id, entry_id = entry.user_id, self._next_id
        stored = self.wallets.get(user_id) or self._wallet_before(user_id)
        if entry_id is None:
            entry_id = entry.seq * self._shards + entry.shard
        else:
            self._next_id = entry_id + 1
        if entry.void:
            player = stored.player if stored else 0
            self.entries.append(void_row(entry, (entry_id, player, 0, chain)))
            return
        if stored:
            wallet, player, previous = apply_entry(stored.wallet, entry, self._shards), stored.player, stored.last
        else:
            wallet, player, previous = apply_entry(None, entry, self._shards), entry.seq * self._shards + entry.shard, 0
        self.entries.append(entry_row(entry, (entry_id, player, previous, chain)))
        round_digest = entry.round_digest
        if round_digest is not None:
            self._follow_bets(entry, player, round_digest, entry_id)
        self.wallets[user_id] = StoredWallet(player, entry_id, wallet)
        self.events.append((player, entry.event_digest, entry_id))
        self._proven.append(entry)
        if wallet.version % SIGNPOST_EVERY == 0:
            self.signposts.append((player, entry.seq, entry.command.received_ms, entry_id))

    def _wallet_before(self, user_id: str) -> StoredWallet | None:
        if user_id not in self._wallets_before:
            self._wallets_before[user_id] = self._read_wallet(user_id)
        return self._wallets_before[user_id]

    def _follow_bets(self, entry: Entry, player: int, round_digest: bytes, entry_id: int) -> None:
        """Every bet that the entry names, after it. Raises BetContradiction for what does not follow."""
        places_bets = entry.command.kind is _BET
        for item, effect in items_with_effects(entry):
            key = (player, round_digest, item.bet_index)
            before = self.bets.get(key) or self._bet_before(key, is_new=places_bets and effect == "+")
            self.bets[key] = fold_bet(before, entry, item, effect)
            self._first_seen.setdefault(key, entry_id)

    def _bet_before(self, key: BetIdentity, *, is_new: bool) -> Bet | None:
        """The bet before the plan. One that is said to be new is not looked for: its row is refused if it is not."""
        if key not in self._bets_before:
            self._bets_before[key] = None if is_new else self._read_bet(key)
        return self._bets_before[key]

    # ------------------------------------------------------------------ rows, once every entry is added

    def fingerprints(self) -> list[bytes]:
        """What each of the events says, for a store that keeps it beside them."""
        return [entry.fingerprint for entry in self._proven]

    def created_wallets(self) -> list[WalletRow]:
        """Each new player."""
        return [
            wallet_row(new.player, new.last, new.wallet)
            for user_id, new in self.wallets.items()
            if self._wallets_before[user_id] is None
        ]

    def changed_wallets(self) -> list[tuple[object, ...]]:
        """New state; player, user_id, version, balance and debt that must still be there."""
        changed: list[tuple[object, ...]] = []
        for user_id, new in self.wallets.items():
            old = self._wallets_before[user_id]
            if old is not None:
                was, now = old.wallet, new.wallet
                changed.append((
                    now.status, now.version, now.seq, now.balance, now.debt, new.last, encode_sessions(now.sessions),
                    old.player, user_id, was.version, was.balance, was.debt,
                ))  # fmt: skip
        return changed

    def bet_rows(self) -> BetRows:
        """What becomes of every bet that the plan has met."""
        rows = BetRows([], [])
        for key, bet in self.bets.items():
            old = self._bets_before[key]
            if old is bet:
                continue
            if old is None:
                rows.new.append((*key, self._first_seen[key], bet.text()))
            else:
                rows.changed.append((bet.text(), *key, old.text()))
        return rows


class BetRows(NamedTuple):
    """What a plan does to the bets."""

    new: list[tuple[int, bytes, str, int, str]]
    """Player, round digest, bet_index, entry, state."""

    changed: list[tuple[str, int, bytes, str, str]]
    """State; player, round digest, bet_index and the state that must still be there."""


def plan_commit(
    chained: Iterable[Chained], shards: int, next_id: int | None, read_wallet: ReadWallet, read_bet: ReadBet
) -> Plan:
    """The rows of a transaction that stores these entries. Raises one of INVALID_ENTRY_ERRORS."""
    plan = Plan(shards, next_id, read_wallet, read_bet)
    for entry, chain in chained:
        plan.add(entry, chain)
    return plan
