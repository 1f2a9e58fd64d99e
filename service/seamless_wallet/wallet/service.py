"""From a command to its answer: execute, load what is missing, wait for the commit.

Every path that ends without proof gives R1, never a reversal: the provider's retry learns the truth by idempotency.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, NamedTuple

import structlog
from msgspec import structs
from redis.exceptions import NoScriptError, ResponseError

from seamless_wallet.commands import BACK_OFFICE, Answer, Code, Command, Kind, Policy
from seamless_wallet.engine.pipeline import Pipeline, RedisUnavailable
from seamless_wallet.engine.replies import ReplyStatus, Verdict, parse_verdict
from seamless_wallet.ledger.conflicts import EpochCause
from seamless_wallet.ledger.fold import FoldError
from seamless_wallet.ledger.ports import LedgerReader
from seamless_wallet.ledger.records import LedgerLookup
from seamless_wallet.money import AMOUNT_MAX
from seamless_wallet.observability import metrics
from seamless_wallet.observability.rate_limited_log import RateLimitedLog
from seamless_wallet.ports import Clock
from seamless_wallet.stores.errors import StoreError
from seamless_wallet.wallet.confirmations import AttemptOutcome, Confirmations
from seamless_wallet.wallet.loader import Loader
from seamless_wallet.wallet.prepared_event import PreparedEvent
from seamless_wallet.wallet.shard_epochs import ShardEpochs

FUTURE_MS: Final = 5 * 60 * 1000
"""A timestamp further ahead than this makes an event cold, and a bet's clock suspicious."""

RECOVERY_PAUSE_S: Final = 0.02
"""Between two looks at a shard that is being recovered."""


class LookUp(NamedTuple):
    """The attempt gave no answer: again, with what SQL knows once it has reached `seq` of `epoch`."""

    epoch: int = 0
    seq: int = 0


AGAIN: Final = None
"""The attempt gave no answer: again, as it is."""

SEQ_MAX: Final = AMOUNT_MAX
"""As a look-up's seq: newer than all that Redis can have forgotten."""

ANOMALIES: Final = frozenset(
    {
        "conflict",
        "bet_differs",
        "cancel_of_settled",
        "result_of_cancelled",
        "settled_differently",
        "orphan",
        "change_of_cancelled",
        "change_outdated",
        "too_many_changes",
    }
)
"""Reasons that contradict what is stored: counted, and logged with the event's ids."""

log = structlog.get_logger(__name__)


class WalletService:
    """The wallet of one process. Safe to call concurrently."""

    def __init__(
        self,
        *,
        pipeline: Pipeline,
        ledger: LedgerReader,
        shards: ShardEpochs,
        confirmations: Confirmations,
        loader: Loader,
        clock: Clock,
        deadline_ms: int,
        hot_window_ms: int,
        pending_max: int,
    ) -> None:
        self._pipeline = pipeline
        self._ledger = ledger
        self._shards = shards
        self._confirmations = confirmations
        self._loader = loader
        self._clock = clock
        self._deadline_s = deadline_ms / 1000
        self._hot_window_ms = hot_window_ms
        self._pending_max = pending_max
        self._rate_limited_log = RateLimitedLog()

    async def apply(self, command: Command, policy: Policy) -> Answer:
        """Decide a command and wait until the decision rests on committed entries.

        Always answers within the deadline; R1 when the outcome is unknown by then.
        """
        give_up_s = asyncio.get_running_loop().time() + self._deadline_s
        event = PreparedEvent(command, policy, self._shards.of(command.user_id), give_up_s)
        try:
            answer = await self._decide(event)
        except TimeoutError:
            return Answer(Code.R1, "deadline")
        except RedisUnavailable:
            return Answer(Code.R1, "redis")
        except StoreError as error:
            metrics.UNEXPECTED_ERRORS.labels("ledger").inc()
            self._rate_limited_log.error(
                "ledger_unavailable", error=str(error), remedy="is the disk there, and readable?"
            )
            return Answer(Code.R1, "ledger")
        except FoldError as error:
            metrics.UNEXPECTED_ERRORS.labels("ledger").inc()
            self._rate_limited_log.error(
                "ledger_inconsistent", error=str(error), remedy="run `wallet verify`; this player waits"
            )
            return Answer(Code.R1, "ledger")
        except ResponseError as error:
            metrics.UNEXPECTED_ERRORS.labels("script").inc()
            self._rate_limited_log.error(
                "script_failed", script=event.script.name, error=str(error), remedy="see docs/operations.md"
            )
            return Answer(Code.R1, "redis")
        if answer.reason in ANOMALIES:
            metrics.ANOMALIES.labels(command.provider, answer.reason).inc()
            log.warning(
                "anomaly",
                reason=answer.reason,
                provider=command.provider,
                kind=command.kind,
                user_id=command.user_id,
                transaction_id=command.transaction_id,
                game_no=command.game_no,
            )
        return answer

    async def _decide(self, event: PreparedEvent) -> Answer:
        """Attempt until there is an answer. Every further attempt follows one that left nothing."""
        loop = asyncio.get_running_loop()
        command, lookup, step = event.command, None, None
        if command.kind is Kind.CREATE or command.provider == BACK_OFFICE or self._is_cold(command):
            step = LookUp()
        while True:
            if step is not AGAIN:
                async with asyncio.timeout_at(event.give_up_s):
                    lookup = await self._look_up(event, step)
                answer = _answer_from(event, lookup)
                if answer is not None:
                    return answer
            following = await self._attempt(event, lookup)
            if isinstance(following, Answer):
                return following
            if loop.time() >= event.give_up_s:
                raise TimeoutError
            # A look-up is good for one attempt: whatever came between, bets may have left Redis since.
            step = LookUp() if following is AGAIN and lookup is not None else following

    async def _attempt(self, event: PreparedEvent, lookup: LedgerLookup | None) -> Answer | LookUp | None:
        """Execute once, and wait until what the decision rests on is committed.

        The usual path has no timer of its own: the pipeline's deadline bounds the execution, the sweep the wait.
        """
        epoch = self._shards.epoch(event.shard)
        if lookup is not None and lookup.epoch != epoch:
            return LookUp()
        attempt = self._confirmations.register(event, epoch)
        try:
            reply = await self._execute(event, epoch, attempt.token, lookup)
            if reply[0] == b"DONE":
                verdict = parse_verdict(reply)
                self._confirmations.executed(attempt, verdict.rests_on)
                fate = await attempt.fate
                if fate is AttemptOutcome.COMMITTED:
                    return _answer_of(verdict)
                async with asyncio.timeout_at(event.give_up_s):
                    return await self._conclude(verdict, fate)
            async with asyncio.timeout_at(event.give_up_s):
                return await self._follow(event, epoch, reply)
        finally:
            self._confirmations.forget(attempt)

    async def _execute(self, event: PreparedEvent, epoch: int, token: str, lookup: LedgerLookup | None) -> list[Any]:
        """Run the script once."""
        period = self._shards.period(event.shard)
        arguments = event.arguments(
            epoch=epoch,
            period=period,
            token=token,
            pending_max=self._pending_max if event.command.kind is Kind.BET else 2 * self._pending_max,
            window_ms=self._hot_window_ms,
            lookup=lookup,
        )
        try:
            reply: list[Any] = await self._pipeline.execute(*event.script.command(event.keys(epoch, period), arguments))
        except NoScriptError:
            return [b"NOSCRIPT"]
        return reply

    async def _follow(self, event: PreparedEvent, epoch: int, reply: list[Any]) -> Answer | LookUp | None:
        """What a reply other than DONE asks for. None of them has left an entry."""
        match reply[0]:
            case b"FENCED":
                await self._catch_up(event.shard, epoch, reply)
                return AGAIN
            case b"NOSCRIPT":
                await self._shards.ask_recovery(self._pipeline, event.shard, EpochCause.NOSCRIPT)
                await asyncio.sleep(RECOVERY_PAUSE_S)
                return AGAIN
            case b"MISS":
                known = await self._loader.load(event.command.user_id)
                return AGAIN if known else Answer(Code.R3, "unknown_player")
            case b"COLD" | b"EXISTS":
                return LookUp(epoch, int(reply[1]))
        verdict = parse_verdict(reply)
        return await self._conclude(verdict, await self._outcome_of(event, epoch, verdict))

    async def _catch_up(self, shard: int, epoch: int, reply: list[Any]) -> None:
        """The fence named another epoch or period: learn it, or ask for recovery if SQL agrees with us."""
        if reply[1] and int(reply[1]) == epoch:
            self._shards.learn_period(shard, int(reply[2]))
            return
        await self._shards.refresh()
        if not self._shards.run_on(self._pipeline.server):
            self._pipeline.drop()  # the writer is at another server: see where the address leads by now
            await asyncio.sleep(RECOVERY_PAUSE_S)
        elif self._shards.epoch(shard) == epoch:
            await self._shards.ask_recovery(self._pipeline, shard, EpochCause.HEAD)
            await asyncio.sleep(RECOVERY_PAUSE_S)

    async def _conclude(self, verdict: Verdict, fate: AttemptOutcome) -> Answer | LookUp:
        """What may be told now that the fate is known. Raises TimeoutError if it is not, at the deadline."""
        match fate:
            case AttemptOutcome.OVERDUE:
                raise TimeoutError
            case AttemptOutcome.LOST:
                # It runs again, looked up first: its identity may be an old one that has left Redis, and it may be
                # that which cost its epoch.
                metrics.ATTEMPTS_LOST.inc()
                await self._shards.refresh()
                return LookUp()
            case AttemptOutcome.COMMITTED:
                return _answer_of(verdict)

    async def _outcome_of(self, event: PreparedEvent, epoch: int, verdict: Verdict) -> AttemptOutcome:
        """Whether what the verdict rests on is committed."""
        if verdict.outcome is ReplyStatus.DUP and verdict.code == Code.R0:
            return await self._confirmations.duplicate(event, epoch, verdict.rests_on)
        if verdict.rests_on <= verdict.committed:
            return AttemptOutcome.COMMITTED
        return await self._confirmations.reached(event.shard, epoch, verdict.rests_on)

    async def _look_up(self, event: PreparedEvent, asked: LookUp) -> LedgerLookup:
        """What SQL knows, not older than asked for.

        If Redis has asked, the answer stays good while the wallet goes on: what was written since is in Redis and
        stays there for a hot window. A busy player would outrun it for ever otherwise.
        """
        while True:
            metrics.LEDGER_LOOKUPS.inc()
            lookup = await self._ledger.lookup(event.shard, event.command, event.digest, event.round_digest)
            if lookup.epoch != self._shards.epoch(event.shard):
                await self._shards.refresh()
            if lookup.epoch != asked.epoch:
                return lookup
            if lookup.seq >= asked.seq:
                return structs.replace(lookup, seq=SEQ_MAX)
            await self._confirmations.reached(event.shard, asked.epoch, asked.seq)

    def _is_cold(self, command: Command) -> bool:
        """Whether the event may be older than what Redis remembers; a bet's odd clock is counted (SEMANTICS row 35)."""
        age_ms = self._clock.now_ms() - command.timestamp_ms
        if command.kind is Kind.BET and abs(age_ms) > FUTURE_MS:
            metrics.CLOCK_SKEW.labels(command.provider).inc()
        return not -FUTURE_MS <= age_ms <= self._hot_window_ms


def _answer_of(verdict: Verdict) -> Answer:
    return Answer(Code(verdict.code), verdict.reason, verdict.balance, verdict.debt, verdict.currency)


def _answer_from(event: PreparedEvent, lookup: LedgerLookup) -> Answer | None:
    """What SQL alone can answer: a player that exists, the repetition of an event."""
    wallet, record = lookup.wallet, lookup.record
    if wallet is None:
        return None  # it may be in Redis and not committed yet; if not, a MISS finds out
    code, reason = Code.R0, "exists"
    if event.command.kind is not Kind.CREATE:
        if record is None:
            return None
        same = record.fingerprint == event.fingerprint
        code, reason = (Code.R0, "duplicate") if same else (Code.R3, "conflict")
    return Answer(code, reason, wallet.balance, wallet.debt, wallet.currency)
