"""Processes that hang, as the provider sees it: every answer comes by the deadline, and none is wrong."""

from __future__ import annotations

import asyncio
import os
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

from redis import Redis

from seamless_wallet.clients.webhook import WebhookClient
from seamless_wallet.commands import Code, Command, Item, Kind
from tests.acceptance.calls import acme
from tests.acceptance.service_process import RunningService

DEADLINE_S = 2.0
LATE_S = 1.0
"""How much later than the deadline an answer may come on a busy machine."""

CLIENTS = 20
TURNS_LIMIT_S = 20.0


class Provider:
    """Sends bets of one player without pause, each under a new id, and keeps what came back and how long it took."""

    def __init__(self, url: str) -> None:
        self.answers: list[tuple[Code, float]] = []
        self._numbers = count()
        self._client = WebhookClient(acme(), f"{url}/webhook/acme", timeout_s=30)

    async def play_until(self, condition: Callable[[], bool]) -> None:
        """CLIENTS at a time, until the condition is true."""
        deadline_s = time.monotonic() + TURNS_LIMIT_S
        self.answers.clear()

        async def play() -> None:
            while not condition():
                assert time.monotonic() < deadline_s, self.codes
                await self._bet()

        async with self._client:
            await asyncio.gather(*(play() for _ in range(CLIENTS)))

    async def log_in(self) -> None:
        """Bets need a session."""
        async with self._client:
            assert await self._send(Kind.LOGIN) is Code.R0

    async def _bet(self) -> None:
        game_no, context = f"g{next(self._numbers)}", {"game_type": "BAC", "table_no": "T7"}
        items, began_s = (Item("1", "player", 100),), time.monotonic()
        code = await self._send(Kind.BET, currency="KRW", game_no=game_no, items=items, context=context)
        self.answers.append((code, time.monotonic() - began_s))

    async def _send(self, kind: Kind, **fields: Any) -> Code:
        now_ms = time.time_ns() // 1_000_000
        command = Command(
            kind=kind,
            provider="acme",
            user_id="ann",
            transaction_id=f"2_{next(self._numbers)}",
            timestamp_ms=now_ms,
            received_ms=now_ms,
            **fields,
        )
        return (await self._client.exchange(self._client.provider.profile.encode_event(command, 2))).code

    @property
    def codes(self) -> set[Code]:
        return {code for code, _ in self.answers}

    @property
    def slowest_s(self) -> float:
        return max(took_s for _, took_s in self.answers)


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """The process does nothing in the meantime, and breaks no connection."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def after(seconds: float) -> Callable[[], bool]:
    """True from then on."""
    then_s = time.monotonic() + seconds
    return lambda: time.monotonic() > then_s


async def test_every_answer_comes_by_the_deadline_whatever_process_hangs(tmp_path: Path) -> None:
    """Valkey for more than a deadline, then the writer for as long as it takes to be missed; under load, over HTTP."""
    service = await asyncio.to_thread(start, tmp_path)
    try:
        provider = Provider(service.webhook_url)
        await provider.log_in()
        await provider.play_until(lambda: len(provider.answers) > 50)
        assert provider.codes == {Code.R0}

        with stopped(service.pid("valkey")):
            await provider.play_until(after(1.5 * DEADLINE_S))
        assert provider.codes <= {Code.R0, Code.R1}
        assert provider.slowest_s <= DEADLINE_S + LATE_S
        await provider.play_until(lambda: Code.R0 in provider.codes)

        with stopped(service.pid("writer")):
            await provider.play_until(lambda: at_once(provider))
            assert provider.slowest_s <= DEADLINE_S + LATE_S
            before = await asyncio.to_thread(entries, service)
            await provider.play_until(lambda: len(provider.answers) > 100)
            assert provider.codes == {Code.R1}
            assert median(took_s for _, took_s in provider.answers) < DEADLINE_S / 4
            assert await asyncio.to_thread(entries, service) == before
        await provider.play_until(lambda: Code.R0 in provider.codes)
        verified = await asyncio.to_thread(service.wallet, "verify")
        assert verified.returncode == 0, verified.stdout + verified.stderr
    finally:
        await asyncio.to_thread(service.__exit__)


def start(directory: Path) -> RunningService:
    """A service with one player who has money."""
    service = RunningService(directory)
    headers = {
        "Authorization": f"Bearer {(directory / 'var' / 'admin.token').read_text().strip()}",
        "Content-Type": "application/json",
        "Idempotency-Key": "k",
    }
    for path, body in (("", b'{"user_id":"ann","currency":"KRW"}'), ("/ann/deposits", b'{"amount":"1000000.00"}')):
        request = urllib.request.Request(f"{service.admin_url}/v1/players{path}", data=body, headers=headers)
        urllib.request.urlopen(request, timeout=10).close()
    return service


def at_once(provider: Provider) -> bool:
    """The last answers did not wait for the deadline."""
    last = provider.answers[-CLIENTS:]
    return len(last) == CLIENTS and all(code is Code.R1 and took_s < DEADLINE_S / 2 for code, took_s in last)


def entries(service: RunningService) -> int:
    """How many entries are in all streams of Redis."""
    with Redis(unix_socket_path=str(service.redis_socket)) as redis:
        return sum(redis.xlen(name) for name in redis.scan_iter(match="{*}:l:*"))
