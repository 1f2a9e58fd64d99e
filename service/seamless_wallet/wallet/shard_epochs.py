"""What this process goes by, for each shard: the epoch that SQL names and the idempotency period that Redis names."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import structlog

from seamless_wallet.commands import shard_of
from seamless_wallet.engine import keys
from seamless_wallet.engine.pipeline import Pipeline
from seamless_wallet.engine.server import Server
from seamless_wallet.ledger.conflicts import SUSPENDED, EpochCause
from seamless_wallet.ledger.ports import LedgerReader
from seamless_wallet.ledger.records import ShardHead
from seamless_wallet.observability import metrics
from seamless_wallet.wallet.shared_calls import SharedCalls

RECOVERY_PAUSE_S: Final = 0.02
"""Pause before the next attempt while a shard is being recovered."""

HEADS_LIMIT_S: Final = 5.0
"""How long reading the heads may take."""

REFUSED_QUIET_S: Final = 3.0
"""So long a server may be refused before that is logged."""

log = structlog.get_logger(__name__)


class ShardEpochs:
    """Epochs and periods by shard. Only a fence or a refresh changes them. An outdated one costs one more attempt."""

    def __init__(self, ledger: LedgerReader, ledger_uuid: str, heads: Sequence[ShardHead]) -> None:
        self._ledger = ledger
        self._recover_channel = keys.recover_channel(ledger_uuid)
        self._heads = list(heads)
        self._nonces = [head.nonce for head in heads]
        self._periods = [0] * len(heads)
        self._refreshes: SharedCalls[None, None] = SharedCalls("heads", HEADS_LIMIT_S)
        self._refused: Server | None = None
        self._report_at_s = 0.0

    def of(self, user_id: str) -> int:
        """The shard of a player."""
        return shard_of(user_id, len(self._heads))

    def epoch(self, shard: int) -> int:
        """The epoch in which this process executes."""
        return self._heads[shard].epoch

    def period(self, shard: int) -> int:
        """The idempotency period that Redis named last."""
        return self._periods[shard]

    def learn_period(self, shard: int, period: int) -> None:
        """Redis has told the current period."""
        self._periods[shard] = period

    def runs_on(self, server: Server | None) -> bool:
        """Whether SQL recorded this server for the epochs of all shards."""
        return all((head.run_id, head.replid) == server for head in self._heads)

    async def refresh(self) -> None:
        """Read the heads from SQL again; concurrent callers share one query."""
        await self._refreshes.join(None, self._read_heads)

    async def close(self) -> None:
        """End what is under way."""
        await self._refreshes.close()

    def __len__(self) -> int:
        """How many shards there are."""
        return len(self._heads)

    def names_writer(self, shard: int, nonce: str) -> bool:
        """Whether SQL was seen to name this as the nonce of the shard's present writer."""
        return self._nonces[shard] == nonce

    async def present_writers(self, nonces: Mapping[int, str]) -> Collection[int]:
        """The shards whose present writer has this nonce, as SQL names it. Raises StoreError or TimeoutError."""
        if not all(self.names_writer(shard, nonce) for shard, nonce in nonces.items()):
            await self.ask_writers()
        return {shard for shard, nonce in nonces.items() if self.names_writer(shard, nonce)}

    async def ask_writers(self) -> None:
        """Read who writes. Never from a read under way, which may be older than the nonce that is asked about.

        Raises StoreError, or TimeoutError.
        """
        async with asyncio.timeout(HEADS_LIMIT_S):
            self.learn_writers(await self._ledger.heads())

    def learn_writers(self, heads: Sequence[ShardHead]) -> None:
        """SQL was asked for something else, and has told these heads with it."""
        self._nonces = [head.nonce for head in heads]

    async def _read_heads(self) -> None:
        self._heads = list(await self._ledger.heads())
        self.learn_writers(self._heads)

    async def follow_fence(self, pipeline: Pipeline, shard: int, epoch: int, reply: list[Any]) -> None:
        """A script was called with `epoch` and answered `FENCED epoch period`: learn what it names.

        If SQL agrees with us and not with Redis, ask for recovery.
        """
        if reply[1] and int(reply[1]) == epoch:
            self.learn_period(shard, int(reply[2]))
            return
        await self.refresh()
        if not self.runs_on(pipeline.server):
            pipeline.drop()  # the writer uses another server: connect to where the address leads now
            await asyncio.sleep(RECOVERY_PAUSE_S)
        elif self.epoch(shard) == epoch:
            await self.ask_recovery(pipeline, shard, EpochCause.HEAD)
            await asyncio.sleep(RECOVERY_PAUSE_S)

    async def admit(self, server: Server, pipeline: Pipeline) -> bool:
        """The pipeline asks on connecting: only the server that SQL recorded will do; for another one ask recovery."""
        await self.refresh()
        if self.runs_on(server):
            return True
        metrics.REDIS_CONNECTION_ERRORS.labels("other_server").inc()
        for shard in range(len(self._heads)):
            await pipeline.send("PUBLISH", self._recover_channel, f"{shard} {self.epoch(shard)} {EpochCause.SERVER}")
        self._report_refused(server)
        return False

    def _report_refused(self, server: Server) -> None:
        """Log once that a server is refused, if that lasts: after each start of Redis the writer needs a moment."""
        now_s = asyncio.get_running_loop().time()
        if self._refused != server:
            self._refused, self._report_at_s = server, now_s + REFUSED_QUIET_S
        elif now_s >= self._report_at_s:
            self._report_at_s = float("inf")
            log.warning("redis_server_changed", remedy="none after a restart or fail-over: the writer opens epochs")

    async def ask_for_scripts(self, pipeline: Pipeline, shard: int) -> None:
        """The server lacks a script: ask for recovery, and give it a moment. Raises RedisUnavailable."""
        await self.ask_recovery(pipeline, shard, EpochCause.NOSCRIPT)
        await asyncio.sleep(RECOVERY_PAUSE_S)

    async def ask_eviction(self, pipeline: Pipeline, shard: int, user_id: str) -> None:
        """Ask the writer to carry on with a wallet that is suspended. Raises RedisUnavailable."""
        await pipeline.execute("PUBLISH", self._recover_channel, f"{shard} {self.epoch(shard)} {SUSPENDED} {user_id}")

    async def ask_recovery(self, pipeline: Pipeline, shard: int, cause: EpochCause) -> None:
        """Ask the writer to check the shard's epoch. Raises RedisUnavailable."""
        await pipeline.execute("PUBLISH", self._recover_channel, f"{shard} {self.epoch(shard)} {cause}")
