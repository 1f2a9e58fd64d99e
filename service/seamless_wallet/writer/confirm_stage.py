"""After the commit: raise the watermarks in Redis and tell the workers. Answers leave only after this."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any, Final, NamedTuple

from redis.exceptions import NoScriptError, ResponseError

from seamless_wallet.engine import keys
from seamless_wallet.engine.arguments import ConfirmArgs
from seamless_wallet.engine.pipeline import Pipeline
from seamless_wallet.engine.replies import REFUSED_MARK, ReplyStatus
from seamless_wallet.engine.scripts import load_scripts
from seamless_wallet.ledger.entry import Entry
from seamless_wallet.ports import Clock
from seamless_wallet.writer.checks_due import ChecksDue
from seamless_wallet.writer.read_stage import Batch
from seamless_wallet.writer.shard_states import ShardStates

CONFIRM_ALL_EVERY_S: Final = 0.25
"""How often the watermarks of all shards are set again, busy or not; periods advance there, too."""


class Retention(NamedTuple):
    """How much stays in Redis: committed entries of a shard, and for how long an event is remembered."""

    stream_tail: int
    hot_window_ms: int


class ConfirmStage:
    """Confirms the shards of a cycle, and all shards in turn from time to time."""

    def __init__(
        self,
        *,
        pipeline: Pipeline,
        ledger_uuid: str,
        clock: Clock,
        retention: Retention,
        shard_states: ShardStates,
        checks_due: ChecksDue,
    ) -> None:
        self._pipeline = pipeline
        self._ledger_uuid = ledger_uuid
        self._heartbeat = keys.heartbeat(ledger_uuid)
        self._clock = clock
        self._retention = retention
        self._shard_states = shard_states
        self._checks_due = checks_due
        self._all_due_s = 0.0
        self._beats = count(1)

    async def confirm(self, batches: Mapping[int, Batch]) -> None:
        """Confirm what was committed of each shard. Raises RedisUnavailable.

        One message a shard: it is a sign of life, too, and so all shards have theirs from time to time. A shard whose
        head is not ours, or of another epoch, is looked at. One that knows less than SQL needs a new epoch. A heartbeat
        that a full server refuses is left out: then this is no whole cycle.
        """
        committed: dict[int, Sequence[Entry]] = {shard: batch.entries for shard, batch in batches.items()}
        all_due = self._clock.monotonic_s() >= self._all_due_s
        if all_due:
            self._all_due_s = self._clock.monotonic_s() + CONFIRM_ALL_EVERY_S
            committed = {shard: committed.get(shard, ()) for shard in range(len(self._shard_states.heads))}
        await self._confirm(committed)
        if all_due and not (self._shard_states.epochs_due or self._checks_due.owners):
            with contextlib.suppress(ResponseError):
                beat = keys.beat(self._shard_states.nonce, next(self._beats))
                await self._pipeline.execute("SET", self._heartbeat, beat, "PX", keys.HEARTBEAT_MS)

    async def _confirm(self, committed: Mapping[int, Sequence[Entry]]) -> None:
        """Confirm the shards named, also those with no new entry."""
        now_ms = self._clock.now_ms()
        confirmed = (self._confirm_shard(shard, entries, now_ms) for shard, entries in committed.items())
        replies = await asyncio.gather(*confirmed, return_exceptions=True)
        lost_script = False
        for shard, reply in zip(committed, replies, strict=True):
            if isinstance(reply, NoScriptError):
                lost_script = True
            elif isinstance(reply, BaseException):
                raise reply
            elif reply[0].decode() == ReplyStatus.FENCED:
                self._checks_due.owners = True
            else:
                self._shard_states.record_written(shard, int(reply[1]))
        self._checks_due.scripts |= lost_script

    def _confirm_shard(self, shard: int, entries: Sequence[Entry], now_ms: int) -> asyncio.Future[Any]:
        head, retention = self._shard_states.heads[shard], self._retention
        args = ConfirmArgs(
            head.epoch,
            head.seq,
            retention.stream_tail,
            now_ms,
            retention.hot_window_ms,
            self._shard_states.nonce,
            keys.committed_channel(self._ledger_uuid, shard),
            " ".join(f"{REFUSED_MARK if entry.void else ''}{entry.token}" for entry in entries),
        )
        names = (keys.head(shard), keys.stream(shard, head.epoch))
        return self._pipeline.execute(*load_scripts()["confirm"].command(names, args))
