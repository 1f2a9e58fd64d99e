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
from urllib.parse import urlsplit

import aiohttp

from seamless_wallet.clients.admin_api import AdminClient, AdminError, AdminRefused
from seamless_wallet.conformance.case_context import Expected, Scene, World
from seamless_wallet.conformance.case_result import CaseFailed, CaseSkipped, ConformanceError, Outcome, Status
from seamless_wallet.conformance.cash_desks import AdminPort, HookPort, NoPort, NotDone, Port
from seamless_wallet.conformance.probe import probe
from seamless_wallet.conformance.raw_webhook import Wire
from seamless_wallet.conformance.registry import Case
from seamless_wallet.providers import Provider

CASE_LIMIT_S: Final = 120.0
CONNECTIONS_MAX: Final = 128

Tell = Callable[[Case, Outcome | None], None]
"""Is called when a case begins, and with its outcome when it is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Which wallet to try, and what there is beside its webhook. No players given: new ones are made."""

    provider: Provider
    url: str
    currency: str
    players: tuple[str, ...] = ()
    admin: tuple[str, str] | None = None  # URL and token
    hook: str = ""
    expected: Expected = field(default_factory=Expected)
    timeout_s: float = 10.0
    concurrency: int = 8


async def run(target: Target, cases: Sequence[Case], tell: Tell = lambda _case, _outcome: None) -> list[Outcome]:
    """Play the cases; their outcomes, in the order of the cases. Raises ConformanceError if there is nothing to try."""
    check(target)
    async with AsyncExitStack() as stack:
        timeout = aiohttp.ClientTimeout(total=target.timeout_s)
        connector = aiohttp.TCPConnector(limit=CONNECTIONS_MAX)
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector, timeout=timeout))
        world = World(
            Wire(target.provider, target.url, session),
            await _port(target, stack),
            currency=target.currency,
            scale=target.provider.scales[target.currency],
            given=target.players,
            expected=target.expected,
        )
        await probe(world)
        return await play(world, cases, target.concurrency, tell)


def check(target: Target) -> None:
    """Whether there is enough to play with. Raises ConformanceError."""
    try:
        parts = urlsplit(target.url)
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise ConformanceError(f"{target.url!r} is not the http:// URL of a webhook")
    if target.currency not in target.provider.scales:
        raise ConformanceError(f"--currency: {target.currency!r} is none of {', '.join(target.provider.scales)}")
    if len(set(target.players)) < len(target.players):
        raise ConformanceError("--player: the same player twice; a second one has to be somebody else")
    _check_hook(target.hook)
    if not (target.players or target.admin or target.hook):
        raise ConformanceError("where do players come from? Say --player (twice), --admin-url or --hook")


def _check_hook(hook: str) -> None:
    """Whether it is a command line, and its program is there."""
    try:
        words = shlex.split(hook)
    except ValueError as error:
        raise ConformanceError(f"--hook: {hook!r} is no command line: {error}") from None
    if hook and (not words or which(words[0]) is None):
        raise ConformanceError(f"--hook: {hook!r} cannot be run: no such program, or not executable")


async def _port(target: Target, stack: AsyncExitStack) -> Port:
    if target.hook:
        return HookPort(target.hook)
    if target.admin:
        await _check_back_office(*target.admin)
        return AdminPort(await stack.enter_async_context(AdminClient(*target.admin)))
    return NoPort()


async def _check_back_office(url: str, token: str) -> None:
    """Whether there is one that knows the token."""
    async with AdminClient(url, token, patience_s=0) as admin:
        try:
            await admin.show("conf-nobody")
        except AdminRefused as error:
            if error.kind != "unknown-player":
                raise ConformanceError(f"the back office at {url}: {error}") from None
        except AdminError as error:
            raise ConformanceError(str(error)) from None


async def play(world: World, cases: Sequence[Case], concurrency: int, tell: Tell) -> list[Outcome]:
    """The cases, at most `concurrency` at a time; one after the other if they share given players."""
    turns = asyncio.Semaphore(1 if world.given else concurrency)

    async def one(case: Case) -> Outcome:
        async with turns:
            tell(case, None)
            outcome = await _play_one(world, case)
        tell(case, outcome)
        return outcome

    return list(await asyncio.gather(*(one(case) for case in cases)))


async def _play_one(world: World, case: Case) -> Outcome:
    began_s = time.perf_counter()
    status, detail, scene = Status.PASS, "", Scene(world)
    try:
        async with asyncio.timeout(CASE_LIMIT_S):
            await _in_scene(scene, case)
        if scene.lost:
            detail = f"{scene.lost} answers were lost, and their events sent again"
    except CaseSkipped as missing:
        status, detail = Status.SKIP, str(missing)
    except (CaseFailed, NotDone) as failure:
        status, detail = Status.FAIL, str(failure)
    except TimeoutError:
        status, detail = Status.FAIL, f"not done within {CASE_LIMIT_S:g} s"
    return Outcome(case, status, detail, time.perf_counter() - began_s)


async def _in_scene(scene: Scene, case: Case) -> None:
    played = False
    try:
        await case.play(scene)
        played = True
    finally:
        await scene.end(played=played)
