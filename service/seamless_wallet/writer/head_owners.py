"""Whose heads stand in Redis: ours, those of writers before us, or those of a writer that SQL never named.

SQL names the nonce of this process in the heads of the shards that it holds, before they stand so in Redis. A head of a
writer before us is taken over as it is, unless that writer goes on: we hold the lease, so the ledger that we work on is
a copy. A head that names a writer before us after we have taken it was set back, if SQL still says that it is ours.
One of a nonce that SQL never named is foreign: some other ledger, most likely a copy of ours, has a writer here.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from seamless_wallet.engine import keys
from seamless_wallet.engine.arguments import TakeOverArgs
from seamless_wallet.engine.pipeline import NotSent, Pipeline
from seamless_wallet.engine.replies import ReplyStatus
from seamless_wallet.engine.scripts import load_scripts
from seamless_wallet.ledger.conflicts import EpochCause
from seamless_wallet.ledger.ports import LedgerStore
from seamless_wallet.ports import Clock
from seamless_wallet.recovery import ForeignWriter, check_owner
from seamless_wallet.writer.shard_states import ShardStates

BEAT_WAIT_S: Final = 0.6
"""A writer before us whose heartbeat is there is given so long to beat again: that is more than a beat takes."""

BEATS_MAX: Final = 2
"""So many beats say that it goes on. One may have been under way when it lost the shard, or froze."""

FIRST_BEAT_WAIT_S: Final = 1.0
"""A foreign head without a heartbeat is left alone so long: whoever has just taken it beats a whole cycle later."""

FOREIGN_MAX: Final = 3
"""So often within FOREIGN_WITHIN_S may foreign heads be met: then their writer lives, even if it has no heartbeat."""

FOREIGN_WITHIN_S: Final = 60.0


class _Beating:
    """The heartbeat of a writer before us, what it was and when, and how often it has beaten since we look."""

    def __init__(self, value: bytes, now_s: float) -> None:
        self.value = value
        self.seen_s = now_s
        self.beats = 0


class HeadOwners:
    """Judges the heads that this writer meets, and takes them."""

    def __init__(
        self,
        *,
        ledger: LedgerStore,
        ledger_uuid: str,
        pipeline: Pipeline,
        clock: Clock,
        shard_states: ShardStates,
    ) -> None:
        self._ledger = ledger
        self._ledger_uuid = ledger_uuid
        self._pipeline = pipeline
        self._clock = clock
        self._shard_states = shard_states
        self._named: dict[str, None] = {}  # of other writers of this ledger
        self._read_on_from: dict[int, int] = {}  # shard → SQL's seq when its foreign head was met last
        self._beating: dict[int, _Beating] = {}  # shard → of the writer before us
        self._foreign: dict[int, tuple[bytes, float]] = {}  # shard → its foreign nonce, and when that was met first
        self._met_s: deque[float] = deque(maxlen=FOREIGN_MAX)

    async def take_heads(self) -> bool:
        """Have the head of every shard of ours be ours, or the shard get a new epoch.

        False: look again after the next commit.

        Raises ForeignRedis, ForeignWriter, RedisUnavailable or StoreError.
        """
        heads = self._shard_states.heads
        await check_owner(self._pipeline, len(heads), self._ledger_uuid)
        held = sorted(self._shard_states.held)
        rows = await asyncio.gather(
            *(self._pipeline.execute("HMGET", keys.head(shard), "epoch", "nonce", "committed") for shard in held)
        )
        met, settled = False, True
        for shard, (epoch, nonce, committed) in zip(held, rows, strict=True):
            ahead = -1 if epoch is None else int(epoch) - heads[shard].epoch
            if nonce is not None and await self.is_foreign(shard, nonce):
                self._shard_states.taken.discard(shard)
                due = self._is_deserted(shard, nonce) and self._meet(shard, 0 if ahead else int(committed or 0))
                met, settled = met or due, settled and due
            elif nonce is not None and ahead >= 0 and await self._may_live(shard, nonce.decode(), ahead):
                settled = False
            elif ahead != 0:
                self._shard_states.require_epoch(shard, EpochCause.HEAD)
            else:
                await self._take(shard, (nonce or b"").decode())
        if met:
            self._count_meeting()
        return settled

    async def is_foreign(self, shard: int, nonce: bytes | None) -> bool:
        """Whether SQL never named this nonce of a shard's head. Raises ForeignWriter if one of those lives."""
        if nonce is None or await self._is_of_this_ledger(nonce.decode(errors="replace")):
            return False
        alive: bytes | None = await self._pipeline.execute("GET", keys.heartbeat(shard))
        if alive and not await self._is_of_this_ledger(keys.beating(alive)):
            raise ForeignWriter(keys.beating(alive))
        return True

    async def _is_of_this_ledger(self, nonce: str) -> bool:
        if nonce == self._shard_states.nonce or nonce in self._named:
            return True
        if not await self._ledger.has_named(nonce):
            return False
        self._named[nonce] = None
        return True

    async def _may_live(self, shard: int, nonce: str, ahead: int) -> bool:
        """Whether the writer before us may still beat. Raises ForeignWriter if it goes on.

        `ahead`: so many epochs later than SQL's is the head. It has to have opened them in a ledger that is not ours.
        """
        if nonce == self._shard_states.nonce or (shard in self._shard_states.taken and not ahead):
            return False
        alive: bytes | None = await self._pipeline.execute("GET", keys.heartbeat(shard))
        if not alive or keys.beating(alive) != nonce:
            self._beating.pop(shard, None)
            return False
        now_s = self._clock.monotonic_s()
        seen = self._beating.get(shard)
        if seen is None or keys.beating(seen.value) != nonce:
            seen = self._beating[shard] = _Beating(alive, now_s)
        elif seen.value != alive:
            seen.value, seen.seen_s, seen.beats = alive, now_s, seen.beats + 1
            if seen.beats >= BEATS_MAX and (await self._ledger.heads())[shard].nonce == self._shard_states.nonce:
                raise ForeignWriter(nonce)
        return now_s - seen.seen_s < BEAT_WAIT_S

    async def _take(self, shard: int, nonce: str) -> None:
        ours, epoch = self._shard_states.nonce, self._shard_states.heads[shard].epoch
        if nonce == ours:
            self._shard_states.taken.add(shard)
        elif shard in self._shard_states.taken:
            self._shard_states.require_epoch(shard, EpochCause.SET_BACK)
        else:
            script = load_scripts()["take_over"]
            args = TakeOverArgs(epoch, ours, nonce)
            reply = await self._pipeline.execute("EVAL", script.text, 1, keys.head(shard), *args)
            if reply[0].decode() != ReplyStatus.OK:
                raise NotSent(f"the head of shard {shard} changed while it was taken over")
            self._shard_states.taken.add(shard)

    def _is_deserted(self, shard: int, nonce: bytes) -> bool:
        """Whether the writer of a foreign head had time enough for its first beat."""
        now_s = self._clock.monotonic_s()
        before, since_s = self._foreign.get(shard, (b"", 0.0))
        if before != nonce:
            self._foreign[shard] = nonce, now_s
            return False
        return now_s - since_s >= FIRST_BEAT_WAIT_S

    def _meet(self, shard: int, committed: int) -> bool:
        """A foreign head, whose writer is gone. True if the shard gets a new epoch now.

        Not before SQL has all that was confirmed in Redis, or the stream has no more of it: the ledger may have been
        restored from a backup, and those entries were acknowledged.
        """
        seq = self._shard_states.heads[shard].seq
        if seq < committed and self._read_on_from.get(shard) != seq:
            self._read_on_from[shard] = seq
            return False
        self._read_on_from.pop(shard, None)
        self._foreign.pop(shard, None)
        self._shard_states.require_epoch(shard, EpochCause.FOREIGN)
        return True

    def _count_meeting(self) -> None:
        now_s = self._clock.monotonic_s()
        self._met_s.append(now_s)
        if len(self._met_s) == FOREIGN_MAX and now_s - self._met_s[0] < FOREIGN_WITHIN_S:
            raise ForeignWriter("that has no heartbeat")
