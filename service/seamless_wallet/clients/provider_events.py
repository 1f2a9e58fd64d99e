"""Events as a provider makes them: ids of its form, and around the money what a game of baccarat tells."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import MappingProxyType
from typing import Final

from seamless_wallet.commands import Command, Item, Kind

KIND_DIGITS: Final = MappingProxyType(
    {Kind.LOGIN: "0", Kind.LOGOUT: "1", Kind.BET: "2", Kind.CANCEL: "3", Kind.RESULT: "4", Kind.CHANGE: "5"}
)
"""The first part of a transaction_id."""

_TABLE: Final = MappingProxyType({"game_type": "baccarat", "table_no": "7"})
_OUTCOME: Final = MappingProxyType({"result": "B", "result_detail": '{"banker":["S9"],"player":["H2"]}'})


class TransactionIds:
    """New ids of the form `2_agent_1771000000001_0042`: kind, agent, epoch milliseconds, four digits.

    `draw(n)` gives a number from 0 to n − 1. No two ids of one instance are equal.
    """

    def __init__(self, agent: str, draw: Callable[[int], int]) -> None:
        self._agent = agent
        self._draw = draw
        self._last_ms = 0

    def new(self, kind: Kind) -> str:
        """An id for an event of this kind."""
        return self._after(KIND_DIGITS[kind])

    def another(self, transaction_id: str) -> str:
        """An id for an event of the same kind."""
        return self._after(transaction_id[:1])

    def _after(self, digit: str) -> str:
        self._last_ms = max(self._last_ms + 1, time.time_ns() // 1_000_000)
        return f"{digit}_{self._agent}_{self._last_ms}_{self._draw(10_000):04d}"


def new_event(
    kind: Kind,
    *,
    provider: str,
    user_id: str,
    transaction_id: str,
    timestamp_ms: int,
    feedback_data: str,
    currency: str = "",
    game_no: str = "",
    items: tuple[Item, ...] = (),
) -> Command:
    """One event. A login and a logout have no items, and therefore no currency."""
    context = {"feedback_data": feedback_data}
    if items:
        context |= _TABLE
    if kind in {Kind.RESULT, Kind.CHANGE}:
        context |= _OUTCOME
    return Command(
        kind=kind,
        provider=provider,
        user_id=user_id,
        transaction_id=transaction_id,
        timestamp_ms=timestamp_ms,
        received_ms=0,
        currency=currency if items else "",
        game_no=game_no,
        items=items,
        context=context,
    )
