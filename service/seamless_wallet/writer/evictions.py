"""Wallets of which SQL refused an entry. They leave Redis; what was decided for them meanwhile counts for nothing.

A refused entry and all later ones of its wallet, up to its eviction, become void. The wallet is first suspended in
Redis, so that nothing more is decided for it, and the seq of that moment is noted. Once SQL has the shard up to there,
the rounds that void entries named, the wallet and its events are dropped. Then the attempts run again, looked up.

A writer that starts anew remembers nothing of it. Either it meets the wallet's next entry, which is refused again; or
the wallet is suspended already: then what stands in its place says the rest, and workers that need it say where.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

import structlog
from redis.exceptions import NoScriptError

from seamless_wallet.commands import BET_KINDS, DIGEST_BYTES, round_digest
from seamless_wallet.engine import keys
from seamless_wallet.engine.arguments import EvictArgs, ForgetRoundArgs, SuspendArgs
from seamless_wallet.engine.pipeline import Pipeline
from seamless_wallet.engine.replies import ReplyStatus
from seamless_wallet.engine.scripts import Argument, load_scripts
from seamless_wallet.ledger.conflicts import Refusal, RefusalCause
from seamless_wallet.ledger.entry import INVALID_ENTRY_ERRORS, Decision, Entry
from seamless_wallet.ledger.payload import UnknownPayloadVersion
from seamless_wallet.observability import metrics
from seamless_wallet.observability.rate_limited_log import RateLimitedLog
from seamless_wallet.ports import Clock
from seamless_wallet.writer.checks_due import ChecksDue
from seamless_wallet.writer.read_stage import Batch
from seamless_wallet.writer.shard_states import ShardStates

log = structlog.get_logger(__name__)

FREEZE_AFTER: Final = 5
"""So many refusals of one wallet within FREEZE_S freeze it. Ids that a provider uses again do not count: the player did
nothing wrong, and they are asked for from then on."""

FREEZE_S: Final = 600.0
"""For how long a frozen wallet stays out of use."""


class _Eviction:
    """One wallet on its way out of Redis, in the epoch in which its entry at `from_seq` was refused."""

    def __init__(self, shard: int, epoch: int, from_seq: int, cause: RefusalCause) -> None:
        self.shard = shard
        self.epoch = epoch
        self.from_seq = from_seq
        self.until_seq = 0  # 0: not suspended yet
        self.cause = cause
        self.cold_providers: dict[str, None] = {}
        """Those that used ids again, and of which Redis does not know it yet."""
        self.rounds: dict[bytes, None] = {}
        self.rounds_told = -1  # how many of them Redis knows; -1: it knows of nothing
        self.not_before_s = 0.0  # 0: at once
        self._void_seqs: set[int] = set()
        self._decided: Decision | None = None  # of the newest entry that is void
        self._is_over = False

    def covers(self, entry: Entry) -> bool:
        """Whether the wallet decided an entry on top of what was refused, before it was suspended.

        One that does not follow the void one before it is of a wallet that was loaded since. So it is when a ledger was
        put back, and reads again what it had committed: what follows from SQL then was acknowledged.
        """
        if entry.epoch != self.epoch or entry.seq < self.from_seq:
            return False
        if entry.seq in self._void_seqs:
            return True  # read again: the commit failed
        if self.until_seq and entry.seq > self.until_seq:
            return False
        if entry.seq > self.from_seq and not self._follows(entry):
            self._is_over = True
        return not self._is_over

    def _follows(self, entry: Entry) -> bool:
        after, before = _decision_of(entry), self._decided
        return (
            after is None
            or before is None
            or (after.version - 1, after.balance - after.balance_delta, after.debt - after.debt_delta)
            == (before.version, before.balance, before.debt)
        )

    def went_on(self, entry: Entry) -> None:
        """This entry is void now."""
        self._void_seqs.add(entry.seq)
        self._decided = _decision_of(entry)


class Evictions:
    """The wallets that are on their way out of Redis."""

    def __init__(self, pipeline: Pipeline, shard_states: ShardStates, checks_due: ChecksDue, clock: Clock) -> None:
        self._pipeline = pipeline
        self._shard_states = shard_states
        self._checks_due = checks_due
        self._clock = clock
        self._rate_limited_log = RateLimitedLog(monotonic_s=clock.monotonic_s)
        self._refused_s: dict[str, deque[float]] = {}
        self._scripts = load_scripts()
        self._under_way: dict[str, _Eviction] = {}
        self._met_suspended: dict[str, int] = {}
        for cause in RefusalCause:
            metrics.LEDGER_ENTRIES_VOID.labels(cause)  # begin at 0

    def mark(self, batches: Iterable[Batch]) -> None:
        """Mark what was decided for the wallets that are under way as void."""
        if self._under_way:
            for entry in (entry for batch in batches for entry in batch.entries):
                eviction = self._under_way.get(entry.user_id)
                if eviction is not None and not entry.void and eviction.covers(entry):
                    self._make_void(entry, eviction)

    def refuse(self, refusals: Sequence[Refusal], batches: Iterable[Batch]) -> None:
        """SQL has refused these: their wallets have to go."""
        for refusal in refusals:
            before = self._under_way.get(refusal.user_id)
            epoch = self._shard_states.heads[refusal.shard].epoch
            eviction = _Eviction(refusal.shard, epoch, refusal.seq, refusal.cause)
            if before is not None and before.epoch == epoch:
                eviction.rounds.update(before.rounds)
                eviction.cold_providers.update(before.cold_providers)
            self._under_way[refusal.user_id] = eviction
            if refusal.cause is RefusalCause.REUSED:
                eviction.cold_providers[refusal.provider] = None
            else:
                self._freeze_if_it_repeats(refusal, eviction)
            self._rate_limited_log.error(
                "entry_refused",
                cause=refusal.cause,
                shard=refusal.shard,
                seq=refusal.seq,
                provider=refusal.provider,
                user_id=refusal.user_id,
                detail=refusal.detail,
                remedy="none: it moved nothing and was not acknowledged, and its player is loaded anew. If it repeats, "
                "see `wallet docs operations`",
            )
        self.mark(batches)

    def _freeze_if_it_repeats(self, refusal: Refusal, eviction: _Eviction) -> None:
        """A wallet that conflicts again and again is loaded in vain: something is wrong that a load does not mend."""
        now_s = self._clock.monotonic_s()
        for user_id in [user for user, times in self._refused_s.items() if times[-1] < now_s - FREEZE_S]:
            del self._refused_s[user_id]
        times = self._refused_s.setdefault(refusal.user_id, deque(maxlen=FREEZE_AFTER))
        times.append(now_s)
        if len(times) == FREEZE_AFTER and times[0] >= now_s - FREEZE_S:
            eviction.not_before_s = now_s + FREEZE_S
            log.error(
                "player_frozen",
                shard=refusal.shard,
                user_id=refusal.user_id,
                frozen_s=FREEZE_S,
                detail=refusal.detail,
                remedy="find what changes Redis behind the service's back; a restart of the writer ends it at once",
            )

    def resume(self, shard: int, user_id: str) -> None:
        """A worker has met this wallet suspended."""
        if user_id not in self._under_way:
            self._met_suspended[user_id] = shard

    async def proceed(self) -> None:
        """Take the next step with each wallet. Raises RedisUnavailable."""
        if self._met_suspended:
            met, self._met_suspended = self._met_suspended, {}
            await asyncio.gather(*(self._resume(shard, user_id) for user_id, shard in met.items()))
        for user_id in [user for user, each in self._under_way.items() if not self._is_ours(each)]:
            del self._under_way[user_id]
        if self._under_way:
            await self.suspend()
            await asyncio.gather(*(self._evict(user_id, each) for user_id, each in self._under_way.items()))

    def _is_ours(self, eviction: _Eviction) -> bool:
        """Another writer has the shard, or Redis a new generation of it: then this is over."""
        states = self._shard_states
        return eviction.shard in states.held and eviction.epoch == states.heads[eviction.shard].epoch

    async def suspend(self) -> None:
        """Tell Redis of the wallets that are under way, and of all rounds that void entries named. Before the commit.

        Else a writer that dies behind the commit leaves rounds of which nobody knows that they have to go. Raises
        RedisUnavailable.
        """
        untold = [(user, each) for user, each in self._under_way.items() if each.rounds_told < len(each.rounds)]
        if untold:
            await asyncio.gather(*(self._suspend(user_id, eviction) for user_id, eviction in untold))

    async def _resume(self, shard: int, user_id: str) -> None:
        """Carry on with a wallet that another writer has suspended."""
        if shard not in self._shard_states.held:
            return
        epoch = self._shard_states.heads[shard].epoch
        wallet_key = keys.wallet(shard, epoch, user_id)
        until_seq, rounds = await self._pipeline.execute("HMGET", wallet_key, "suspended", "rounds")
        if until_seq is not None and user_id not in self._under_way:
            # What it decided before is committed, or will be refused by itself.
            eviction = _Eviction(shard, epoch, int(until_seq) + 1, RefusalCause.UNSTORABLE)
            eviction.until_seq = int(until_seq)
            eviction.rounds = {rounds[at : at + DIGEST_BYTES]: None for at in range(0, len(rounds), DIGEST_BYTES)}
            eviction.rounds_told = len(eviction.rounds)
            self._under_way[user_id] = eviction

    async def _suspend(self, user_id: str, eviction: _Eviction) -> None:
        nonce = self._shard_states.nonce
        names = (keys.head(eviction.shard), keys.wallet(eviction.shard, eviction.epoch, user_id))
        told, frozen = len(eviction.rounds), int(eviction.not_before_s > 0)
        rounds, until_seq = b"".join(eviction.rounds), 0
        for provider in [*eviction.cold_providers] or [""]:
            arguments = SuspendArgs(eviction.epoch, nonce, provider, rounds, frozen)
            reply = await self._run("suspend", names, arguments)
            if reply[0] != ReplyStatus.OK.encode():
                return
            eviction.cold_providers.pop(provider, None)
            rounds, until_seq = b"", int(reply[1])
        eviction.until_seq, eviction.rounds_told = until_seq, told

    async def _evict(self, user_id: str, eviction: _Eviction) -> None:
        """Rounds first: the suspended wallet keeps everything else away from them until it goes itself."""
        shard, epoch, nonce = eviction.shard, eviction.epoch, self._shard_states.nonce
        head = self._shard_states.heads[shard]
        if not eviction.until_seq or head.seq < eviction.until_seq or self._clock.monotonic_s() < eviction.not_before_s:
            return
        head_key, wallet_key = keys.head(shard), keys.wallet(shard, epoch, user_id)
        for digest in eviction.rounds:
            names = (head_key, wallet_key, keys.round_(shard, epoch, digest))
            await self._run("forget_round", names, ForgetRoundArgs(epoch, nonce))
        period = int(await self._pipeline.execute("HGET", head_key, "period") or 0)
        events = (keys.events(shard, epoch, user_id, period), keys.events(shard, epoch, user_id, period - 1))
        reply = await self._run("evict", (head_key, wallet_key, *events), EvictArgs(epoch, nonce, head.seq))
        if reply[0] == ReplyStatus.OK.encode():
            del self._under_way[user_id]

    async def _run(self, name: str, names: Sequence[str], arguments: Sequence[Argument]) -> Sequence[bytes]:
        """Run a script. A server that lacks it, or a head that is not ours, is looked at before the next cycle."""
        try:
            reply: Sequence[bytes] = await self._pipeline.execute(*self._scripts[name].command(names, arguments))
        except NoScriptError:
            self._checks_due.scripts = True
            return (ReplyStatus.NOSCRIPT.encode(),)
        if reply[0] == ReplyStatus.FENCED.encode():
            self._checks_due.fenced()
        return reply

    def _make_void(self, entry: Entry, eviction: _Eviction) -> None:
        try:
            if entry.command.kind in BET_KINDS:
                eviction.rounds[round_digest(entry.command)] = None
        except UnknownPayloadVersion:
            return  # the commit stops the shard: which round has to go only a newer version knows
        except INVALID_ENTRY_ERRORS:
            pass  # what it names nobody knows
        entry.void = eviction.cause
        eviction.went_on(entry)
        metrics.LEDGER_ENTRIES_VOID.labels(entry.void).inc()


def _decision_of(entry: Entry) -> Decision | None:
    try:
        return entry.decision
    except INVALID_ENTRY_ERRORS:
        return None
