"""Writes docs/metrics.md: `python -m seamless_wallet.observability.metrics_reference > docs/metrics.md`."""

from __future__ import annotations

import sys
from typing import Final

from prometheus_client.metrics import MetricWrapperBase

from seamless_wallet.observability import metrics

INTRODUCTION: Final = """\
# Metrics

`GET /metrics` of the admin process, Prometheus text format, for all processes of one `wallet up` together. No player,
transaction or round is ever a label. A histogram has the series `_bucket`, `_sum` and `_count`.

Counters outlive the processes that counted: a child that dies keeps its counts. They begin anew with each `wallet up`.

This page is made from the code: `python -m seamless_wallet.observability.metrics_reference > docs/metrics.md`.

| metric | kind | labels | meaning | remedy |
|---|---|---|---|---|
"""


def collectors() -> list[MetricWrapperBase]:
    """Every metric that the service declares, in the order of their declaration."""
    return [value for value in vars(metrics).values() if isinstance(value, MetricWrapperBase)]


def reference() -> str:
    """The whole page, as Markdown. Raises ValueError for a metric that does not say what to do."""
    return INTRODUCTION + "".join(map(_row, collectors()))


def _row(collector: MetricWrapperBase) -> str:
    (family,) = collector.describe()
    meaning, found, remedy = family.documentation.partition(" Remedy: ")
    if not found:
        raise ValueError(f"{family.name}: its text has no 'Remedy: '")
    name = f"{family.name}_total" if family.type == "counter" else family.name
    labels = ", ".join(f"`{label}`" for label in collector._labelnames)  # noqa: SLF001 - has no public name
    return f"| `{name}` | {family.type} | {labels} | {meaning} | {remedy[:1].upper()}{remedy[1:]} |\n"


if __name__ == "__main__":
    sys.stdout.write(reference())
