"""Counters, gauges and histograms, and how Prometheus reads them."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from seamless_wallet.observability import metrics
from seamless_wallet.observability.exposition import exposition
from seamless_wallet.observability.instruments import Counter, Gauge, Histogram, Metric


def read(*declared: Metric[Any]) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """What the reference implementation reads: sample and labels → value."""
    text = exposition(declared, {metric.name: dict(metric.values()) for metric in declared}).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_counter_counts_by_labels():
    """From 0 on, as soon as a series was asked for."""
    counter = Counter("wallet_x_total", meaning="X.", remedy="None.", labels=["a", "b"])
    counter.labels("1", "2").inc()
    counter.labels("1", "2").inc(4)
    counter.labels("1", "3")
    assert read(counter) == {
        ("wallet_x_total", (("a", "1"), ("b", "2"))): 5,
        ("wallet_x_total", (("a", "1"), ("b", "3"))): 0,
    }


def test_a_metric_without_labels_has_one_series_at_once():
    """Its own methods count."""
    counter, gauge = (
        Counter("wallet_x_total", meaning="X.", remedy="None."),
        Gauge("wallet_y", meaning="Y.", remedy="None.", merge="sum"),
    )
    assert read(counter, gauge) == {("wallet_x_total", ()): 0, ("wallet_y", ()): 0}
    counter.inc()
    gauge.set(0.5)
    assert read(counter, gauge) == {("wallet_x_total", ()): 1, ("wallet_y", ()): 0.5}


def test_a_gauge_goes_up_and_down():
    """By one, or to a number."""
    series = Gauge("wallet_y", meaning="Y.", remedy="None.", labels=["a"], merge="max").labels("1")
    series.inc()
    series.inc()
    series.dec()
    assert series.value == 1
    series.set(7)
    assert series.value == 7


def test_a_histogram_has_cumulative_buckets_with_their_bounds_inside():
    """A value that is a bound belongs to its bucket; +Inf has all."""
    histogram = Histogram("wallet_z_seconds", meaning="Z.", remedy="None.", labels=["a"], bounds=(0.1, 1.0))
    series = histogram.labels("1")
    for value in (0.05, 0.1, 0.5, 2.0):
        series.observe(value)
    assert read(histogram) == {
        ("wallet_z_seconds_bucket", (("a", "1"), ("le", "0.1"))): 2,
        ("wallet_z_seconds_bucket", (("a", "1"), ("le", "1.0"))): 3,
        ("wallet_z_seconds_bucket", (("a", "1"), ("le", "+Inf"))): 4,
        ("wallet_z_seconds_sum", (("a", "1"),)): pytest.approx(2.65),
        ("wallet_z_seconds_count", (("a", "1"),)): 4,
    }


def test_a_block_is_timed_also_if_it_fails():
    """Slow failures are the ones to see."""
    histogram = Histogram("wallet_z_seconds", meaning="Z.", remedy="None.", bounds=(60.0,))
    with pytest.raises(KeyError), histogram.time():
        raise KeyError
    assert read(histogram)["wallet_z_seconds_count", ()] == 1


@pytest.mark.parametrize("text", ['quote " in it', "back\\slash", "two\nlines", "\\n is no line", "", "ü€\U0001f600"])
def test_every_label_and_text_arrives_as_it_is(text):
    """The format escapes three characters."""
    counter = Counter("wallet_x_total", meaning=text, remedy="None.", labels=["a"])
    counter.labels(text).inc()
    assert read(counter) == {("wallet_x_total", (("a", text),)): 1}


def test_series_that_are_known_beforehand_begin_at_0():
    """An alert sees their first count as an increase."""
    counter = Counter("wallet_x_total", meaning="X.", remedy="None.", labels=["a"], start=["1", "2"])
    assert read(counter) == {("wallet_x_total", (("a", "1"),)): 0, ("wallet_x_total", (("a", "2"),)): 0}


def test_every_metric_says_what_it_means_and_what_to_do():
    """In whole sentences."""
    for metric in metrics.ALL:
        assert metric.meaning.endswith("."), metric.name
        assert metric.remedy.endswith("."), metric.name
        assert metric.remedy[0].isupper(), metric.name


def test_a_wrong_number_of_labels_is_refused():
    """It is a bug of the caller."""
    with pytest.raises(ValueError, match="wallet_x_total"):
        Counter("wallet_x_total", meaning="X.", remedy="None.", labels=["a"]).labels("1", "2")


def test_every_declared_metric_is_read_by_prometheus_as_what_it_is():
    """Its kind and its text."""
    text = exposition(metrics.ALL, {}).decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    for metric in metrics.ALL:
        family = families[metric.name.removesuffix("_total")]
        assert (family.type, family.documentation) == (metric.kind, metric.meaning)


def test_names_follow_the_conventions():
    """A prefix, `_total` for counters and for nothing else, no name twice."""
    names = [metric.name for metric in metrics.ALL]
    assert len(names) == len(set(names)) > 20
    for metric in metrics.ALL:
        assert metric.name.startswith("wallet_")
        assert metric.name.endswith("_total") == (metric.kind == "counter")
