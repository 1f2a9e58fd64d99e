"""Rebuild a wallet or a round from its entries alone. Pure; loading, committing and verifying all use it."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from seamless_wallet.commands import FUTURE_MAX_MS, Item, Kind, PlayerStatus
from seamless_wallet.errors import WalletError
from seamless_wallet.ledger.bets import Bet, BetState, Change
from seamless_wallet.ledger.entry import Entry


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
        if command.kind is not Kind.CREATE:
            raise FoldError(f"{command.kind} of a player that was never created")
        wallet = Wallet(command.user_id, command.currency, PlayerStatus.ACTIVE, 0, 0, 0, 0)
    elif command.kind is Kind.CREATE:
        raise FoldError(f"entry {entry.shard}/{entry.seq} creates a player that exists")
    expected = (
        wallet.version + 1,
        wallet.balance + decision.balance_delta,
        wallet.debt + decision.debt_delta,
    )
    if (decision.version, decision.balance, decision.debt) != expected or min(expected) < 0:
        raise FoldError(f"entry {entry.shard}/{entry.seq} does not follow version {wallet.version} of its wallet")
    return Wallet(
        wallet.user_id,
        wallet.currency,
        command.status if command.kind is Kind.STATUS else wallet.status,
        decision.version,
        entry.seq,
        decision.balance,
        decision.debt,
        _fold_session(wallet.sessions, entry),
    )


def _fold_session(sessions: dict[str, Session], entry: Entry) -> dict[str, Session]:
    """Login opens, logout closes unless it is not newer than the login, a bet with an effect renews what is open.

    A login counts as at most FUTURE_MAX_MS ahead of our clock, as in lua/login.lua (SEMANTICS row 24).
    """
    command = entry.command
    session = sessions.get(command.provider)
    now, effects = command.received_ms, entry.decision.effects
    match command.kind:
        case Kind.LOGIN:
            login_ms = min(command.timestamp_ms, now + FUTURE_MAX_MS)
            login_ms = max(session.login_ms, login_ms) if session else login_ms
            renewed_ms = max(session.renewed_ms, now) if session else now
            changed = Session(login_ms, renewed_ms)
        case Kind.LOGOUT if session and not session.closed_ms and command.timestamp_ms > session.login_ms:
            changed = Session(session.login_ms, session.renewed_ms, now)
        case Kind.BET if session and not session.closed_ms and now > session.renewed_ms and "+" in effects:
            changed = Session(session.login_ms, now)
        case _:
            return sessions
    return {**sessions, command.provider: changed}


def fold_bet(bet: Bet | None, entry: Entry, item: Item, effect: str) -> Bet:
    """The bet after one item of an entry; `bet` None: it was never seen.

    Facts only, nothing that a setting may change. Items without an effect are proven, too: what is told of a bet must
    be true of it. Raises BetContradiction.
    """
    kind = entry.command.kind
    takes_too_much = kind in (Kind.RESULT, Kind.CHANGE) and item.winloss < -item.amount
    if not takes_too_much and (bet is None or bet.stake == item.amount):
        if effect == "-" and bet is not None and _has_effect_already(bet, kind, item):
            return bet
        after = (
            _bet_after(bet, entry, item) if effect == ("t" if kind is Kind.CANCEL and bet is None else "+") else None
        )
        if after is not None:
            return after
    state = "no bet" if bet is None else repr(bet.text())
    raise BetContradiction(f"entry {entry.shard}/{entry.seq}: {kind} with effect {effect!r} cannot follow {state}")


def _has_effect_already(bet: Bet, kind: Kind, item: Item) -> bool:
    """Whether the bet is as an item without an effect says."""
    match kind, bet.state:
        case Kind.BET, BetState.OPEN | BetState.SETTLED:
            return True
        case Kind.CANCEL, BetState.CANCELLED | BetState.TOMBSTONE:
            return True
        case Kind.RESULT, BetState.SETTLED:
            return item.winloss in bet.winlosses()
        case Kind.CHANGE, BetState.SETTLED:
            return bet.was_changed(item.winloss_before, item.winloss)
        case _:
            return False


def _bet_after(bet: Bet | None, entry: Entry, item: Item) -> Bet | None:
    """The bet after an item with an effect; None if it cannot have one."""
    match entry.command.kind, bet and bet.state:
        case Kind.BET, None:
            return Bet(BetState.OPEN, item.amount)
        case Kind.CANCEL, None:
            return Bet(BetState.TOMBSTONE, item.amount)
        case Kind.CANCEL, BetState.OPEN:
            return Bet(BetState.CANCELLED, item.amount)
        case Kind.RESULT, BetState.OPEN:
            return Bet(BetState.SETTLED, item.amount, item.winloss, item.winloss)
        case Kind.CHANGE, BetState.SETTLED if bet and bet.winloss == item.winloss_before:
            change = Change(item.winloss_before, item.winloss, entry.command.timestamp_ms)
            return Bet(BetState.SETTLED, bet.stake, item.winloss, bet.first_winloss, (*bet.changes, change))
        case _:
            return None


def items_with_effects(entry: Entry) -> Iterator[tuple[Item, str]]:
    """The items of an entry, each with its letter. Raises FoldError unless there are as many of both."""
    command, effects = entry.command, entry.decision.effects
    if len(effects) != len(command.items):
        raise FoldError(f"entry {entry.shard}/{entry.seq} has {len(effects)} effects for {len(command.items)} items")
    return zip(command.items, effects, strict=True)


def fold_round(bets: dict[str, Bet], entry: Entry) -> None:
    """Apply one entry to the bets of its round, in place. Raises FoldError if an item does not follow."""
    for item, effect in items_with_effects(entry):
        bets[item.bet_index] = fold_bet(bets.get(item.bet_index), entry, item, effect)


def net_effect(entry: Entry) -> int:
    """What the entry's items and amount must move in all (Δbalance − Δdebt), minor units.

    Raises ValueError unless there are as many items as effects.
    """
    command = entry.command
    kind, moved = command.kind, 0
    for item, effect in zip(command.items, entry.decision.effects, strict=True):
        if effect == "+":
            moved += _moved_by(kind, item)
    if kind is Kind.DEPOSIT:
        return command.amount
    return -command.amount if kind is Kind.WITHDRAW else moved


def _moved_by(kind: Kind, item: Item) -> int:
    """What one item with an effect moves."""
    match kind:
        case Kind.BET:
            return -item.amount
        case Kind.RESULT:
            return item.amount + item.winloss
        case Kind.CANCEL:
            return item.amount
        case Kind.CHANGE:
            return item.winloss - item.winloss_before
        case _:
            return 0


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
