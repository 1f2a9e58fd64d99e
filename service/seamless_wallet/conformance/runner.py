"""Plays cases, some at a time, and says how each ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

from seamless_wallet.clients.target import Target, check_target, open_back_office
from seamless_wallet.clients.webhook import WebhookClient
from seamless_wallet.conformance.case_context import CaseContext
from seamless_wallet.conformance.case_errors import CASE_FAILURES, SKIPS
from seamless_wallet.conformance.case_registry import Case
from seamless_wallet.conformance.case_result import CaseResult, CaseStatus
from seamless_wallet.conformance.probe import probe
from seamless_wallet.conformance.run_clock import RunClock
from seamless_wallet.conformance.run_context import RunContext

CASE_LIMIT_S: Final = 120.0

OnProgress = Callable[[Case, CaseResult | None], None]
"""Is called when a case begins, and with its result when it is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How to play. `ends_run` says of a result whether no further case shall begin."""

    concurrency: int = 8
    ends_run: Callable[[CaseResult], bool] = lambda _result: False
    on_progress: OnProgress = lambda _case, _result: None


async def run_cases(target: Target, cases: Sequence[Case], options: RunOptions) -> list[CaseResult]:
    """Play the cases; their results, in the order of the cases. Raises TargetError if nothing can be tried."""
    check_target(target)
    async with AsyncExitStack() as stack:
        webhook = WebhookClient(target.provider, target.url, timeout_s=target.timeout_s, tls=target.tls)
        run = RunContext(
            await stack.enter_async_context(webhook),
            await open_back_office(target, stack),
            currency=target.currency,
            scale=target.scale,
            choices=target.choices,
            given_players=target.given_players,
        )
        await probe(run)
        return await play_cases(run, cases, options)


async def play_cases(run: RunContext, cases: Sequence[Case], options: RunOptions) -> list[CaseResult]:
    """The cases, some at a time; one after the other if they share given players."""
    turns = asyncio.Semaphore(1 if run.given_players else options.concurrency)
    clock, ended_by = RunClock(), ""

    async def play(case: Case) -> CaseResult:
        nonlocal ended_by
        async with turns:
            if ended_by:
                return CaseResult(case, CaseStatus.SKIP, f"not played: {ended_by} has ended the run", 0.0, 0.0)
            options.on_progress(case, None)
            result = await _play_one(run, case, clock)
            if options.ends_run(result):
                ended_by = case.name
        options.on_progress(case, result)
        return result

    return list(await asyncio.gather(*(play(case) for case in cases)))


async def _play_one(run: RunContext, case: Case, clock: RunClock) -> CaseResult:
    began_s = time.perf_counter()
    clock.begin(case)
    status, detail, context = CaseStatus.PASS, "", CaseContext(run)
    try:
        async with asyncio.timeout(CASE_LIMIT_S):
            await _play_to_the_end(context, case)
        detail = "; ".join(context.remarks())
    except SKIPS as missing:
        status, detail = CaseStatus.SKIP, str(missing)
    except CASE_FAILURES as failure:
        status, detail = CaseStatus.FAIL, str(failure)
    except TimeoutError:
        status, detail = CaseStatus.FAIL, f"not done within {CASE_LIMIT_S:g} s"
    return CaseResult(case, status, detail, time.perf_counter() - began_s, clock.end(case))


async def _play_to_the_end(context: CaseContext, case: Case) -> None:
    played = False
    try:
        await case.play(context)
        played = True
    finally:
        await context.end(played=played)
