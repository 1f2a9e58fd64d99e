"""Totals over processes that come and go: nothing is lost that was seen, and nothing counts twice."""

from __future__ import annotations

import random

import pytest

from seamless_wallet.observability.instruments import Counter, Gauge, Histogram
from seamless_wallet.observability.snapshots import Snapshot, Totals, Values

REQUESTS = Counter("wallet_requests_total", meaning="R.", remedy="None.", labels=["code"])
OPEN = Gauge("wallet_open", meaning="O.", remedy="None.", merge="sum")
LARGEST = Gauge("wallet_largest", meaning="L.", remedy="None.", merge="max")
SECONDS = Histogram("wallet_seconds", meaning="S.", remedy="None.", bounds=(1.0,))
DECLARED = (REQUESTS, OPEN, LARGEST, SECONDS)


def snapshot(pid: int, count: int = 0, *, of: str = "t") -> Snapshot:
    """A process that has counted this many requests."""
    return Snapshot("worker", pid, of, {REQUESTS.name: {("R0",): count}})


def total(totals: Totals) -> int | float:
    """Requests of all processes."""
    value = totals.values([])[REQUESTS.name][("R0",)]
    assert not isinstance(value, list)
    return value


def test_counters_and_histograms_are_added_up_and_gauges_as_declared():
    """Gauges of those that answered only."""
    one = Snapshot(
        "worker",
        1,
        "a",
        {
            REQUESTS.name: {("R0",): 2, ("R1",): 1},
            OPEN.name: {(): 5},
            LARGEST.name: {(): 0.5},
            SECONDS.name: {(): [1, 2, 3.5]},
        },
    )
    two = Snapshot(
        "worker",
        2,
        "b",
        {REQUESTS.name: {("R0",): 3}, OPEN.name: {(): 7}, LARGEST.name: {(): 0.25}, SECONDS.name: {(): [10, 20, 30.0]}},
    )
    totals = Totals(DECLARED)
    totals.update([one, two])
    assert totals.values([one, two]) == {
        REQUESTS.name: {("R0",): 5, ("R1",): 1},
        OPEN.name: {(): 12},
        LARGEST.name: {(): 0.5},
        SECONDS.name: {(): [11, 22, 33.5]},
    }
    assert totals.values([two])[OPEN.name] == {(): 7}
    assert OPEN.name not in totals.values([])


def test_a_process_that_ended_keeps_what_it_counted_and_loses_its_gauges():
    """Its successor begins at 0, and the total goes on."""
    totals = Totals(DECLARED)
    totals.update([snapshot(1, 10)])
    assert totals.update([snapshot(2, 0)])
    assert total(totals) == 10
    assert not totals.update([snapshot(2, 4)])
    assert total(totals) == 14


def test_a_successor_with_the_same_pid_is_another_process():
    """Numbers are used again."""
    totals = Totals(DECLARED)
    totals.update([snapshot(1, 10, of="a")])
    totals.update([snapshot(1, 1, of="b")])
    assert total(totals) == 11


def test_a_process_that_does_not_answer_has_not_ended():
    """It counts as at its last answer, and goes on from there."""
    totals = Totals(DECLARED)
    totals.update([snapshot(1, 10)])
    assert not totals.update([], {("worker", 1)})
    assert total(totals) == 10
    totals.update([snapshot(1, 12)])
    assert total(totals) == 12


def test_a_farewell_has_what_was_counted_after_the_last_answer():
    """Whether the process still answers beside it, and however often it is read."""
    totals = Totals(DECLARED)
    totals.update([snapshot(1, 10)])
    totals.end(snapshot(1, 15))
    totals.update([snapshot(1, 14)])
    totals.end(snapshot(1, 15))
    assert total(totals) == 15
    totals.update([])
    totals.keep_farewells([], [])
    assert total(totals) == 15


def test_what_this_program_does_not_declare_in_this_form_is_left_out():
    """During an upgrade processes of two versions may run."""
    totals = Totals(DECLARED)
    odd: Values = {
        "wallet_unknown_total": {(): 1},
        REQUESTS.name: {("R0", "more"): 1, ("R0",): [1, 2]},
        OPEN.name: {(): [1]},
        SECONDS.name: {(): [1, 2]},
    }
    process = Snapshot("worker", 1, "t", odd)
    totals.update([process])
    assert {name: series for name, series in totals.values([process]).items() if series} == {}


def test_a_snapshot_and_totals_survive_their_way_through_json():
    """Labels are tuples again."""
    sent = Snapshot("worker", 1, "t", {REQUESTS.name: {("R0",): 2}, SECONDS.name: {(): [1, 2, 3.5]}})
    assert Snapshot.from_json(sent.to_json()) == sent
    totals = Totals(DECLARED)
    totals.update([sent, snapshot(2, 5)])
    totals.update([sent])
    totals.end(snapshot(3, 1))
    restored = Totals(DECLARED)
    restored.restore(totals.to_json())
    assert restored.values([sent]) == totals.values([sent])
    restored.end(snapshot(3, 1))
    assert total(restored) == total(totals) == 8


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"null", b"[1,2,3]", b'["a",1,"t",[1]]', b'{"ended": []}'])
def test_what_is_neither_is_refused(text):
    """A file that was cut short, or something else altogether."""
    with pytest.raises(ValueError, match=r"."):
        Snapshot.from_json(text)
    with pytest.raises(ValueError, match=r"."):
        Totals(DECLARED).restore(text)


@pytest.mark.parametrize("seed", range(200))
def test_a_total_never_falls_and_is_exact_once_all_have_said_farewell(seed):
    """Processes start, count, fall silent, are killed or say farewell; the admin process is killed and restored."""
    rng = random.Random(seed)
    totals, saved, shown = Totals(DECLARED), b"", 0.0
    running: dict[int, int] = {}
    farewells: dict[int, int] = {}
    counted, lost_at_most = 0, 0
    seen: dict[int, int] = {}
    for step in range(60):
        match rng.randrange(6):
            case 0:
                running[step] = 0
            case 1 | 2 if running:
                pid = rng.choice(list(running))
                running[pid] += 1
                counted += 1
            case 3 if running:  # killed
                pid = rng.choice(list(running))
                lost_at_most += running.pop(pid) - seen.get(pid, 0)
            case 4 if running:
                pid = rng.choice(list(running))
                farewells[pid] = running.pop(pid)
            case 5 if saved:  # the admin process is killed
                totals = Totals(DECLARED)
                totals.restore(saved)
        silent = {pid for pid in running if rng.random() < 0.2}
        totals.keep_farewells([snapshot(pid, count) for pid, count in farewells.items()], [])
        for pid, count in farewells.items():
            totals.end(snapshot(pid, count))
        totals.update(
            [snapshot(pid, count) for pid, count in running.items() if pid not in silent],
            {("worker", pid) for pid in silent},
        )
        if rng.random() < 0.7:  # a scrape
            values = totals.values([]).get(REQUESTS.name, {}).get(("R0",), 0)
            assert isinstance(values, int)
            assert shown <= values <= counted
            shown = values
            saved = totals.to_json()
            seen.update({pid: count for pid, count in running.items() if pid not in silent})
            farewells.clear()
    for pid, count in {**farewells, **running}.items():
        totals.end(snapshot(pid, count))
    totals.update([])
    values = totals.values([]).get(REQUESTS.name, {}).get(("R0",), 0)
    assert isinstance(values, int)
    assert counted - lost_at_most <= values <= counted
