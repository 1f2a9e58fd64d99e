"""Counters, gauges and histograms: plain numbers in the memory of one process.

    REQUESTS = Counter("wallet_requests_total", meaning="Requests by code.", remedy="…", labels=["code"])
    ok = REQUESTS.labels("R0")      # keep it: looking it up costs more than counting
    ok.inc()

They have no locks: only the thread of the event loop counts. The names and their meaning are those of Prometheus.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar, Final, Generic, Literal, TypeVar

Value = int | float | list[int | float]
"""What is counted: a number; of a histogram the number of values in each bucket, from the lowest on, and their sum."""

Labels = tuple[str, ...]
"""Values of labels, in the order in which a metric declares their names."""

Merge = Literal["sum", "max", "min"]


class CounterSeries:
    """A number that only grows."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: int | float = 0

    def inc(self, amount: float = 1) -> None:
        """Count."""
        self.value += amount


class GaugeSeries:
    """A number that goes up and down."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: int | float = 0

    def inc(self) -> None:
        """One more."""
        self.value += 1

    def dec(self) -> None:
        """One less."""
        self.value -= 1

    def set(self, value: float) -> None:
        """So many now."""
        self.value = value


class HistogramSeries:
    """How many values were at most as large as each of some bounds."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts: list[int | float] = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    @property
    def value(self) -> list[int | float]:
        """The number of values in each bucket, and their sum."""
        return [*self._counts, self._sum]


S = TypeVar("S", CounterSeries, GaugeSeries, HistogramSeries)


class Metric(Generic[S]):
    """A name, what it means, what to do about it, and one series for each combination of labels.

    A metric without labels has one series from the start, one with a single label those of `start`. Of a series that
    begins later, a rate does not see the first count.
    """

    kind: ClassVar[str]
    merge: Merge = "sum"
    """What the value of several processes together is."""

    def __init__(
        self, name: str, *, meaning: str, remedy: str, labels: Sequence[str] = (), start: Iterable[str] = ()
    ) -> None:
        self.name: Final = name
        self.meaning: Final = meaning
        self.remedy: Final = remedy
        self.label_names: Final = tuple(labels)
        self.series: Final[dict[Labels, S]] = {}
        if not labels:
            self.labels()
        for value in start:
            self.labels(value)

    def labels(self, *values: str) -> S:
        """The series of these labels. Raises ValueError if they are not as many as were declared."""
        key = tuple(map(str, values))
        series = self.series.get(key)
        if series is None:
            if len(key) != len(self.label_names):
                raise ValueError(f"{self.name} has the labels {self.label_names}, not {key}")
            series = self.series[key] = self._make_series()
        return series

    def values(self) -> list[tuple[Labels, Value]]:
        """What was counted so far, of each series."""
        return [(labels, series.value) for labels, series in self.series.items()]

    def fits(self, labels: Labels, value: Value) -> bool:
        """Whether labels and value, which came from another process, have this metric's form."""
        return len(labels) == len(self.label_names) and isinstance(value, int | float)

    def _make_series(self) -> S:
        raise NotImplementedError


class Counter(Metric[CounterSeries]):
    """Declares a counter. Its name ends in `_total`."""

    kind = "counter"

    def _make_series(self) -> CounterSeries:
        return CounterSeries()

    def inc(self, amount: float = 1) -> None:
        """Count, if there are no labels."""
        self.series[()].inc(amount)


class Gauge(Metric[GaugeSeries]):
    """Declares a gauge. Of several processes it is the sum, the largest or the smallest value."""

    kind = "gauge"

    def __init__(
        self,
        name: str,
        *,
        meaning: str,
        remedy: str,
        labels: Sequence[str] = (),
        start: Iterable[str] = (),
        merge: Merge,
    ) -> None:
        super().__init__(name, meaning=meaning, remedy=remedy, labels=labels, start=start)
        self.merge = merge

    def _make_series(self) -> GaugeSeries:
        return GaugeSeries()

    def set(self, value: float) -> None:
        """So many now, if there are no labels."""
        self.series[()].set(value)


class Histogram(Metric[HistogramSeries]):
    """Declares a histogram with these upper bounds. A last bucket has what is above them."""

    kind = "histogram"

    def __init__(
        self,
        name: str,
        *,
        meaning: str,
        remedy: str,
        labels: Sequence[str] = (),
        start: Iterable[str] = (),
        bounds: Sequence[float],
    ) -> None:
        self.bounds: Final = tuple(bounds)
        super().__init__(name, meaning=meaning, remedy=remedy, labels=labels, start=start)

    def fits(self, labels: Labels, value: Value) -> bool:
        """As of any metric; the value has a number for each bucket, and the sum."""
        return len(labels) == len(self.label_names) and isinstance(value, list) and len(value) == len(self.bounds) + 2

    def _make_series(self) -> HistogramSeries:
        return HistogramSeries(self.bounds)

    @contextmanager
    def time(self) -> Iterator[None]:
        """Count how many seconds the block takes, if there are no labels."""
        began_s = time.perf_counter()
        try:
            yield
        finally:
            self.series[()].observe(time.perf_counter() - began_s)
