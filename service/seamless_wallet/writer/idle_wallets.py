"""Idle wallets leave Redis, so that its memory follows the players who play. They are loaded again when they come back.

A wallet is idle if its last entry is no newer than what SQL had when the time of idleness began. So nobody has to keep
a time for each wallet, and no look at a wallet makes it busy. Rounds with open bets get a time to live instead, which
the next write takes away. A sweep goes over all of them in small steps beside the writer's cycle, and never waits for
it or holds it up. A writer that has just started waits for the whole time of idleness first.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

import structlog
from redis.exceptions import NoScriptError, ResponseError

from seamless_wallet.engine import keys
from seamless_wallet.engine.arguments import EvictIdleArgs, ExpireRoundArgs
from seamless_wallet.engine.pipeline import Pipeline, RedisUnavailable
from seamless_wallet.engine.replies import ReplyStatus
from seamless_wallet.engine.scripts import load_scripts
from seamless_wallet.observability import metrics
from seamless_wallet.ports import Clock
from seamless_wallet.writer.checks_due import ChecksDue
from seamless_wallet.writer.shard_states import ShardStates

SWEEPS: Final = 4
"""In the time after which a wallet counts as idle. So one leaves Redis at most one and a half times that time later."""

SCAN_COUNT: Final = 64
"""Keys of one step. Their scripts take a millisecond or two of this process, during which no commit can begin."""

SWEEP_PAUSE_S: Final = 0.005
"""Between two steps: a sweep never has more than a fraction of the processor."""

log = structlog.get_logger(__name__)


class IdleWallets:
    """Sweeps idle wallets and rounds out of Redis."""

    def __init__(
        self, pipeline: Pipeline, shard_states: ShardStates, checks_due: ChecksDue, clock: Clock, idle_ms: int
    ) -> None:
        self._pipeline = pipeline
        self._shard_states = shard_states
        self._checks_due = checks_due
        self._clock = clock
        self._idle_ms = idle_ms
        self._marks: deque[tuple[float, list[int]]] = deque(maxlen=SWEEPS + 2)
        """When what each shard had in SQL was seen, oldest first."""

    async def sweep_for_ever(self) -> None:
        """Sweep from time to time; not at all if the time of idleness is 0."""
        while self._idle_ms:
            await asyncio.sleep(self._idle_ms / 1000 / SWEEPS)
            idle_seqs = self._idle_since()
            try:
                if idle_seqs is not None:
                    await self.sweep(idle_seqs)
            except (RedisUnavailable, ResponseError) as error:
                log.info("idle_sweep_interrupted", error=str(error), remedy="none: the next one takes it up")
            except Exception:  # nobody awaits this task: what is not logged here is lost
                metrics.UNEXPECTED_ERRORS.labels("idle_wallets").inc()
                log.exception("idle_sweep_failed", remedy="report it; idle wallets stay until the next sweep")

    async def sweep(self, idle_seqs: Sequence[int]) -> None:
        """Let go whose last entry is no newer than these seqs, one a shard.

        Raises RedisUnavailable or ResponseError.
        """
        players, cursor = 0, b"0"
        while True:
            cursor, names = await self._pipeline.execute(
                "SCAN", cursor, "MATCH", keys.IDLE_PATTERN, "COUNT", SCAN_COUNT
            )
            kept = await self._look_at(names, idle_seqs)
            if kept is None:
                return
            players += kept
            if cursor == b"0":
                metrics.PLAYERS_IN_REDIS.set(players)
                return
            await asyncio.sleep(SWEEP_PAUSE_S)

    def _idle_since(self) -> list[int] | None:
        """What each shard had in SQL when the time of idleness began; None if this writer was not there yet."""
        now_s, idle_s = self._clock.monotonic_s(), self._idle_ms / 1000
        self._marks.append((now_s, [head.seq for head in self._shard_states.heads]))
        old = [seqs for seen_s, seqs in self._marks if seen_s <= now_s - idle_s]
        return old[-1] if old else None

    async def _look_at(self, names: Sequence[bytes], idle_seqs: Sequence[int]) -> int | None:
        """How many of the wallets among these stay; None if the head of a shard is not ours, or a script is gone."""
        steps = [step for name in names if (step := self._step(name, idle_seqs)) is not None]
        sent = [self._pipeline.execute(*command) for _, command in steps]
        replies: list[Any] = await asyncio.gather(*sent, return_exceptions=True)
        kept = 0
        for (kind, _), reply in zip(steps, replies, strict=True):
            if isinstance(reply, NoScriptError):
                self._checks_due.scripts = True
                return None
            if isinstance(reply, BaseException):
                raise reply
            status = ReplyStatus(reply[0].decode())
            if status is ReplyStatus.FENCED:
                self._checks_due.fenced()
                return None
            if kind == "w" and status is ReplyStatus.OK:
                metrics.PLAYER_EVICTIONS.inc()
            elif kind == "w":
                kept += 1
        return kept

    def _step(self, name: bytes, idle_seqs: Sequence[int]) -> tuple[str, tuple[Any, ...]] | None:
        """The script for a wallet or a round of an epoch of now; None for any other key."""
        heads, scripts, nonce = self._shard_states.heads, load_scripts(), self._shard_states.nonce
        try:
            key = name.decode()
            tag, epoch = keys.epoch_of(key)
            shard = int(tag)
        except (ValueError, IndexError):
            return None
        if not 0 <= shard < min(len(heads), len(idle_seqs)) or heads[shard].epoch != epoch:
            return None
        if shard not in self._shard_states.taken or shard in self._shard_states.epochs_due:
            return None
        kind, names = keys.kind_of(key), (keys.head(shard), key)
        if kind == "w":
            return kind, scripts["evict_idle"].command(names, EvictIdleArgs(epoch, nonce, idle_seqs[shard]))
        return kind, scripts["expire_round"].command(names, ExpireRoundArgs(epoch, nonce, self._idle_ms))
