"""`wallet conformance`: test any webhook against the case table."""

from __future__ import annotations

import asyncio
import json as jsonlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from seamless_wallet.cli import conformance_options as option
from seamless_wallet.cli.docs import text_of
from seamless_wallet.cli.option_groups import with_options
from seamless_wallet.cli.printing import stdout_console
from seamless_wallet.cli.target_options import TargetOptions
from seamless_wallet.clients.target import Target, check_target
from seamless_wallet.conformance import (
    Case,
    CaseResult,
    ConformanceError,
    Level,
    RunOptions,
    RunResult,
    run_cases,
    select,
)

if TYPE_CHECKING:
    from rich.console import Console

HOOK_EXAMPLE = "back-office-hook.sh"
"""The page that is a hook for the admin API of this project."""

ANNOUNCED_WAIT_S = 10.0
"""A run that waits as long as this in all says so at its start."""


@with_options(TargetOptions)
def conformance(
    target: TargetOptions,
    grace_s: option.Grace = None,
    body_bytes_max: option.BodyBytesMax = None,
    only: option.Only = None,
    list_cases: option.ListCases = False,
    print_hook: option.PrintHook = False,
    concurrency: option.Concurrency = 8,
    level: option.LevelChoice = Level.MUST,
    fail_fast: option.FailFast = False,
    strict: option.Strict = False,
    json: option.Json = False,
    junit: option.Junit = None,
    verbose: option.Verbose = False,
) -> None:
    """Test a wallet against the case table (`wallet docs semantics`): any webhook that speaks the wire format.

    `wallet docs conformance` explains the cases and their levels, the hook and the report.

    Exit status: 0 no case failed that counts at this level, 1 one did, 2 wrong usage or no wallet to test.
    """
    if print_hook:
        typer.echo(text_of(HOOK_EXAMPLE), nl=False)
        return
    cases = _cases(only or [])
    if list_cases:
        _show_list(cases)
        return
    from seamless_wallet.cli.target import target_of

    tested = target_of(target, grace_s=grace_s, body_bytes_max=body_bytes_max)
    check_target(tested)
    if junit:
        _check_writable(junit)
    planned = RunResult(
        results=(),
        target=tested.shown,
        options={
            **tested.shown_options,
            "only": only or [],
            "concurrency": concurrency,
            "fail_fast": fail_fast,
            "strict": strict,
        },
        level=level,
        strict=strict,
    )
    played = asyncio.run(_run(tested, cases, planned, concurrency=concurrency, fail_fast=fail_fast, quiet=json))
    _report(played, json=json, junit=junit, verbose=verbose)
    raise typer.Exit(0 if played.passed else 1)


def _cases(patterns: list[str]) -> list[Case]:
    cases = select(patterns)
    if not cases:
        raise ConformanceError(f"--only {' '.join(patterns)}: no case has such a name, row or level; --list shows all")
    return cases


def _show_list(cases: Sequence[Case]) -> None:
    from seamless_wallet.conformance.report_tables import show_list

    show_list(cases, stdout_console())


def _check_writable(path: Path) -> None:
    """Whether a report can be written in the end. Leaves nothing behind. Raises ConformanceError."""
    is_new = not path.exists()
    try:
        path.open("ab").close()
    except OSError as error:
        raise _unwritable(path, error) from None
    if is_new:
        path.unlink()


def _unwritable(path: Path, error: OSError) -> ConformanceError:
    return ConformanceError(f"--junit: {path} cannot be written: {error.strerror}")


def _report(played: RunResult, *, json: bool, junit: Path | None, verbose: bool) -> None:
    """On stdout first: it is seen even if the file cannot be written after all."""
    from seamless_wallet.conformance.report_formats import as_json, as_junit
    from seamless_wallet.conformance.report_tables import show

    if json:
        typer.echo(jsonlib.dumps(as_json(played)))
    else:
        show(played, stdout_console(soft_wrap=True), verbose=verbose)
    if junit:
        try:
            junit.write_bytes(as_junit(played))
        except OSError as error:
            raise _unwritable(junit, error) from None


async def _run(
    target: Target, cases: Sequence[Case], planned: RunResult, *, concurrency: int, fail_fast: bool, quiet: bool
) -> RunResult:
    """The run that was planned, with its results."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task("Testing", total=len(cases))

        def on_progress(case: Case, result: CaseResult | None) -> None:
            if result is not None:
                bar.advance(task)
                return
            if case is cases[0] and not quiet:
                _announce_waits(target, cases, console)
            bar.update(task, description=f"{case.name} (waits until the grace is over)" if case.waits else case.name)

        options = RunOptions(
            concurrency=concurrency,
            ends_run=planned.counts if fail_fast else lambda _result: False,
            on_progress=on_progress,
        )
        return replace(planned, results=await run_cases(target, cases, options))


def _announce_waits(target: Target, cases: Sequence[Case], console: Console) -> None:
    """Given players play one case after the other, and some cases wait: say so before nothing seems to happen."""
    count = sum(case.waits for case in cases)
    seconds = count * target.choices.grace_s
    if target.given_players and seconds >= ANNOUNCED_WAIT_S:
        console.print(
            f"Up to {count} cases wait until the grace after a logout is over, one after the other: {seconds:.0f} s in "
            "all. To save time, shorten the grace of the wallet (row 33) and pass it as --grace-s.",
            soft_wrap=True,
        )
