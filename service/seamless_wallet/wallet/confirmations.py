"""Waiting until an entry is committed in SQL.

Each attempt has a token of its own that travels with its entry; after a commit the writer sends the tokens back. A
watermark alone is not enough: an entry of an older epoch would look committed. What stays
unconfirmed, for whatever reason, is looked up in SQL by event digest and fingerprint.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from itertools import count, islice
from typing import Final

from seamless_wallet.engine.ports import RedisAddress
from seamless_wallet.engine.replies import REFUSED_MARK
from seamless_wallet.ledger.conflicts import EpochCause
from seamless_wallet.ledger.ports import LedgerReader
from seamless_wallet.observability import metrics
from seamless_wallet.observability.rate_limited_log import RateLimitedLog
from seamless_wallet.ports import Randomness
from seamless_wallet.wallet.attempts import COMMIT_LOOKUP_S, Attempt, AttemptOutcome
from seamless_wallet.wallet.prepared_event import PreparedEvent
from seamless_wallet.wallet.shard_epochs import ShardEpochs
from seamless_wallet.wallet.watermarks import Watermarks
from seamless_wallet.wallet.writer_messages import Told, WriterMessages

WORKER_BYTES: Final = 8
"""Of a worker's random name: no two workers may have attempts of the same token."""

COMMIT_LOOKUP_MAX: Final = 500
"""Attempts looked up in SQL at a time, oldest first."""

COMMIT_LOOKUP_LIMIT_S: Final = 2.0
"""How long one look-up may take before the next one asks again."""


AskRecovery = Callable[[int, EpochCause], Awaitable[None]]


class Confirmations:
    """Everything in this process that waits for the writer. `run` listens to it, and asks SQL for what it missed.

    Make it within the loop that runs it.
    """

    def __init__(
        self,
        *,
        ledger: LedgerReader,
        ledger_uuid: str,
        shards: ShardEpochs,
        redis: RedisAddress,
        randomness: Randomness,
        ask_recovery: AskRecovery,
        writer_heard: Callable[[int], None],
    ) -> None:
        self.worker: Final = randomness.token(WORKER_BYTES)
        self._ledger = ledger
        self._rate_limited_log = RateLimitedLog(every_s=10, monotonic_s=asyncio.get_running_loop().time)
        self._shards = shards
        self.messages: Final = WriterMessages(
            redis=redis,
            ledger_uuid=ledger_uuid,
            shards=len(shards),
            names=shards.names_writer,
            ask=shards.ask_writers,
            take=self._take,
        )
        self._ask_recovery = ask_recovery
        self._writer_heard = writer_heard
        self._numbers = count(1)
        self._attempts: dict[str, Attempt] = {}
        self._by_digest: dict[bytes, Attempt] = {}
        self._watermarks = Watermarks()

    def register(self, event: PreparedEvent, epoch: int) -> Attempt:
        """Register a new attempt. Call `forget` for it, whatever becomes of it."""
        attempt = Attempt(f"{self.worker}.{next(self._numbers):x}", event, epoch)
        self._attempts[attempt.token] = attempt
        return attempt

    def executed(self, attempt: Attempt, seq: int) -> None:
        """Redis has written the attempt's entry at `seq`. From now on copies of the event wait for the same outcome."""
        attempt.seq = seq
        self._by_digest[attempt.event.digest] = attempt

    def forget(self, attempt: Attempt) -> None:
        """Nobody waits for this attempt any more."""
        del self._attempts[attempt.token]
        if self._by_digest.get(attempt.event.digest) is attempt:
            del self._by_digest[attempt.event.digest]

    async def join(self, event: PreparedEvent, epoch: int, seq: int) -> AttemptOutcome | None:
        """The outcome of the attempt that wrote this event's entry at `seq`; None if it does not wait in this process.

        A copy of the event tells the same as its original only if nothing has happened to the wallet since.
        """
        original = self._by_digest.get(event.digest)
        if original is None or original.epoch != epoch or original.seq != seq:
            return None
        await asyncio.wait([original.outcome])
        return None if original.outcome.cancelled() else original.outcome.result()

    async def recorded(self, event: PreparedEvent, epoch: int, seq: int) -> AttemptOutcome:
        """Whether SQL has, or gets, an event that Redis has seen before, whose wallet has got to `seq`."""
        while True:
            found = await self._ledger.find_events([event.key])
            head, record = found.heads[event.shard], found.events.get(event.digest)
            if head.epoch > epoch or (record is not None and record.fingerprint != event.fingerprint):
                return AttemptOutcome.LOST
            if record is not None:
                return AttemptOutcome.COMMITTED
            if head.seq >= seq:
                return await self.ask_for_fork(event.shard, seq)
            await self.reached(event.shard, epoch, head.seq + 1)  # its own seq is not known: look at each commit

    async def ask_for_fork(self, shard: int, seq: int) -> AttemptOutcome:
        """Redis tells what SQL disproves of a wallet whose last entry is `seq`. LOST, after a moment.

        If SQL has refused that entry, the wallet is on its way out of Redis. If not, the writer opens a new epoch.
        """
        if seq not in await self._ledger.voids(shard, seq):
            await self._ask_recovery(shard, EpochCause.FORK)
        await asyncio.sleep(COMMIT_LOOKUP_S)
        return AttemptOutcome.LOST

    async def reached(self, shard: int, epoch: int, seq: int) -> AttemptOutcome:
        """Wait until SQL has committed `seq` of this epoch, or LOST: the epoch is over."""
        return await self._watermarks.reached(shard, epoch, seq)

    async def run(self) -> None:
        """Listen to the writer, and ask SQL for what it did not confirm. Runs for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.messages.run())
            group.create_task(self._look_up_for_ever())

    def _take(self, told: Told) -> None:
        """A writer tells. What it tells while the subscription is broken the look-up finds in SQL."""
        self._writer_heard(told.shard)
        for token in told.tokens.split():
            attempt = self._attempts.get(token.removeprefix(REFUSED_MARK))
            if attempt is not None:
                refused = token.startswith(REFUSED_MARK)
                attempt.resolve(AttemptOutcome.LOST if refused else AttemptOutcome.COMMITTED)
        if self._watermarks:
            self._watermarks.observe(told.shard, told.epoch, told.seq)

    async def _look_up_for_ever(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(COMMIT_LOOKUP_S)
            metrics.COMMIT_WAITERS.set(len(self._attempts))
            now_s = loop.time()
            due = (each for each in self._attempts.values() if each.seq and each.lookup_s < now_s)
            waiting = list(islice(due, COMMIT_LOOKUP_MAX))
            if waiting or self._watermarks:
                try:
                    async with asyncio.timeout(COMMIT_LOOKUP_LIMIT_S):
                        await self._look_up_commits(waiting)
                except Exception:  # noqa: BLE001 - counted and logged; the next look-up asks again
                    metrics.UNEXPECTED_ERRORS.labels("commit_lookup").inc()
                    self._rate_limited_log.exception(
                        "commit_lookup_failed", remedy="check that this process can read the ledger"
                    )

    async def _look_up_commits(self, waiting: Sequence[Attempt]) -> None:
        found = await self._ledger.find_events([attempt.event.key for attempt in waiting])
        self._shards.learn_writers(found.heads)
        for shard, head in enumerate(found.heads):
            self._watermarks.observe(shard, head.epoch, head.seq)
        unknown: dict[int, list[Attempt]] = defaultdict(list)
        for attempt in waiting:
            event, head = attempt.event, found.heads[attempt.event.shard]
            record = found.events.get(event.digest)
            if head.epoch > attempt.epoch:
                attempt.resolve(AttemptOutcome.LOST)
            elif record is not None:
                # If SQL has the event as another entry, this one is not committed and its balance is wrong.
                same = (record.seq, record.fingerprint) == (attempt.seq, event.fingerprint)
                metrics.ATTEMPTS_LOOKED_UP.inc(same)
                attempt.resolve(AttemptOutcome.COMMITTED if same else AttemptOutcome.LOST)
            elif attempt.seq <= head.seq:
                unknown[event.shard].append(attempt)  # SQL has another entry at this seq, or refused this one
        for shard, attempts in unknown.items():
            await self._resolve_unknown(shard, attempts)

    async def _resolve_unknown(self, shard: int, attempts: Sequence[Attempt]) -> None:
        void = await self._ledger.voids(shard, min(attempt.seq for attempt in attempts))
        for attempt in attempts:
            if attempt.seq in void:
                attempt.resolve(AttemptOutcome.LOST)
        if not all(attempt.seq in void for attempt in attempts):
            await self._ask_recovery(shard, EpochCause.FORK)
