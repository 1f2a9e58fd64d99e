"""Rebuild a wallet or a round from its entries alone. Pure; loading, committing and verifying all use it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

import msgspec

from seamless_wallet.commands import FUTURE_MAX_MS, Item, Kind, PlayerStatus
from seamless_wallet.errors import WalletError
from seamless_wallet.ledger.bets import Bet, BetState, Change
from seamless_wallet.ledger.entry import Entry

# Python 3.11 takes 0.1 µs to find a member of an enum by its name, and much of what follows runs for every entry.
_CREATE, _STATUS, _CANCEL = Kind.CREATE, Kind.STATUS, Kind.CANCEL
_OPEN, _CANCELLED, _TOMBSTONE, _SETTLED = BetState.OPEN, BetState.CANCELLED, BetState.TOMBSTONE, BetState.SETTLED


class Session(msgspec.Struct, frozen=True, gc=False):
    """A player's session with one provider, epoch milliseconds.

    `login_ms` is the newest login by the provider's clock, `renewed_ms` the last login or bet by ours,
    `closed_ms` the logout by ours, 0 while open.
    """

    login_ms: int
    renewed_ms: int
    closed_ms: int = 0

    def text(self) -> str:
        """The form that Lua reads and writes: `<login> <renewed> <closed>`."""
        return f"{self.login_ms} {self.renewed_ms} {self.closed_ms}"


class Wallet(msgspec.Struct, frozen=True, gc=False):
    """A wallet after its newest entry. Amounts in minor units; `version` counts its entries; `seq` is the newest."""

    user_id: str
    currency: str
    status: str
    version: int
    seq: int
    balance: int
    debt: int
    sessions: dict[str, Session] = {}


class FoldError(WalletError, ValueError):
    """An entry does not follow from those before it."""


class BetContradiction(FoldError):
    """An entry says something of a bet that does not follow from what is known of it."""


def fold_wallet(wallet: Wallet | None, entry: Entry) -> Wallet:
    """The wallet after `entry`. Raises FoldError unless version, balance and debt follow from `wallet`."""
    command, decision = entry.command, entry.decision
    if wallet is None:
        if command.kind is not _CREATE:
            raise FoldError(f"{command.kind} of a player that was never created")
        wallet = Wallet(command.user_id, command.currency, PlayerStatus.ACTIVE, 0, 0, 0, 0)
    elif command.kind is _CREATE:
        raise FoldError(f"entry {entry.shard}/{entry.seq} creates a player that exists")
    version, balance, debt = decision.version, decision.balance, decision.debt
    follows = (
        version == wallet.version + 1
        and balance == wallet.balance + decision.balance_delta
        and debt == wallet.debt + decision.debt_delta
    )
    if not follows or balance < 0 or debt < 0:
        raise FoldError(f"entry {entry.shard}/{entry.seq} does not follow version {wallet.version} of its wallet")
    return Wallet(
        wallet.user_id,
        wallet.currency,
        command.status if command.kind is _STATUS else wallet.status,
        version,
        entry.seq,
        balance,
        debt,
        _fold_session(wallet.sessions, entry),
    )


def _fold_session(sessions: dict[str, Session], entry: Entry) -> dict[str, Session]:
    """Login opens, logout closes unless it is not newer than the login, a bet with an effect renews what is open."""
    fold = _SESSION_FOLDS.get(entry.command.kind)
    if fold is None:
        return sessions
    session = sessions.get(entry.command.provider)
    changed = fold(session, entry)
    return sessions if changed is session or changed is None else {**sessions, entry.command.provider: changed}


def _after_login(session: Session | None, entry: Entry) -> Session:
    """A login counts as at most FUTURE_MAX_MS ahead of our clock, as in lua/login.lua (SEMANTICS row 24)."""
    command = entry.command
    login_ms, renewed_ms = min(command.timestamp_ms, command.received_ms + FUTURE_MAX_MS), command.received_ms
    if session:
        login_ms, renewed_ms = max(session.login_ms, login_ms), max(session.renewed_ms, renewed_ms)
    return Session(login_ms, renewed_ms)


def _after_logout(session: Session | None, entry: Entry) -> Session | None:
    command = entry.command
    if session and not session.closed_ms and command.timestamp_ms > session.login_ms:
        return Session(session.login_ms, session.renewed_ms, command.received_ms)
    return session


def _after_bet(session: Session | None, entry: Entry) -> Session | None:
    now = entry.command.received_ms
    if session and not session.closed_ms and now > session.renewed_ms and "+" in entry.decision.effects:
        return Session(session.login_ms, now)
    return session


_SESSION_FOLDS: Final[Mapping[Kind, Callable[[Session | None, Entry], Session | None]]] = {
    Kind.LOGIN: _after_login,
    Kind.LOGOUT: _after_logout,
    Kind.BET: _after_bet,
}


def fold_bet(bet: Bet | None, entry: Entry, item: Item, effect: str) -> Bet:
    """The bet after one item of an entry; `bet` None: it was never seen.

    Facts only, nothing that a setting may change. Items without an effect are proven, too: what is told of a bet must
    be true of it. Raises BetContradiction.
    """
    kind = entry.command.kind
    rule = _ITEM_RULES.get(kind)
    if rule and item.winloss >= -item.amount and (bet is None or bet.stake == item.amount):
        if effect == "+" or (effect == "t" and kind is _CANCEL):
            after = rule.after(bet, item, entry.command.timestamp_ms)
            if after is not None and (effect == "t") == (after.state is _TOMBSTONE):
                return after
        elif effect == "-" and bet is not None and rule.had_effect(bet, item):
            return bet
    state = "no bet" if bet is None else repr(bet.text())
    raise BetContradiction(f"entry {entry.shard}/{entry.seq}: {kind} with effect {effect!r} cannot follow {state}")


class _ItemRule(NamedTuple):
    """What the items of one kind of entry do to a bet."""

    after: Callable[[Bet | None, Item, int], Bet | None]
    """The bet after an item with an effect, at the event's own time; None if it cannot have one."""

    had_effect: Callable[[Bet, Item], bool]
    """Whether the bet is already as an item without an effect says."""


def _after_stake(bet: Bet | None, item: Item, _timestamp_ms: int) -> Bet | None:
    return Bet(_OPEN, item.amount) if bet is None else None


def _after_cancel(bet: Bet | None, item: Item, _timestamp_ms: int) -> Bet | None:
    if bet is None:
        return Bet(_TOMBSTONE, item.amount)
    return Bet(_CANCELLED, item.amount) if bet.state is _OPEN else None


def _after_result(bet: Bet | None, item: Item, _timestamp_ms: int) -> Bet | None:
    if bet is None or bet.state is not _OPEN:
        return None
    return Bet(_SETTLED, item.amount, item.winloss, item.winloss)


def _after_change(bet: Bet | None, item: Item, timestamp_ms: int) -> Bet | None:
    if bet is None or bet.state is not _SETTLED or bet.winloss != item.winloss_before:
        return None
    change = Change(item.winloss_before, item.winloss, timestamp_ms)
    return Bet(_SETTLED, bet.stake, item.winloss, bet.first_winloss, (*bet.changes, change))


_ITEM_RULES: Final[Mapping[Kind, _ItemRule]] = {
    Kind.BET: _ItemRule(_after_stake, lambda bet, _item: bet.state is _OPEN or bet.state is _SETTLED),
    Kind.CANCEL: _ItemRule(_after_cancel, lambda bet, _item: bet.state is _CANCELLED or bet.state is _TOMBSTONE),
    Kind.RESULT: _ItemRule(_after_result, lambda bet, item: bet.state is _SETTLED and item.winloss in bet.winlosses()),
    Kind.CHANGE: _ItemRule(
        _after_change,
        lambda bet, item: bet.state is _SETTLED and bet.was_changed(item.winloss_before, item.winloss),
    ),
}


def items_with_effects(entry: Entry) -> Iterator[tuple[Item, str]]:
    """The items of an entry, each with its letter. Raises FoldError unless there are as many of both."""
    command, effects = entry.command, entry.decision.effects
    if len(effects) != len(command.items):
        raise FoldError(f"entry {entry.shard}/{entry.seq} has {len(effects)} effects for {len(command.items)} items")
    return zip(command.items, effects)  # noqa: B905 - of one length; to ask again costs as much as the rest


def fold_round(bets: dict[str, Bet], entry: Entry) -> None:
    """Apply one entry to the bets of its round, in place. Raises FoldError if an item does not follow."""
    for item, effect in items_with_effects(entry):
        bets[item.bet_index] = fold_bet(bets.get(item.bet_index), entry, item, effect)


def net_effect(entry: Entry) -> int:
    """What the entry's items and amount must move in all (Δbalance − Δdebt), minor units.

    Raises FoldError unless there are as many items as effects.
    """
    command = entry.command
    moved_by = _MOVED_BY_ITEM.get(command.kind, _nothing)
    moved = _MOVED_BY_AMOUNT.get(command.kind, 0) * command.amount
    for item, effect in items_with_effects(entry):
        if effect == "+":
            moved += moved_by(item)
    return moved


def _nothing(_item: Item) -> int:
    return 0


_MOVED_BY_ITEM: Final[Mapping[Kind, Callable[[Item], int]]] = {
    Kind.BET: lambda item: -item.amount,
    Kind.RESULT: lambda item: item.amount + item.winloss,
    Kind.CANCEL: lambda item: item.amount,
    Kind.CHANGE: lambda item: item.winloss - item.winloss_before,
}

_MOVED_BY_AMOUNT: Final[Mapping[Kind, int]] = {Kind.DEPOSIT: 1, Kind.WITHDRAW: -1}


def first_seen_bets(entry: Entry) -> list[str]:
    """Bet indexes that the entry placed or tombstoned for the first time."""
    if entry.command.kind not in (Kind.BET, Kind.CANCEL):
        return []
    first = "+" if entry.command.kind is Kind.BET else "t"
    return [
        item.bet_index
        for item, effect in zip(entry.command.items, entry.decision.effects, strict=True)
        if effect == first
    ]
