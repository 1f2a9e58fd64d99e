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
from seamless_wallet.engine.arguments import ConfirmArgs, ConfirmItem
from seamless_wallet.engine.pipeline import Pipeline, RedisUnavailable
from seamless_wallet.engine.replies import REFUSED_MARK, ReplyStatus
from seamless_wallet.engine.scripts import Argument, load_scripts
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
    """One confirmation: what it said of each shard, and its reply."""

    items: Sequence[ConfirmItem]
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

        From time to time that of all shards: it is a sign of life, too.
        """
        due = {shard: batch.entries for shard, batch in batches.items() if shard in self._shard_states.taken}
        if self._clock.monotonic_s() >= self._all_due_s:
            self._all_due_s = self._clock.monotonic_s() + CONFIRM_ALL_EVERY_S
            self._sent_all = True
            due |= {shard: [] for shard in sorted(self._shard_states.taken.difference(batches))}
            if not due:
                self._signs.append(self._pipeline.execute("PING"))
        if due:
            self._send(due)

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
            if error is None:
                for item, reply in zip(each.items, each.reply.result(), strict=True):
                    well &= self._is_as_told(item, reply) if self._concerns_us(item) else True
            elif isinstance(error, NoScriptError):
                if any(map(self._concerns_us, each.items)):
                    self._checks_due.scripts = True
                    well = False
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

    def _concerns_us(self, item: ConfirmItem) -> bool:
        """Of a shard that went, or an epoch that is over meanwhile, nothing is bad."""
        return item.shard in self._shard_states.held and item.epoch == self._shard_states.heads[item.shard].epoch

    def _is_as_told(self, item: ConfirmItem, reply: Sequence[bytes]) -> bool:
        """Whether the shard is ours and Redis has all that was confirmed."""
        status, seq, *_ = reply
        if status.decode() == ReplyStatus.FENCED:
            self._checks_due.fenced()
            return False
        return self._shard_states.record_written(item.shard, confirmed=item.seq, written=int(seq))

    def _send(self, due: Mapping[int, Sequence[Entry]]) -> None:
        names: list[str] = []
        items: list[ConfirmItem] = []
        for shard, entries in due.items():
            head = self._shard_states.heads[shard]
            names += keys.head(shard), keys.stream(shard, head.epoch)
            tokens = " ".join([f"{REFUSED_MARK if entry.void else ''}{entry.token}" for entry in entries])
            items.append(ConfirmItem(shard, head.epoch, head.seq, tokens))
        argv: list[Argument] = [
            *ConfirmArgs(*self._retention, self._shard_states.nonce, keys.committed_channel(self._ledger_uuid))
        ]
        for item in items:
            argv += item
        reply = self._pipeline.execute(*self._script.command(names, argv))
        self._sent.append(_Sent(items, reply))
