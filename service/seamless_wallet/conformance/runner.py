"""Plays cases, some at a time, and says how each ended."""

from __future__ import annotations

import asyncio
import shlex
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from shutil import which
from typing import Final

from seamless_wallet.clients.admin_api import AdminClient, AdminError, AdminRefused, check_access
from seamless_wallet.clients.webhook import ANSWER_LIMIT_S, WebhookClient, is_http_url
from seamless_wallet.conformance.back_office_ports import AbsentPort, AdminApiPort, BackOfficePort, HookPort
from seamless_wallet.conformance.case_context import CaseContext
from seamless_wallet.conformance.case_errors import FAILURES, CaseSkipped, ConformanceError
from seamless_wallet.conformance.case_registry import Case
from seamless_wallet.conformance.case_result import CaseResult, CaseStatus
from seamless_wallet.conformance.probe import probe
from seamless_wallet.conformance.run_context import OperatorChoices, RunContext
from seamless_wallet.providers import Provider

CASE_LIMIT_S: Final = 120.0

OnProgress = Callable[[Case, CaseResult | None], None]
"""Is called when a case begins, and with its result when it is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Which wallet to try, and what there is beside its webhook. Without given players new ones are made."""

    provider: Provider
    url: str
    currency: str
    given_players: tuple[str, ...] = ()
    admin: tuple[str, str] | None = None  # URL and token of the back office
    hook: str = ""
    choices: OperatorChoices = field(default_factory=OperatorChoices)
    timeout_s: float = ANSWER_LIMIT_S
    concurrency: int = 8


async def run_cases(
    target: Target, cases: Sequence[Case], on_progress: OnProgress = lambda _case, _result: None
) -> list[CaseResult]:
    """Play the cases; their results, in the order of the cases. Raises ConformanceError if nothing can be tried."""
    check_target(target)
    async with AsyncExitStack() as stack:
        webhook = WebhookClient(target.provider, target.url, timeout_s=target.timeout_s)
        run = RunContext(
            await stack.enter_async_context(webhook),
            await _back_office(target, stack),
            currency=target.currency,
            scale=target.provider.scales[target.currency],
            choices=target.choices,
            given_players=target.given_players,
        )
        await probe(run)
        return await play_cases(run, cases, target.concurrency, on_progress)


def check_target(target: Target) -> None:
    """Whether there is enough to play with. Raises ConformanceError."""
    if not is_http_url(target.url):
        raise ConformanceError(f"{target.url!r} is not the http:// URL of a webhook")
    if target.currency not in target.provider.scales:
        known = ", ".join(target.provider.scales)
        raise ConformanceError(
            f"--currency: {target.currency!r} is not a currency of this provider; choose one of {known}"
        )
    if len(set(target.given_players)) < len(target.given_players):
        raise ConformanceError("--player: the same player twice; the second must be another one")
    _check_hook(target.hook)
    if not (target.given_players or target.admin or target.hook):
        raise ConformanceError("no players to play with; pass --player (twice), --admin-url or --hook")


def _check_hook(hook: str) -> None:
    """Whether it is a command line, and its program is there. Raises ConformanceError."""
    try:
        words = shlex.split(hook)
    except ValueError as error:
        raise ConformanceError(f"--hook: {hook!r} is not a command line: {error}") from None
    if hook and (not words or which(words[0]) is None):
        raise ConformanceError(f"--hook: {hook!r} cannot be run: no such program, or not executable")


async def _back_office(target: Target, stack: AsyncExitStack) -> BackOfficePort:
    if target.hook:
        return HookPort(target.hook)
    if target.admin is None:
        return AbsentPort()
    url, token = target.admin
    try:
        await check_access(url, token)
    except AdminRefused as error:
        raise ConformanceError(f"the back office at {url}: {error}") from None
    except AdminError as error:
        raise ConformanceError(str(error)) from None
    return AdminApiPort(await stack.enter_async_context(AdminClient(url, token)))


async def play_cases(
    run: RunContext, cases: Sequence[Case], concurrency: int, on_progress: OnProgress
) -> list[CaseResult]:
    """The cases, at most `concurrency` at a time; one after the other if they share given players."""
    turns = asyncio.Semaphore(1 if run.given_players else concurrency)

    async def play(case: Case) -> CaseResult:
        async with turns:
            on_progress(case, None)
            result = await _play_one(run, case)
        on_progress(case, result)
        return result

    return list(await asyncio.gather(*(play(case) for case in cases)))


async def _play_one(run: RunContext, case: Case) -> CaseResult:
    began_s = time.perf_counter()
    status, detail, context = CaseStatus.PASS, "", CaseContext(run)
    try:
        async with asyncio.timeout(CASE_LIMIT_S):
            await _play_to_the_end(context, case)
        if context.lost_answers:
            detail = f"{context.lost_answers} answers were lost, and their events sent again"
    except CaseSkipped as missing:
        status, detail = CaseStatus.SKIP, str(missing)
    except FAILURES as failure:
        status, detail = CaseStatus.FAIL, str(failure)
    except TimeoutError:
        status, detail = CaseStatus.FAIL, f"not done within {CASE_LIMIT_S:g} s"
    return CaseResult(case, status, detail, time.perf_counter() - began_s)


async def _play_to_the_end(context: CaseContext, case: Case) -> None:
    played = False
    try:
        await case.play(context)
        played = True
    finally:
        await context.end(played=played)
