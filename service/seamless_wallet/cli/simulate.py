"""`wallet simulate`: a game provider that plays against a running wallet."""

from __future__ import annotations

import asyncio
import json as jsonlib
import secrets
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from seamless_wallet.cli.option_groups import with_options
from seamless_wallet.cli.printing import stdout_console
from seamless_wallet.cli.target_options import TargetOptions
from seamless_wallet.simulator import Chaos, Simulation
from seamless_wallet.simulator import simulate as run_simulation


@with_options(TargetOptions)
def simulate(
    target: TargetOptions,
    players: Annotated[int, typer.Option(min=1, max=100_000, help="New players to create.")] = 10,
    rounds: Annotated[int, typer.Option(min=0, max=1_000_000, help="Rounds of each player.")] = 10,
    concurrency: Annotated[int, typer.Option(min=1, max=4096, help="Players who play at the same time.")] = 16,
    duplicates: Annotated[float, typer.Option(min=0, max=1, help="Probability that an event is sent once more.")] = 0.1,
    chaos: Annotated[float, typer.Option(min=0, max=1, help="Probability of each kind of trouble in a round.")] = 0.1,
    retry_s: Annotated[
        float, typer.Option(min=0, help="How long to retry an event that got no decision, in seconds.")
    ] = 30.0,
    seed: Annotated[
        int | None, typer.Option(help="Seed; the same one plays the same rounds. Default: random.", show_default=False)
    ] = None,
    acks: Annotated[
        Path | None,
        typer.Option(help="File to append a JSON line to for each event that got R0.", show_default=False),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show every deposit, and every request and reply, decrypted.")
    ] = False,
) -> None:
    """Simulate a game provider: play rounds with every kind of event, and check every answer to the last digit.

    It plays against any webhook that speaks the wire format. `wallet docs conformance` explains how to name webhook,
    players and hook: the options are those of `wallet conformance`.

    Exit status: 0 every answer was right, 1 one was wrong or a player could not be made, 2 wrong usage or no wallet to
    play against.
    """
    from seamless_wallet.cli.target import target_of

    simulation = Simulation(
        target=target_of(target),
        seed=secrets.randbelow(2**32) if seed is None else seed,
        players=players,
        rounds=rounds,
        concurrency=concurrency,
        chaos=Chaos.of(chaos, duplicates),
        retry_s=retry_s,
        acks=acks,
    )
    report = asyncio.run(_run(simulation, verbose=verbose, quiet=json))
    if json:
        typer.echo(jsonlib.dumps(report))
    else:
        _print_report(report)
    raise typer.Exit(0 if report["ok"] else 1)


async def _run(simulation: Simulation, *, verbose: bool, quiet: bool) -> dict[str, Any]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    hidden = verbose or quiet or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as bar:
        task = bar.add_task("Playing rounds", total=simulation.player_count * simulation.rounds)
        return await run_simulation(
            simulation,
            on_round=lambda done: bar.update(task, completed=done),
            on_exchange=partial(_print_exchange, to_stderr=quiet) if verbose else None,
            on_deposit=partial(_print_deposit, to_stderr=quiet) if verbose else lambda *_: None,
        )


def _print_exchange(request: bytes, reply: str, seconds: float, *, to_stderr: bool) -> None:
    typer.echo(f"→ {request.decode(errors='replace')}\n← {reply}   ({seconds * 1000:.1f} ms)\n", err=to_stderr)


def _print_deposit(user_id: str, currency: str, amount: str, *, to_stderr: bool) -> None:
    typer.echo(f"deposited {currency} {amount} to play with: {user_id}\n", err=to_stderr)


def _print_report(report: dict[str, Any]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    codes = sorted({code for counts in report["events"].values() for code in counts})
    table.add_column("event")
    for code in codes:
        table.add_column(code, justify="right")
    for event_type, counts in report["events"].items():
        table.add_row(event_type, *(str(counts.get(code, "")) for code in codes))
    stdout_console().print(table)
    latency = report["latency_ms"]
    typer.echo(
        f"\n{report['event_count']} events in {report['elapsed_s']:.1f} s ({report['events_per_s']:.0f}/s), "
        f"{report['rounds']} rounds; p50 {latency['p50']} ms, p99 {latency['p99']} ms, max {latency['max']} ms"
    )
    if report["ok"] and "R1" in codes:
        typer.echo("each R1 in the table was the right answer")
    typer.echo(f"{report['retries']} retries because no decision came")
    if report["forgotten_declines"]:
        typer.echo(f"{report['forgotten_declines']} declines were decided afresh, because Redis had lost them")
    if report["not_compared"]:
        typer.echo(f"not compared with the balances that the back office shows: {report['not_compared']}")
    typer.echo(f"players {report['players']}, seed {report['seed']}")
    for mismatch in report["mismatches"]:
        row = f" (row {mismatch['row']})" if mismatch["row"] else ""
        typer.echo(f"  {mismatch['user_id']} {mismatch['what']} {mismatch['transaction_id']}{row}")
        typer.echo(f"    expected {mismatch['expected']}\n    got      {mismatch['got']}")
    count = report["mismatch_count"]
    typer.echo("every answer was right" if report["ok"] else f"{count} MISMATCHES; the first are shown above")
