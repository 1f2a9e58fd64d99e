"""The plots of a run, by plotly: throughput, CPU by process, latency over the offered rate and over percentiles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import plotly.graph_objects as go

from benchmarks.figures import Loads, Names, Run, Turn, cpu_by_role, latencies, median_rate

ROLES: Final = ("worker", "writer", "valkey", "backends", "postgres others", "admin", "supervisor", "others")
COLOURS: Final = ("#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#3ca951", "#ff8ab7", "#a463f2", "#9c9c9c")
SYSTEM_COLOURS: Final = {Names.WALLET: "#4269d0", Names.ON_POSTGRES: "#a463f2", Names.POSTGRES: "#3ca951"}
DASHES: Final = {50.0: "dot", 95.0: "dash", 99.0: "solid"}
TAIL: Final = (0.0, 25.0, 50.0, 75.0, 90.0, 95.0, 98.0, 99.0, 99.5, 99.9, 99.95)
LAYOUT: Final[dict[str, Any]] = {
    "template": "plotly_white",
    "font": {"family": "system-ui, sans-serif", "size": 13},
    "margin": {"l": 60, "r": 20, "t": 50, "b": 60},
    "height": 420,
}


def plots(run: Run) -> Iterator[go.Figure]:
    """All of them, in the order of the report."""
    one_bet = [turn for turn in run.turns if turn.load == Loads.ONE_BET and turn.system != Names.BARE]
    systems = sorted({turn.system for turn in one_bet}, key=lambda name: median_rate(one_bet, Loads.ONE_BET, name))
    yield _throughput(one_bet, systems)
    yield _cpu(one_bet, systems)
    yield _latency_over_rate([turn for turn in run.turns if turn.offered])
    for load in (Loads.at_rate(300), Loads.at_share(0.5)):
        yield _latency_over_percentile(run, load)


def _throughput(turns: list[Turn], systems: list[str]) -> go.Figure:
    rates = [median_rate(turns, Loads.ONE_BET, system) for system in systems]
    bars = go.Bar(x=rates, y=systems, orientation="h", text=[f"{rate:.0f}" for rate in rates], marker_color=COLOURS[0])
    figure = go.Figure(bars)
    return figure.update_layout(title="One-bet events a second, closed loop", xaxis_title="requests/s", **LAYOUT)


def _cpu(turns: list[Turn], systems: list[str]) -> go.Figure:
    figure = go.Figure()
    for role, colour in zip(ROLES, COLOURS, strict=True):
        used = [cpu_by_role(turns, Loads.ONE_BET, system).get(role, 0.0) for system in systems]
        if any(used):
            text = [f"{us:.0f}" if us >= 10 else "" for us in used]
            figure.add_bar(x=used, y=systems, name=role, orientation="h", marker_color=colour, text=text)
    return figure.update_layout(
        title="CPU of a one-bet event, by process", xaxis_title="µs a request", barmode="stack", **LAYOUT
    )


def _latency_over_rate(turns: list[Turn]) -> go.Figure:
    figure = go.Figure()
    for system in sorted({turn.system for turn in turns}):
        offered = {turn.load: turn.offered for turn in turns if turn.system == system}
        loads = sorted(offered, key=lambda load: offered[load])
        taken = [latencies(turns, load, system) for load in loads]
        for percentile, dash in DASHES.items():
            figure.add_scatter(
                x=[offered[load] for load in loads],
                y=[each.ms(percentile) for each in taken],
                name=f"{system}, p{percentile:g}",
                line={"color": SYSTEM_COLOURS.get(system, COLOURS[-1]), "dash": dash},
            )
    return figure.update_layout(
        title="Latency over the offered rate, open loop, from the intended time",
        xaxis_title="requests/s offered",
        yaxis_title="ms",
        yaxis_type="log",
        **LAYOUT,
    )


def _latency_over_percentile(run: Run, load: str) -> go.Figure:
    figure = go.Figure()
    ticks = [percentile for percentile in TAIL if percentile in {0, 50, 90, 99, 99.9}]
    for system in sorted({turn.system for turn in run.turns if turn.load == load}):
        taken = latencies(run.turns, load, system)
        figure.add_scatter(
            x=[1 / (1 - percentile / 100) for percentile in TAIL],
            y=[taken.ms(percentile) for percentile in TAIL],
            name=system,
            line={"color": SYSTEM_COLOURS.get(system, COLOURS[-1])},
        )
    figure.update_xaxes(
        type="log", tickvals=[1 / (1 - tick / 100) for tick in ticks], ticktext=[f"{tick:g} %" for tick in ticks]
    )
    return figure.update_layout(
        title=f"Latency by percentile: {load}", xaxis_title="percentile", yaxis_title="ms", **LAYOUT
    )
