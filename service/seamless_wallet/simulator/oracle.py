"""Which answer each event of one player is due, from the rules alone.

Written from the case table (SEMANTICS rows 1–67), independently of the scripts that decide: where the two differ,
one of them is wrong. It sees each event once, in the order in which they are decided; an event that is sent again
because no decision came is not another event. Amounts in minor units.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from seamless_wallet.commands import (
    CHANGE_TOLERANCE_MS,
    FUTURE_MAX_MS,
    Code,
    Command,
    Item,
    Kind,
    Policy,
    fingerprint,
)
from seamless_wallet.provider_choices import CancelUnknownRule, ChangeOverdrawRule

SEVERITY = (Code.R0, Code.R4, Code.R1, Code.R3)
"""From best to worst: the worst item decides a batch."""

BetKey = tuple[str, str]
"""game_no, bet_index."""


def epoch_ms() -> int:
    """The time of this machine, which is about that of the wallet."""
    return time.time_ns() // 1_000_000


class Ruling(NamedTuple):
    """The answer that is due. `remembered`: a stored decline, which goes with a Redis that is lost."""

    code: Code
    balance: int
    row: str
    remembered: bool = False


@dataclass
class OracleBet:
    """One bet: `open`, `cancelled` (also before it came) or `settled`, and every winloss it had."""

    state: str
    stake: int
    winloss: int = 0
    first: int = 0
    changes: list[tuple[int, int, int]] = field(default_factory=list)  # before, after, timestamp_ms


class _Effect(NamedTuple):
    """What one item does under R0: the bet after it (None: nothing), and the money it moves."""

    code: Code
    row: str
    bet: OracleBet | None = None
    moves: int = 0


class Oracle:
    """One player: balance, debt, session, bets, and the events that were answered."""

    def __init__(
        self, policy: Policy, balance: int = 0, debt: int = 0, *, now_ms: Callable[[], int] = epoch_ms
    ) -> None:
        self.balance = balance
        self.debt = debt
        self.logged_in = False
        self.bets: dict[BetKey, OracleBet] = {}
        self._policy = policy
        self._now_ms = now_ms
        self._login_ms = -1
        self._events: dict[str, tuple[bytes, Code]] = {}

    def judge(self, command: Command) -> Ruling:
        """The answer that is due to this event, which from now on has happened."""
        seen = self._events.get(command.transaction_id)
        if seen is not None:
            same = seen[0] == fingerprint(command)
            code, row = (seen[1], "1") if same else (Code.R3, "2")
            return self._ruling(code, row, remembered=same and code is not Code.R0)
        return self._decide(command)

    def judge_afresh(self, command: Command) -> Ruling:
        """The answer to a declined bet by a Redis that has lost its memory of the decline."""
        del self._events[command.transaction_id]
        return self._decide(command)

    def deposit(self, amount: int) -> None:
        """Row 67: a deposit pays no debt."""
        self.balance += amount

    def _decide(self, command: Command) -> Ruling:
        match command.kind:
            case Kind.LOGIN:
                self.logged_in = True
                counts_as_ms = min(command.timestamp_ms, self._now_ms() + FUTURE_MAX_MS)  # row 24
                self._login_ms = max(self._login_ms, counts_as_ms)
                ruling = self._ruling(Code.R0, "20")
            case Kind.LOGOUT:
                newer = command.timestamp_ms > self._login_ms
                self.logged_in = self.logged_in and not newer
                ruling = self._ruling(Code.R0, "23" if newer else "24")
            case _:
                ruling = self._decide_batch(command)
        stays = ruling.code is Code.R0 or (
            command.kind is Kind.BET and (ruling.code is Code.R4 or ruling.row in {"5", "34"})
        )
        if stays:  # rows 1 and 6
            self._events[command.transaction_id] = fingerprint(command), ruling.code
        return ruling

    def _decide_batch(self, command: Command) -> Ruling:
        judges = {Kind.BET: self._bet, Kind.CANCEL: self._cancel, Kind.RESULT: _result, Kind.CHANGE: _change}
        judge, game_no = judges[command.kind], command.game_no
        effects = [judge(self.bets.get((game_no, item.bet_index)), item, command) for item in command.items]
        worst = max(effects, key=lambda effect: SEVERITY.index(effect.code))
        if worst.code is not Code.R0:
            return self._ruling(worst.code, worst.row)
        moves = sum(effect.moves for effect in effects)
        applied = any(effect.bet for effect in effects)
        if command.kind is Kind.BET and applied and 0 < self._policy.bet_age_max_ms < self._age_ms(command):
            return self._ruling(Code.R3, "35")
        if command.kind is Kind.BET and applied and self._policy.session_required and not self.logged_in:
            return self._ruling(Code.R1, "33")
        if moves < 0 and -moves > self.balance:
            if command.kind is Kind.BET:
                return self._ruling(Code.R4, "31")
            if self._policy.change_overdraw == ChangeOverdrawRule.REJECT:
                return self._ruling(Code.R4, "66")
        for item, effect in zip(command.items, effects, strict=True):
            if effect.bet is not None:
                self.bets[game_no, item.bet_index] = effect.bet
        self._move(moves)
        return self._ruling(Code.R0, worst.row)

    def _age_ms(self, command: Command) -> int:
        return self._now_ms() - command.timestamp_ms

    def _move(self, moves: int) -> None:
        """Rows 66 and 67, on the net of a batch."""
        if moves > 0:
            paid = min(self.debt, moves)
            self.debt -= paid
            self.balance += moves - paid
        else:
            taken = min(self.balance, -moves)
            self.balance -= taken
            self.debt += -moves - taken

    def _bet(self, bet: OracleBet | None, item: Item, _: Command) -> _Effect:
        if bet is None:
            return _Effect(Code.R0, "30", OracleBet("open", item.amount), -item.amount)
        if bet.state == "cancelled":
            return _Effect(Code.R3, "34")
        return _Effect(Code.R0, "4") if bet.stake == item.amount else _Effect(Code.R3, "5")

    def _cancel(self, bet: OracleBet | None, item: Item, _: Command) -> _Effect:
        if bet is None:
            if self._policy.cancel_unknown == CancelUnknownRule.R3:
                return _Effect(Code.R3, "43")
            return _Effect(Code.R0, "43", OracleBet("cancelled", item.amount))
        if bet.state == "settled":
            return _Effect(Code.R3, "44")
        if bet.stake != item.amount:
            return _Effect(Code.R3, "41")
        if bet.state == "cancelled":
            return _Effect(Code.R0, "42")
        return _Effect(Code.R0, "40", OracleBet("cancelled", bet.stake), bet.stake)

    def _ruling(self, code: Code, row: str, *, remembered: bool = False) -> Ruling:
        return Ruling(code, self.balance, row, remembered)


def _result(bet: OracleBet | None, item: Item, _: Command) -> _Effect:
    if item.winloss < -item.amount:
        return _Effect(Code.R3, "51")
    if bet is None:
        return _Effect(Code.R1, "54")
    if bet.state == "cancelled":
        return _Effect(Code.R3, "55")
    if bet.stake != item.amount:
        return _Effect(Code.R3, "51")
    if bet.state == "open":
        settled = OracleBet("settled", bet.stake, item.winloss, item.winloss)
        return _Effect(Code.R0, "50", settled, bet.stake + item.winloss)
    had = {bet.first, *(after for _, after, _ in bet.changes)}
    return _Effect(Code.R0, "52") if item.winloss in had else _Effect(Code.R3, "53")


def _change(bet: OracleBet | None, item: Item, command: Command) -> _Effect:
    before, after, at_ms = item.winloss_before, item.winloss, command.timestamp_ms
    if bet is not None and bet.state == "cancelled":
        return _Effect(Code.R3, "65")
    if after < -item.amount or (bet is not None and bet.stake != item.amount):
        return _Effect(Code.R3, "51")
    if bet is None or bet.state == "open":
        return _Effect(Code.R1, "64")
    if (before, after, at_ms) in bet.changes:
        return _Effect(Code.R0, "60")
    if before == bet.winloss:
        if bet.changes and at_ms < bet.changes[-1][2] - CHANGE_TOLERANCE_MS:
            return _Effect(Code.R1, "62")
        changed = OracleBet("settled", bet.stake, after, bet.first, [*bet.changes, (before, after, at_ms)])
        return _Effect(Code.R0, "61", changed, after - before)
    applied = any((before, after) == change[:2] for change in bet.changes)
    return _Effect(Code.R0, "63") if applied else _Effect(Code.R1, "64")
