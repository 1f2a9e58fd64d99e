"""Writes values in the text format of Prometheus.

https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from seamless_wallet.observability.instruments import Histogram, Labels, Metric, Value

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


def exposition(metrics: Iterable[Metric[Any]], values: Mapping[str, Mapping[Labels, Value]]) -> bytes:
    """The text for these metrics. `values` has, by a metric's name and by labels, what was counted."""
    return "".join(line for metric in metrics for line in _lines(metric, values.get(metric.name, {}))).encode()


def _lines(metric: Metric[Any], values: Mapping[Labels, Value]) -> Iterator[str]:
    yield f"# HELP {metric.name} {_escaped(metric.meaning)}\n"
    yield f"# TYPE {metric.name} {metric.kind}\n"
    for labels, value in values.items():
        pairs = [f'{name}="{_quoted(label)}"' for name, label in zip(metric.label_names, labels, strict=True)]
        if isinstance(value, list):
            yield from _buckets(metric, pairs, value)
        else:
            yield _sample(metric.name, pairs, value)


def _buckets(metric: Metric[Any], pairs: list[str], value: list[int | float]) -> Iterator[str]:
    """The lines of a histogram: each bucket counts the values of those below it, too."""
    *counts, total = value
    bounds = metric.bounds if isinstance(metric, Histogram) else ()
    count: int | float = 0
    for bound, in_bucket in zip([*map(repr, bounds), "+Inf"], counts, strict=True):
        count += in_bucket
        yield _sample(f"{metric.name}_bucket", [*pairs, f'le="{bound}"'], count)
    yield _sample(f"{metric.name}_sum", pairs, total)
    yield _sample(f"{metric.name}_count", pairs, count)


def _sample(name: str, pairs: list[str], value: float) -> str:
    return f"{name}{{{','.join(pairs)}}} {value!r}\n" if pairs else f"{name} {value!r}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")


def _quoted(text: str) -> str:
    return _escaped(text).replace('"', r"\"")
