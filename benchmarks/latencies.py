"""Latencies in an HDR histogram: 1 µs to a minute, to three digits."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Self

from hdrh.histogram import HdrHistogram

LOWEST_US: Final = 1
HIGHEST_US: Final = 60_000_000
DIGITS: Final = 3

PERCENTILES: Final = (50.0, 95.0, 99.0, 99.9)


class Latencies:
    """How long requests took. Several runs can be added up."""

    def __init__(self) -> None:
        self._histogram = HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS)

    @classmethod
    def of_ns(cls, taken_ns: Iterable[int]) -> Self:
        """From nanoseconds. Raises ValueError for more than a minute: nothing here may be left out of the tail."""
        latencies = cls()
        record = latencies._histogram.record_value
        for ns in taken_ns:
            us = max(LOWEST_US, ns // 1000)
            if us > HIGHEST_US or not record(us):
                raise ValueError(f"a request took {ns / 1e9:.1f} s")
        return latencies

    @classmethod
    def decode(cls, text: str) -> Self:
        """The inverse of `encode`."""
        latencies = cls()
        latencies._histogram.decode_and_add(text)
        return latencies

    def encode(self) -> str:
        """As HdrHistogram's own tools read it (V2, base64)."""
        text: bytes = self._histogram.encode()
        return text.decode()

    def add(self, other: Latencies) -> None:
        """Count those of another run as well."""
        self._histogram.add(other._histogram)

    @property
    def count(self) -> int:
        """How many."""
        return int(self._histogram.get_total_count())

    def ms(self, percentile: float) -> float:
        """Milliseconds that so many percent took at most."""
        return float(self._histogram.get_value_at_percentile(percentile)) / 1000
