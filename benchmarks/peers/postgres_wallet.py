"""PostgreSQL alone: one PL/pgSQL call a bet, committed before it is answered.

python -m benchmarks.peers.postgres_wallet PORT URL
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg
import uvloop

from benchmarks.peers.webhook import Take, handler, port_argument, serve
from seamless_wallet.commands import Answer, Code, Command, Policy, event_digest, fingerprint, round_digest
from seamless_wallet.ledger.payload import encode_payload

SCHEMA: Final = Path(__file__).with_name("postgres_wallet.sql")
CONSTRAINTS: Final = Path(__file__).with_name("postgres_constraints.sql")

CONNECTIONS: Final = 16
"""More made it slower on two cores, and so did fewer: commits wait for each other anyway."""

SETTINGS: Final = {
    "commit_delay": "200",  # µs: so that commits share an fsync
    "jit": "off",
    "max_wal_size": "4GB",  # no checkpoint within a run: each makes full-page images
    "shared_buffers": "256MB",
    "synchronous_commit": "on",
}

REPEATS_MAX: Final = 5
"""Two copies of an event at once: the second one's look finds the first."""

_ARGUMENTS: Final = ", ".join(f"${number}" for number in range(1, 14))
_CODES: Final = {-1: Code.R1, -2: Code.R1, -3: Code.R3, -4: Code.R4}


class Calls(NamedTuple):
    """The prepared statements of one connection."""

    take: Callable[..., Awaitable[Any]]
    judge: Callable[..., Awaitable[Any]]


class Pool:
    """Connections that are kept, the warmest first. asyncpg's own pool sends a reset query at each release."""

    def __init__(self, connections: list[Any], free: list[Calls]) -> None:
        self._connections = connections
        self._free = free
        self._waiting: deque[asyncio.Future[Calls]] = deque()

    @classmethod
    async def connect(cls, url: str) -> Pool:
        """Connect all of them."""
        connections = [await asyncpg.connect(url) for _ in range(CONNECTIONS)]
        free = []
        for connection in connections:
            names = ("take_bet", "judge_bet")
            free.append(Calls(*[(await connection.prepare(f"SELECT {n}({_ARGUMENTS})")).fetchval for n in names]))
        return cls(connections, free)

    async def close(self) -> None:
        """Close all connections."""
        for connection in self._connections:
            await connection.close()

    async def acquire(self) -> Calls:
        """One that is free, in the order of asking."""
        if self._free:
            return self._free.pop()
        future: asyncio.Future[Calls] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        return await future

    def release(self, calls: Calls) -> None:
        """Give it to whoever waits longest."""
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(calls)
                return
        self._free.append(calls)


def taking(pool: Pool) -> Take:
    """Bets by one call each."""
    policy = Policy()

    async def take(command: Command) -> Answer:
        stakes = [item.amount for item in command.items]
        arguments = (
            UUID(bytes=event_digest(command)),
            UUID(bytes=fingerprint(command)),
            command.user_id,
            command.provider,
            command.currency,
            UUID(bytes=round_digest(command)),
            [item.bet_index for item in command.items],
            stakes,
            sum(stakes),
            command.received_ms,
            policy.session_ms,
            policy.session_grace_ms,
            encode_payload(command),
        )
        calls = await pool.acquire()
        try:
            balance = await _decide(calls, arguments)
        finally:
            pool.release(calls)
        if balance < 0:
            return Answer(_CODES[balance], "declined")
        return Answer(Code.R0, "taken", balance, currency=command.currency)

    return take


async def _decide(calls: Calls, arguments: tuple[object, ...]) -> int:
    call = calls.take
    for _ in range(REPEATS_MAX):
        try:
            return int(await call(*arguments))
        except asyncpg.UniqueViolationError:
            call = calls.judge
    return -1


async def main(port: int, url: str) -> None:
    """Serve for ever."""
    await serve(port, handler(taking(await Pool.connect(url))))


if __name__ == "__main__":
    uvloop.run(main(port_argument(), sys.argv[2]))
