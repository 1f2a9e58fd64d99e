"""Writes docs/metrics.md: `python -m seamless_wallet.observability.metrics_reference > docs/metrics.md`."""

from __future__ import annotations

import sys
from typing import Any, Final

from seamless_wallet.observability import metrics
from seamless_wallet.observability.instruments import Metric

INTRODUCTION: Final = """\
# Metrics

`GET /metrics` of the admin process has all processes of a data directory together, in the text format of Prometheus.
No player, transaction or round is ever a label. A histogram has the series `_bucket`, `_sum` and `_count`.

Each process has its own counters, too: [where](operations.md#health-of-each-process). The admin process asks all of
them once a second, and for each scrape. Counters and histograms are added up. Gauges are added up, or the largest one
counts, as their meaning says. A process that ends keeps what it counted until it was last asked, or until its orderly
end: a total never falls. Totals begin anew with each `wallet up`.

This page is made from the code: `python -m seamless_wallet.observability.metrics_reference > docs/metrics.md`.

| metric | kind | labels | meaning | remedy |
|---|---|---|---|---|
"""


def reference() -> str:
    """The whole page, as Markdown."""
    return INTRODUCTION + "".join(map(_row, metrics.ALL))


def _row(metric: Metric[Any]) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.label_names)
    return f"| `{metric.name}` | {metric.kind} | {labels} | {metric.meaning} | {metric.remedy} |\n"


if __name__ == "__main__":
    sys.stdout.write(reference())
