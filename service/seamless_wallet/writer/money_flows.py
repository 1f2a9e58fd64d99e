"""What committed entries have moved, for the metric of money in and out by provider. Nothing is decided by it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from seamless_wallet.commands import BET_KINDS, Kind
from seamless_wallet.ledger.entry import Entry
from seamless_wallet.observability import metrics

if TYPE_CHECKING:
    from seamless_wallet.observability.instruments import CounterSeries

IN: Final = "in"
OUT: Final = "out"

DIRECTIONS: Final = {Kind.BET: (IN,), Kind.CANCEL: (OUT,), Kind.RESULT: (OUT,), Kind.CHANGE: (IN, OUT)}
"""Where the money of an event goes, as the house sees it."""


def begin_money_counts(currencies: Mapping[str, Iterable[str]]) -> None:
    """Have the money of these providers, by their currencies, counted from 0: a rate needs to see the beginning."""
    for provider, names in currencies.items():
        for currency in names:
            for kind, directions in DIRECTIONS.items():
                for direction in directions:
                    metrics.MONEY.labels(provider, currency, kind.value, direction)


class MoneyFlows:
    """Counts what entries of providers moved."""

    def __init__(self) -> None:
        self._series: dict[tuple[str, str, Kind, bool], CounterSeries] = {}

    def count(self, entries: Iterable[Entry]) -> None:
        """These entries are committed."""
        for entry in entries:
            if entry.void or entry.command.kind not in BET_KINDS:
                continue
            command, decision = entry.command, entry.decision
            gained = decision.debt_delta - decision.balance_delta
            if gained:
                key = (entry.provider, command.currency, command.kind, gained > 0)
                series = self._series.get(key)
                if series is None:
                    direction = IN if gained > 0 else OUT
                    series = metrics.MONEY.labels(entry.provider, command.currency, command.kind.value, direction)
                    self._series[key] = series
                series.inc(abs(gained))
