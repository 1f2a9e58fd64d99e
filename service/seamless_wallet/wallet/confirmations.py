"""Waiting until an entry is committed in SQL.

Each attempt has a random token that travels with its entry; after a commit the writer sends the tokens back to
their worker. A watermark alone is not enough: an entry of an older epoch would look committed. What stays
unconfirmed, for whatever reason, is looked up in SQL by event digest and fingerprint.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from enum import Enum, auto
from itertools import count, islice
from typing import Final

from seamless_wallet.engine import keys
from seamless_wallet.engine.ports import RedisAddress
from seamless_wallet.engine.subscription import listen
from seamless_wallet.ledger.conflicts import EpochCause
from seamless_wallet.ledger.ports import LedgerReader
from seamless_wallet.observability import metrics
from seamless_wallet.observability.rate_limited_log import RateLimitedLog
from seamless_wallet.ports import Randomness
from seamless_wallet.wallet.prepared_event import PreparedEvent

WORKER_BYTES: Final = 8
"""Of a worker's random name: no two workers may share a channel."""

SWEEP_S: Final = 0.1
SWEEP_MAX: Final = 500
"""Attempts looked up in SQL at a time, oldest first."""

_HEAD: Final = re.compile(r"(?a:(\d{1,9}):(\d{1,18}):(\d{1,18}))")


class AttemptOutcome(Enum):
    """What became of an attempt."""

    COMMITTED = auto()
    LOST = auto()  # not by this attempt: its epoch ended first, or SQL has the event already; only SQL knows which
    OVERDUE = auto()  # not known by the deadline


class Attempt:
    """One execution that may leave an entry, registered before the command is written."""

    __slots__ = ("epoch", "event", "fate", "seq", "sweep_s", "token")

    def __init__(self, token: str, event: PreparedEvent, epoch: int) -> None:
        loop = asyncio.get_running_loop()
        self.token = token
        self.event = event
        self.epoch = epoch
        self.seq = 0  # known once Redis has answered
        self.sweep_s = loop.time() + SWEEP_S
        self.fate: asyncio.Future[AttemptOutcome] = loop.create_future()

    def settle(self, fate: AttemptOutcome) -> None:
        """Tell whoever waits; the first word counts."""
        if not self.fate.done():
            self.fate.set_result(fate)


class _Watermark:
    """Somebody waits until SQL has committed up to `seq` of an epoch."""

    __slots__ = ("epoch", "reached", "seq", "shard")

    def __init__(self, shard: int, epoch: int, seq: int) -> None:
        self.shard = shard
        self.epoch = epoch
        self.seq = seq
        self.reached: asyncio.Future[AttemptOutcome] = asyncio.get_running_loop().create_future()

    def observe(self, epoch: int, seq: int) -> None:
        if not self.reached.done() and (epoch > self.epoch or seq >= self.seq):
            self.reached.set_result(AttemptOutcome.LOST if epoch > self.epoch else AttemptOutcome.COMMITTED)


AskRecovery = Callable[[int, EpochCause], Awaitable[None]]


class Confirmations:
    """All that waits for the writer in this process. `run` listens and sweeps."""

    def __init__(
        self,
        *,
        ledger: LedgerReader,
        ledger_uuid: str,
        redis: RedisAddress,
        randomness: Randomness,
        ask_recovery: AskRecovery,
    ) -> None:
        self.worker: Final = randomness.token(WORKER_BYTES)
        self._ledger = ledger
        self._redis = redis
        self._rate_limited_log = RateLimitedLog(every_s=10)
        self._committed_channel = keys.committed_channel(ledger_uuid)
        self._ask_recovery = ask_recovery
        self._numbers = count(1)
        self._attempts: dict[str, Attempt] = {}
        self._by_digest: dict[bytes, Attempt] = {}
        self._watermarks: dict[_Watermark, None] = {}  # in order

    def register(self, event: PreparedEvent, epoch: int) -> Attempt:
        """A new attempt. `forget` it in any case."""
        attempt = Attempt(f"{self.worker}.{next(self._numbers):x}", event, epoch)
        self._attempts[attempt.token] = attempt
        return attempt

    def executed(self, attempt: Attempt, seq: int) -> None:
        """Redis has written the attempt's entry at `seq`: copies of the event may join it."""
        attempt.seq = seq
        self._by_digest[attempt.event.digest] = attempt

    def forget(self, attempt: Attempt) -> None:
        """Nobody waits for this attempt any more."""
        del self._attempts[attempt.token]
        if self._by_digest.get(attempt.event.digest) is attempt:
            del self._by_digest[attempt.event.digest]

    async def duplicate(self, event: PreparedEvent, epoch: int, seq: int) -> AttemptOutcome:
        """The fate of an event that Redis has seen before, and of the balance it tells, which rests on `seq`."""
        twin = self._by_digest.get(event.digest)
        if twin is not None and twin.epoch == epoch:
            await asyncio.wait([twin.fate])
            if not twin.fate.cancelled():
                fate = twin.fate.result()
                if fate is AttemptOutcome.LOST or (fate is AttemptOutcome.COMMITTED and twin.seq >= seq):
                    return fate
                # else its caller gave up, or more has happened to the wallet since
        while True:
            found = await self._ledger.find_events([event.digest])
            head, record = found.heads[event.shard], found.events.get(event.digest)
            if head.epoch > epoch or (record is not None and record.fingerprint != event.fingerprint):
                return AttemptOutcome.LOST
            if head.seq >= seq:
                if record is not None:
                    return AttemptOutcome.COMMITTED
                await self._ask_recovery(event.shard, EpochCause.FORK)
                await asyncio.sleep(SWEEP_S)
                return AttemptOutcome.LOST
            await self.reached(event.shard, epoch, seq)

    async def reached(self, shard: int, epoch: int, seq: int) -> AttemptOutcome:
        """Wait until SQL has committed `seq` of this epoch, or the epoch is over."""
        watermark = _Watermark(shard, epoch, seq)
        self._watermarks[watermark] = None
        try:
            return await watermark.reached
        finally:
            self._watermarks.pop(watermark, None)

    async def run(self) -> None:
        """Listen to the writer and sweep what it did not confirm, for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen_for_ever())
            group.create_task(self._sweep_for_ever())
            group.create_task(self._give_up_for_ever())

    async def _listen_for_ever(self) -> None:
        """What is missed while the subscription is broken, the sweep finds in SQL."""
        own = keys.confirm_channel(self.worker)
        async for channel, text in listen(self._redis, own, self._committed_channel):
            if channel == own:
                self._confirm(text)
            else:
                self._observe_text(text)

    def _confirm(self, tokens: str) -> None:
        for token in tokens.split():
            attempt = self._attempts.get(token)
            if attempt is not None:
                attempt.settle(AttemptOutcome.COMMITTED)

    def _observe_text(self, text: str) -> None:
        if self._watermarks:
            for shard, epoch, seq in _HEAD.findall(text):
                self._observe(int(shard), int(epoch), int(seq))

    def _observe(self, shard: int, epoch: int, seq: int) -> None:
        for watermark in self._watermarks:
            if watermark.shard == shard:
                watermark.observe(epoch, seq)

    async def _sweep_for_ever(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(SWEEP_S)
            now_s = loop.time()
            waiting = list(islice((a for a in self._attempts.values() if a.seq and a.sweep_s < now_s), SWEEP_MAX))
            if waiting or self._watermarks:
                try:
                    await self._sweep(waiting)
                except Exception:  # noqa: BLE001 - counted and logged; the next sweep asks again
                    metrics.UNEXPECTED_ERRORS.labels("sweep").inc()
                    self._rate_limited_log.exception("commit_lookup_failed", remedy="can this process read the ledger?")

    async def _give_up_for_ever(self) -> None:
        """Deadlines hold even while SQL does not answer the sweep."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(SWEEP_S)
            metrics.COMMIT_WAITERS.set(len(self._attempts))
            now_s = loop.time()
            for attempt in self._attempts.values():
                if attempt.event.give_up_s < now_s:
                    attempt.settle(AttemptOutcome.OVERDUE)

    async def _sweep(self, waiting: Sequence[Attempt]) -> None:
        found = await self._ledger.find_events([attempt.event.digest for attempt in waiting])
        for shard, head in enumerate(found.heads):
            self._observe(shard, head.epoch, head.seq)
        forked: set[int] = set()
        for attempt in waiting:
            event, head = attempt.event, found.heads[attempt.event.shard]
            record = found.events.get(event.digest)
            if head.epoch > attempt.epoch:
                attempt.settle(AttemptOutcome.LOST)
            elif record is not None:
                # Another entry with this event's identity is no proof for this one, nor are its numbers right.
                same = (record.seq, record.fingerprint) == (attempt.seq, event.fingerprint)
                attempt.settle(AttemptOutcome.COMMITTED if same else AttemptOutcome.LOST)
            elif attempt.seq <= head.seq:
                forked.add(event.shard)  # SQL has passed this seq with something else
        for shard in forked:
            await self._ask_recovery(shard, EpochCause.FORK)
