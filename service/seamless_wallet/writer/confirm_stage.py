"""After the commit: raise the watermarks in Redis and tell the workers. Answers leave only after this.

Nobody waits for the replies until the next commit is about to begin. Each is judged by what its own command said.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any, Final, NamedTuple

from redis.exceptions import NoScriptError

from seamless_wallet.engine import keys
from seamless_wallet.engine.arguments import ConfirmArgs
from seamless_wallet.engine.pipeline import Pipeline, RedisUnavailable
from seamless_wallet.engine.replies import REFUSED_MARK, ReplyStatus
from seamless_wallet.engine.scripts import load_scripts
from seamless_wallet.ledger.entry import Entry
from seamless_wallet.ports import Clock
from seamless_wallet.writer.checks_due import ChecksDue
from seamless_wallet.writer.read_stage import Batch
from seamless_wallet.writer.shard_states import ShardStates

CONFIRM_ALL_EVERY_S: Final = 0.25
"""How often the watermarks of all shards of this writer are set again, busy or not; periods advance there, too. A cycle
that has done it is a whole one, and leases are renewed by it.
"""


class Retention(NamedTuple):
    """How much stays in Redis: committed entries of a shard, and for how long an event is remembered."""

    stream_tail: int
    hot_window_ms: int


class _Sent(NamedTuple):
    """One confirmation: what it said, and its reply."""

    shard: int
    epoch: int
    seq: int
    reply: asyncio.Future[Any]


class ConfirmStage:
    """Confirms the shards of a cycle, and all shards of this writer from time to time.

    What SQL says is ours and Redis does not yet is confirmed later: its head is looked at first.
    """

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
        self._clock = clock
        self._retention = retention
        self._shard_states = shard_states
        self._checks_due = checks_due
        self._script = load_scripts()["confirm"]
        self._all_due_s = 0.0
        self._beats = count(1)
        self._sent: list[_Sent] = []
        self._signs: list[asyncio.Future[Any]] = []  # of life: beats, or the reply to a PING
        self._sent_all = False
        self.is_whole = True
        """All shards of this writer were confirmed, and all is well with them, since this was made false. A writer that
        has none has a whole cycle if Redis answers.
        """
        self.leases_renewed = False
        """Since the last heartbeat. Without it the shards may be another writer's, and the heartbeats in them, too."""

    def send(self, batches: Mapping[int, Batch]) -> None:
        """Confirm what was committed of each shard; `settle` before the next commit.

        One message a shard: it is a sign of life, too, and so all shards have theirs from time to time.
        """
        for shard, batch in batches.items():
            if shard in self._shard_states.taken:
                self._send(shard, batch.entries)
        if self._clock.monotonic_s() >= self._all_due_s:
            self._all_due_s = self._clock.monotonic_s() + CONFIRM_ALL_EVERY_S
            self._sent_all = True
            for shard in self._shard_states.taken.difference(batches):
                self._send(shard, ())
            if not self._sent:
                self._signs.append(self._pipeline.execute("PING"))

    def send_all_soon(self) -> None:
        """Do not wait until it is time to confirm all shards."""
        self._all_due_s = 0.0

    async def settle(self) -> bool:
        """Wait for all replies, and judge them. False: something has to be looked at before the next commit.

        A shard whose head is not ours, or of another epoch, is looked at. One that knows less than it was told needs a
        new epoch. After a whole cycle the heart beats in each shard that is well; what a full server
        refuses of that is left out. Raises RedisUnavailable, or ResponseError if Redis refused to confirm.
        """
        sent, self._sent = self._sent, []
        signs, self._signs = self._signs, []
        sent_all, self._sent_all = self._sent_all, False
        pending = [reply for reply in (*(each.reply for each in sent), *signs) if not reply.done()]
        if pending:
            await asyncio.wait(pending)
        well = True
        faults = (sign.exception() for sign in signs)
        fault: BaseException | None = next((each for each in faults if isinstance(each, RedisUnavailable)), None)
        for each in sent:
            error = each.reply.exception()
            if error is None or isinstance(error, NoScriptError):
                well &= self._judge(each)
            else:
                fault = fault or error
        if fault:
            raise fault
        if sent_all and well:
            self.is_whole = True
            if self.leases_renewed:
                self.leases_renewed = False
                self._beat()
        return well

    def _beat(self) -> None:
        value = keys.beat(self._shard_states.nonce, next(self._beats))
        for shard in self._shard_states.taken.difference(self._shard_states.epochs_due):
            self._signs.append(self._pipeline.execute("SET", keys.heartbeat(shard), value, "PX", keys.HEARTBEAT_MS))

    def _judge(self, sent: _Sent) -> bool:
        """Whether all is well with the shard. Of one that went, or an epoch that is over meanwhile, nothing is bad."""
        if sent.shard not in self._shard_states.held or sent.epoch != self._shard_states.heads[sent.shard].epoch:
            return True
        if sent.reply.exception():
            self._checks_due.scripts = True
            return False
        status, seq, *_ = sent.reply.result()
        if status.decode() == ReplyStatus.FENCED:
            self._checks_due.fenced()
            return False
        return self._shard_states.record_written(sent.shard, confirmed=sent.seq, written=int(seq))

    def _send(self, shard: int, entries: Sequence[Entry]) -> None:
        head, retention = self._shard_states.heads[shard], self._retention
        args = ConfirmArgs(
            head.epoch,
            head.seq,
            retention.stream_tail,
            retention.hot_window_ms,
            self._shard_states.nonce,
            keys.committed_channel(self._ledger_uuid, shard),
            " ".join(f"{REFUSED_MARK if entry.void else ''}{entry.token}" for entry in entries),
        )
        names = (keys.head(shard), keys.stream(shard, head.epoch))
        reply = self._pipeline.execute(*self._script.command(names, args))
        self._sent.append(_Sent(shard, head.epoch, head.seq, reply))
