"""One bet, and what an event may do to it: rows 4, 5, 16, 30, 34 and 40 to 65 of docs/semantics.md."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from seamless_wallet.commands import Code, Command, Item, Kind, Policy

TOLERANCE_MS = 5_000  # row 61
CHANGES_MAX = 64  # Result change

Complaint = tuple[Code, str]


class State(StrEnum):
    OPEN = "O"
    CANCELLED = "C"
    TOMBSTONE = "T"
    SETTLED = "S"


@dataclass(frozen=True)
class Bet:
    """One bet. A tombstone's stake is what the cancel named."""

    state: State
    stake: int
    winloss: int = 0
    first: int = 0  # the winloss it was settled with
    changes: tuple[tuple[int, int, int], ...] = ()  # before, after, timestamp_ms

    @property
    def dead(self) -> bool:
        return self.state in {State.CANCELLED, State.TOMBSTONE}


def judge(command: Command, item: Item, bet: Bet | None, policy: Policy) -> Iterator[Bet | Complaint | str]:
    """What one item comes to: complaints, or the bet after it; nothing at all if it has its effect already.

    A reason alone is a remark: the item has its effect, and something is odd about it.
    """
    match command.kind:
        case Kind.BET:
            yield from _judge_bet(item, bet)
        case Kind.CANCEL:
            yield from _judge_cancel(item, bet, policy)
        case Kind.RESULT:
            yield from _judge_result(item, bet)
        case _:
            yield from _judge_change(item, bet, command.timestamp_ms)


def _judge_bet(item: Item, bet: Bet | None) -> Iterator[Bet | Complaint]:
    if bet is None:
        yield Bet(State.OPEN, item.amount)  # 30, 16
        return
    if bet.dead:
        yield Code.R3, "bet_cancelled"  # 34
    if bet.stake != item.amount:
        yield Code.R3, "bet_differs"  # 5


def _judge_cancel(item: Item, bet: Bet | None, policy: Policy) -> Iterator[Bet | Complaint]:
    if bet is None:
        yield (Code.R3, "unknown_bet") if policy.cancel_unknown == "r3" else Bet(State.TOMBSTONE, item.amount)  # 43
        return
    if bet.stake != item.amount:
        yield Code.R3, "stake_differs"  # 41, 5
    if bet.state is State.SETTLED:
        yield Code.R3, "cancel_of_settled"  # 44
    if bet.state is State.OPEN:
        yield replace(bet, state=State.CANCELLED)  # 40


def _judge_result(item: Item, bet: Bet | None) -> Iterator[Bet | Complaint]:
    if item.winloss < -item.amount:
        yield Code.R3, "winloss_below_stake"  # 51
    if bet is None:
        yield Code.R1, "orphan"  # 54
        return
    if bet.stake != item.amount:
        yield Code.R3, "stake_differs"  # 51, 5
    if bet.dead:
        yield Code.R3, "result_of_cancelled"  # 55
    if bet.state is State.OPEN:
        yield Bet(State.SETTLED, bet.stake, item.winloss, item.winloss)  # 50
    elif bet.state is State.SETTLED and item.winloss not in {bet.first, *(after for _, after, _ in bet.changes)}:
        yield Code.R3, "settled_differently"  # 53, else 52


def _judge_change(item: Item, bet: Bet | None, timestamp_ms: int) -> Iterator[Bet | Complaint | str]:
    if item.winloss < -item.amount:
        yield Code.R3, "winloss_below_stake"  # 51
    if bet is None:
        yield Code.R1, "orphan"  # 64
        return
    if bet.stake != item.amount:
        yield Code.R3, "stake_differs"  # 51
    if bet.dead:
        yield Code.R3, "change_of_cancelled"  # 65
    if bet.state is State.OPEN:
        yield Code.R1, "change_early"  # 64: before the result
    if bet.state is State.SETTLED:
        yield from _judge_transition(item, bet, timestamp_ms)


def _judge_transition(item: Item, bet: Bet, timestamp_ms: int) -> Iterator[Bet | Complaint | str]:
    """Rows 60 to 64, in this order."""
    change = (item.winloss_before, item.winloss, timestamp_ms)
    if change in bet.changes:
        if bet.winloss != item.winloss:
            yield "change_superseded"
        return  # 60
    if bet.winloss == item.winloss_before:
        if bet.changes and timestamp_ms < bet.changes[-1][2] - TOLERANCE_MS:
            yield Code.R1, "change_outdated"  # 62
        elif len(bet.changes) >= CHANGES_MAX:
            yield Code.R3, "too_many_changes"
        else:
            yield replace(bet, winloss=item.winloss, changes=(*bet.changes, change))  # 61
    elif change[:2] not in {(before, after) for before, after, _ in bet.changes}:
        yield Code.R1, "change_early"  # 64, else 63


def moved(kind: Kind, after: Bet, before: Bet | None) -> int:
    """What one item moves to the player. The stored values decide, never those of the event (rows 40, 50, 61)."""
    if kind is Kind.BET:
        return -after.stake
    if before is None:
        return 0  # a tombstone
    if kind is Kind.CANCEL:
        return before.stake
    return before.stake + after.winloss if kind is Kind.RESULT else after.winloss - before.winloss
