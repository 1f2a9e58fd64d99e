"""After the commit: raise the watermarks in Redis and tell the workers. Answers leave only after this.

Nobody waits for the replies until the next commit is about to begin. Each is judged by what its own command said.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any, Final, NamedTuple

from redis.exceptions import NoScriptError, ResponseError

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

TOGETHER: Final = 50
"""Shards that one script confirms. It must not hold up the bets of others for long."""


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
        self._refused = False  # Redis refused a confirmation: of several shards it does not say because of which
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
        due: dict[int, Sequence[Entry]] = {
            shard: batch.entries for shard, batch in batches.items() if shard in self._shard_states.taken
        }
        if self._clock.monotonic_s() >= self._all_due_s:
            self._all_due_s = self._clock.monotonic_s() + CONFIRM_ALL_EVERY_S
            self._sent_all = True
            due |= {shard: [] for shard in sorted(self._shard_states.taken.difference(batches))}
            if not due:
                self._signs.append(self._pipeline.execute("PING"))
        together = 1 if self._refused else TOGETHER
        shards = list(due.items())
        for at in range(0, len(shards), together):
            self._send(shards[at : at + together])

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
        if sent:
            self._refused = False
        faults = (sign.exception() for sign in signs)
        fault: BaseException | None = next((each for each in faults if isinstance(each, RedisUnavailable)), None)
        for each in sent:
            try:
                well &= self._judge(each)
            except (RedisUnavailable, ResponseError) as error:
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
        """Whether all is well with all shards of a confirmation. Raises RedisUnavailable or ResponseError."""
        try:
            replies = sent.reply.result()
        except NoScriptError:
            concerns_us = any(map(self._concerns_us, sent.items))
            self._checks_due.scripts |= concerns_us
            return not concerns_us
        except ResponseError:
            self._refused = True
            raise
        well = True
        for item, reply in zip(sent.items, replies, strict=True):
            if self._concerns_us(item):
                well &= self._is_as_told(item, reply)
        return well

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

    def _send(self, due: Sequence[tuple[int, Sequence[Entry]]]) -> None:
        names: list[str] = []
        items: list[ConfirmItem] = []
        for shard, entries in due:
            head = self._shard_states.heads[shard]
            names += keys.head(shard), keys.stream(shard, head.epoch)
            items.append(ConfirmItem(shard, head.epoch, head.seq, _tokens(entries)))
        argv: list[Argument] = [
            *ConfirmArgs(*self._retention, self._shard_states.nonce, keys.committed_channel(self._ledger_uuid))
        ]
        for item in items:
            argv += item
        reply = self._pipeline.execute(*self._script.command(names, argv))
        self._sent.append(_Sent(items, reply))


def _tokens(entries: Sequence[Entry]) -> str:
    """Of the attempts that wrote these. One with white space in it would be taken for several, or for other shards."""
    tokens = [f"{REFUSED_MARK if entry.void else ''}{entry.token}" for entry in entries]
    return " ".join([token for token in tokens if len(token.split()) == 1])
