"""From a command to its answer: execute, load what is missing, wait for the commit.

Every path that ends without proof gives R1, never a reversal: the provider's retry learns the truth by idempotency.
"""

from __future__ import annotations

from typing import Any, Final, assert_never

from redis.exceptions import NoScriptError

from seamless_wallet.commands import BACK_OFFICE, FUTURE_MAX_MS, Answer, Code, Command, Kind, Policy
from seamless_wallet.engine.pipeline import Pipeline
from seamless_wallet.engine.replies import ReplyStatus, Verdict, parse_verdict
from seamless_wallet.ledger.ports import LedgerReader
from seamless_wallet.ledger.records import LedgerLookup
from seamless_wallet.observability import metrics
from seamless_wallet.ports import Clock, Moments
from seamless_wallet.wallet.anomalies import report_anomaly
from seamless_wallet.wallet.attempts import AttemptOutcome
from seamless_wallet.wallet.confirmations import Confirmations
from seamless_wallet.wallet.deadlines import Deadlines
from seamless_wallet.wallet.failures import EXPECTED, FailureReport
from seamless_wallet.wallet.loader import Loader
from seamless_wallet.wallet.lookups import Lookups, known_answer
from seamless_wallet.wallet.next_step import LookUpFirst, NextStep, TryAgain
from seamless_wallet.wallet.prepared_event import PreparedEvent
from seamless_wallet.wallet.shard_epochs import ShardEpochs
from seamless_wallet.wallet.told_balances import ToldBalances
from seamless_wallet.wallet.writer_presence import WriterPresence

NOSCRIPT: Final = [b"NOSCRIPT"]
"""In place of a reply: the server does not have the script."""

_BET, _CREATE = Kind.BET, Kind.CREATE
_CODES: Final = {code.value: code for code in Code}

WRITER_ABSENT: Final = Answer(Code.R1, "writer")
"""Nothing was executed: nobody would commit it."""


class WalletService:
    """The wallet of one process. Safe to call concurrently."""

    def __init__(
        self,
        *,
        pipeline: Pipeline,
        ledger: LedgerReader,
        shards: ShardEpochs,
        confirmations: Confirmations,
        writer: WriterPresence,
        loader: Loader,
        clock: Clock,
        deadline_ms: int,
        hot_window_ms: int,
        pending_max: int,
    ) -> None:
        self._pipeline = pipeline
        self._shards = shards
        self._confirmations = confirmations
        self._writer = writer
        self._lookups = Lookups(ledger, shards, confirmations)
        self._told_balances = ToldBalances(ledger, confirmations)
        self._loader = loader
        self._clock = clock
        self._deadlines = Deadlines(deadline_ms / 1000)
        self._hot_window_ms = hot_window_ms
        self._pending_max = pending_max
        self._failures = FailureReport(clock)
        self._queueing, self._executing, self._committing = (
            metrics.WEBHOOK_PHASE_DURATION_SECONDS.labels(phase) for phase in ("queue", "redis", "commit")
        )

    async def apply(self, command: Command, policy: Policy, moments: Moments | None = None) -> Answer:
        """Decide a command and wait until the decision rests on committed entries.

        Always answers within the deadline, whatever it waits for; R1 when the outcome is unknown by then.
        """
        event = PreparedEvent(command, policy, self._shards.of(command.user_id), self._clock.monotonic_s())
        try:
            with self._deadlines.call():
                answer = await self._decide(event)
        except EXPECTED as error:
            return self._failures.answer(error, event)
        finally:
            if moments is not None:
                moments.sent_s, moments.answered_s = event.sent_s, event.answered_s
        report_anomaly(command, answer)
        return answer

    async def close(self) -> None:
        """End what is under way for callers who have given up."""
        await self._loader.close()
        await self._shards.close()

    async def _decide(self, event: PreparedEvent) -> Answer:
        """Attempt until there is an answer. A further attempt is made only if the one before left no entry."""
        asked = LookUpFirst() if self._needs_lookup(event.command) else None
        lookup: LedgerLookup | None = None
        while True:
            if asked is not None:
                lookup = await self._lookups.look_up(event, asked)
                known = known_answer(event, lookup)
                if known is not None:
                    return known
            step = await self._attempt(event, lookup)
            match step:
                case Answer():
                    return step
                case LookUpFirst():
                    asked = step
                case TryAgain():
                    # A look-up serves one attempt: bets may have left Redis since.
                    asked = None if lookup is None else LookUpFirst()
                case _:
                    assert_never(step)

    async def _attempt(self, event: PreparedEvent, lookup: LedgerLookup | None) -> NextStep:
        """Execute once, and wait until what the decision rests on is committed."""
        if event.shard in self._writer.absent:
            return WRITER_ABSENT
        epoch = self._shards.epoch(event.shard)
        if lookup is not None and lookup.epoch != epoch:
            return LookUpFirst()
        attempt = self._confirmations.register(event, epoch)
        try:
            reply = await self._execute(event, epoch, attempt.token, lookup)
            if reply[0] == b"DONE":
                verdict = parse_verdict(reply)
                self._confirmations.executed(attempt, verdict.rests_on)
                outcome = await attempt.outcome
                self._committing.observe(self._clock.monotonic_s() - event.answered_s)
                return await self._conclude(verdict, outcome)
            return await self._follow(event, epoch, reply, lookup)
        finally:
            self._confirmations.forget(attempt)

    async def _execute(self, event: PreparedEvent, epoch: int, token: str, lookup: LedgerLookup | None) -> list[Any]:
        """Run the script once."""
        period = self._shards.period(event.shard)
        arguments = event.arguments(
            epoch=epoch,
            period=period,
            token=token,
            pending_max=self._pending_max if event.command.kind is _BET else 2 * self._pending_max,
            window_ms=self._hot_window_ms,
            lookup=lookup,
        )
        command = event.script.command(event.keys(epoch, period), arguments)
        event.sent_s = sent_s = self._clock.monotonic_s()
        self._queueing.observe(sent_s - (event.answered_s or event.since_s))
        event.answered_s = 0.0
        try:
            reply: list[Any] = await self._pipeline.execute(*command)
        except NoScriptError:
            return NOSCRIPT
        event.answered_s = answered_s = self._clock.monotonic_s()
        self._executing.observe(answered_s - sent_s)
        return reply

    async def _follow(
        self, event: PreparedEvent, epoch: int, reply: list[Any], lookup: LedgerLookup | None
    ) -> NextStep:
        """What a reply other than DONE asks for. None of them has left an entry."""
        match reply[0]:
            case b"FENCED":
                await self._shards.follow_fence(self._pipeline, event.shard, epoch, reply)
                return TryAgain()
            case b"NOSCRIPT":
                await self._shards.ask_for_scripts(self._pipeline, event.shard)
                return TryAgain()
            case b"MISS":
                known = await self._loader.load(event.command.user_id)
                return TryAgain() if known else Answer(Code.R3, "unknown_player")
            case b"SUSPENDED":
                await self._loader.wait_for_eviction(event.shard, event.command.user_id)
                return TryAgain()
            case b"COLD" | b"EXISTS":
                return LookUpFirst(epoch, int(reply[1]))
        verdict = parse_verdict(reply)
        if verdict.status is ReplyStatus.BUSY:
            return Answer(_CODES[verdict.code], verdict.reason)
        if verdict.status is ReplyStatus.DUP and verdict.code == Code.R0:
            return await self._repeat(event, epoch, verdict, lookup)
        if lookup is None:
            return LookUpFirst(epoch, verdict.rests_on)
        return await self._conclude(verdict, await self._told_balances.prove(event, verdict, lookup))

    async def _repeat(
        self, event: PreparedEvent, epoch: int, verdict: Verdict, lookup: LedgerLookup | None
    ) -> NextStep:
        """The answer to an event that was R0 before. Its balance is SQL's, in the snapshot that has the event."""
        joined = await self._confirmations.join(event, epoch, verdict.rests_on)
        if joined is not None:
            return await self._conclude(verdict, joined)
        if lookup is not None and await self._confirmations.recorded(event, epoch, verdict.rests_on) is (
            AttemptOutcome.LOST
        ):
            return await self._conclude(verdict, AttemptOutcome.LOST)
        return LookUpFirst(epoch, 0)

    async def _conclude(self, verdict: Verdict, outcome: AttemptOutcome) -> NextStep:
        """What may be told now that the outcome is known."""
        match outcome:
            case AttemptOutcome.COMMITTED:
                return _answer_of(verdict)
            case AttemptOutcome.LOST:
                # Look it up first: SQL may have this event or its bets from before the hot window, and that may be
                # the conflict that ended the epoch.
                metrics.ATTEMPTS_LOST.inc()
                await self._shards.refresh()
                return LookUpFirst()
            case _:
                assert_never(outcome)

    def _needs_lookup(self, command: Command) -> bool:
        """Whether SQL is asked before Redis: Redis may have forgotten, or never known, what the event is about."""
        return command.kind is _CREATE or command.provider == BACK_OFFICE or self._is_cold(command)

    def _is_cold(self, command: Command) -> bool:
        """Whether Redis may have forgotten the event. A bet of a time far from ours is counted (SEMANTICS row 35)."""
        age_ms = self._clock.now_ms() - command.timestamp_ms
        if command.kind is _BET and abs(age_ms) > FUTURE_MAX_MS:
            metrics.CLOCK_SKEW.labels(command.provider).inc()
        return not -FUTURE_MAX_MS <= age_ms <= self._hot_window_ms


def _answer_of(verdict: Verdict) -> Answer:
    return Answer(_CODES[verdict.code], verdict.reason, verdict.balance, verdict.debt, verdict.currency)
