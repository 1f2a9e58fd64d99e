"""What one transaction of the writer writes, as rows: the proof of every entry, free of SQL.

Each entry is applied to what SQL holds of its wallet and of the bets that it names. What does not follow raises, and
nothing is written. A store reads what is asked for, and writes the rows over what was read (compare-and-swap).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from seamless_wallet.commands import Kind
from seamless_wallet.ledger.bets import Bet, BetState
from seamless_wallet.ledger.entry import Entry
from seamless_wallet.ledger.fold import fold_bet, items_with_effects
from seamless_wallet.stores.known import BetIdentity
from seamless_wallet.stores.rows import (
    EntryRow,
    Place,
    StoredWallet,
    WalletRow,
    apply_entry,
    entry_row,
    void_row,
    wallet_row,
)

SIGNPOST_EVERY: Final = 64
"""Entries of a player from one signpost to the next. A time or a seq is found by walking fewer than these."""

STATE_FROM: Final = 3
"""The first column of `wallet` that ever changes: status."""

Chained = tuple[Entry, bytes]
"""An entry that is not stored yet, and its chain link."""

ReadWallet = Callable[[str], StoredWallet | None]
ReadBet = Callable[[BetIdentity], Bet | None]


class Plan:
    """The rows of one transaction."""

    def __init__(self, shards: int, next_id: int, read_wallet: ReadWallet, read_bet: ReadBet) -> None:
        self._shards = shards
        self._next_id = next_id
        self._read_wallet = read_wallet
        self._read_bet = read_bet
        self._before: dict[str, StoredWallet | None] = {}
        self.wallets: dict[str, StoredWallet] = {}
        """What the plan leaves, by user_id."""
        self._bets_before: dict[BetIdentity, Bet | None] = {}
        self.bets: dict[BetIdentity, Bet] = {}
        self._first_seen: dict[BetIdentity, int] = {}
        self.entries: list[EntryRow] = []
        self.events: list[tuple[int, bytes, int, bytes]] = []
        """Player, digest, entry, fingerprint."""
        self.signposts: list[tuple[int, int, int, int]] = []
        """Player, seq, received_ms, entry."""

    def add(self, entry: Entry, chain: bytes) -> None:
        """Prove one more entry, and plan its rows. Raises FoldError, or another of INVALID_ENTRY_ERRORS.

        Then the plan is of no use any more.
        """
        stored = self._wallet(entry.user_id)
        entry_id = self._next_id
        if entry.void:
            player = stored.player if stored else 0
            self.entries.append(void_row(entry, Place(entry_id, player, 0, chain)))
            self._next_id += 1
            return
        wallet = apply_entry(stored.wallet if stored else None, entry, self._shards)
        player = stored.player if stored else entry.seq * self._shards + entry.shard
        row = entry_row(entry, Place(entry_id, player, stored.last if stored else 0, chain))
        self._follow_bets(entry, player, entry_id)
        self._next_id += 1
        self.wallets[entry.user_id] = StoredWallet(player, entry_id, wallet)
        self.entries.append(row)
        self.events.append((player, entry.event_digest, entry_id, entry.fingerprint))
        if wallet.version % SIGNPOST_EVERY == 0:
            self.signposts.append((player, entry.seq, row.received_ms, entry_id))

    def _wallet(self, user_id: str) -> StoredWallet | None:
        after = self.wallets.get(user_id)
        if after is not None:
            return after
        if user_id not in self._before:
            self._before[user_id] = self._read_wallet(user_id)
        return self._before[user_id]

    def _follow_bets(self, entry: Entry, player: int, entry_id: int) -> None:
        """Every bet that the entry names, after it. Raises BetContradiction for what does not follow."""
        digest = entry.round_digest
        if digest is None:
            return
        is_bet = entry.command.kind is Kind.BET
        for item, effect in items_with_effects(entry):
            key = (player, digest, item.bet_index)
            before = self._known_bet(key, is_new=is_bet and effect == "+")
            self.bets[key] = fold_bet(before, entry, item, effect)
            self._first_seen.setdefault(key, entry_id)

    def _known_bet(self, key: BetIdentity, *, is_new: bool) -> Bet | None:
        """The bet before an item. One that is said to be new is not looked for: its row is refused if it is not."""
        after = self.bets.get(key)
        if after is not None:
            return after
        if key not in self._bets_before:
            self._bets_before[key] = None if is_new else self._read_bet(key)
        return self._bets_before[key]

    # ------------------------------------------------------------------ rows, once every entry is added

    def created_wallets(self) -> list[WalletRow]:
        """Each new player."""
        return [
            wallet_row(new.player, new.last, new.wallet)
            for user_id, new in self.wallets.items()
            if self._before[user_id] is None
        ]

    def changed_wallets(self) -> list[tuple[object, ...]]:
        """New state; player, user_id, version, balance and debt that must still be there."""
        changed: list[tuple[object, ...]] = []
        for user_id, new in self.wallets.items():
            old = self._before[user_id]
            if old is not None:
                wallet = old.wallet
                state = wallet_row(new.player, new.last, new.wallet)[STATE_FROM:]
                changed.append((*state, old.player, user_id, wallet.version, wallet.balance, wallet.debt))
        return changed

    def new_bets(self) -> list[tuple[int, bytes, str, int, str]]:
        """Player, round digest, bet_index, entry, state."""
        return [
            (*key, self._first_seen[key], bet.text())
            for key, bet in self.bets.items()
            if self._bets_before[key] is None
        ]

    def changed_bets(self) -> list[tuple[str, int, bytes, str, str]]:
        """State; player, round digest, bet_index and the state that must still be there."""
        changed = []
        for key, bet in self.bets.items():
            old = self._bets_before[key]
            if old is not None and bet is not old:
                changed.append((bet.text(), *key, old.text()))
        return changed

    def opened_bets(self) -> list[tuple[int, bytes, str, int]]:
        """Player, round digest, bet_index, entry."""
        return [
            (*key, self._first_seen[key])
            for key, bet in self.bets.items()
            if _is_open(bet) and not _is_open(self._bets_before[key])
        ]

    def closed_bets(self) -> list[BetIdentity]:
        """Bets that were open and are not any more."""
        return [key for key, bet in self.bets.items() if _is_open(self._bets_before[key]) and not _is_open(bet)]


def plan_commit(
    chained: Iterable[Chained], shards: int, next_id: int, read_wallet: ReadWallet, read_bet: ReadBet
) -> Plan:
    """The rows of a transaction that stores these entries. Raises one of INVALID_ENTRY_ERRORS."""
    plan = Plan(shards, next_id, read_wallet, read_bet)
    for entry, chain in chained:
        plan.add(entry, chain)
    return plan


def _is_open(bet: Bet | None) -> bool:
    return bet is not None and bet.state is BetState.OPEN
