"""A new epoch for a shard: O(1), no comparison of contents, safe to repeat at any point.

From the moment that SQL names the new epoch nothing of the old one can be committed, and none of that was ever
acknowledged. Wallets come back one by one, when they are next needed.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final

import structlog
from redis.exceptions import ResponseError

from seamless_wallet.engine import keys
from seamless_wallet.engine.arguments import GateArgs
from seamless_wallet.engine.pipeline import Pipeline
from seamless_wallet.engine.replies import ReplyStatus
from seamless_wallet.engine.scripts import load_scripts
from seamless_wallet.engine.server import Server
from seamless_wallet.errors import WalletError
from seamless_wallet.ledger.conflicts import EpochCause
from seamless_wallet.ledger.ports import LedgerStore
from seamless_wallet.ledger.records import ShardHead
from seamless_wallet.observability import metrics
from seamless_wallet.ports import Randomness

SCAN_COUNT: Final = 500

GATE_BYTES: Final = 8
"""Of the random token that the first entry of an epoch follows."""

Judge = Callable[[bytes | None], Awaitable[object]]
"""Asked of the nonce in a head before an epoch is opened over it. Raises ForeignWriter if its writer lives."""

log = structlog.get_logger(__name__)


class ForeignRedis(WalletError):
    """This Redis holds the data of another ledger. Nothing of it may be changed, and no writer may work on it."""


class ForeignWriter(WalletError):
    """A writer that this ledger never named works on this Redis. Two cannot: this one has to end."""

    def __init__(self, nonce: str) -> None:
        super().__init__(
            f"another writer, of a copy of this ledger, works on this Redis ({nonce}): stop that one, or give it a "
            "Redis of its own; `wallet docs operations` says how to find it"
        )


async def open_epoch(
    *,
    shard: int,
    cause: EpochCause,
    ledger: LedgerStore,
    ledger_uuid: str,
    pipeline: Pipeline,
    server: Server,
    randomness: Randomness,
    nonce: str,
    judge: Judge,
) -> ShardHead:
    """Give `shard` its next epoch on `server` and open its gate, as the writer `nonce`. Returns the new head.

    Raises ForeignRedis, ForeignWriter, Displaced, RedisUnavailable or StoreError; calling again is always right.
    """
    gate = load_scripts()["gate"]
    while True:
        in_sql = (await ledger.heads())[shard].epoch
        in_redis, before, committed = await pipeline.execute("HMGET", keys.head(shard), "epoch", "nonce", "committed")
        await judge(before)
        epoch = await _next_epoch(pipeline, shard, max(in_sql, int(in_redis or 0)))
        token = f"gate.{randomness.token(GATE_BYTES)}"
        seq = await ledger.open_epoch(shard, in_sql, epoch, server.run_id, server.replid, token)
        if seq is None:
            continue
        args = GateArgs(epoch, seq, ledger_uuid, nonce, (before or b"").decode(), token)
        outcome, detail = await pipeline.execute(
            "EVAL", gate.text, 2, keys.head(shard), keys.stream(shard, epoch), *args
        )
        match ReplyStatus(outcome.decode()):
            case ReplyStatus.OK:
                metrics.EPOCHS_OPENED.labels(cause).inc()
                _report_missing(shard, seq, int(committed or 0), int(in_redis or 0))
                return ShardHead(epoch, seq, server.run_id, server.replid, nonce)
            case ReplyStatus.FOREIGN:
                raise _foreign(detail, ledger_uuid)


def _report_missing(shard: int, seq: int, committed: int, epoch: int) -> None:
    """What Redis called committed was acknowledged. An alarm if SQL does not have it."""
    if committed > seq:
        metrics.LEDGER_ENTRIES_MISSING.inc(committed - seq)
        log.error(
            "acknowledged_entries_missing",
            shard=shard,
            seq=seq,
            committed=committed,
            kept_epoch=epoch,
            remedy="the ledger was set back, and the stream lacks some of what it had; what Redis has of that epoch is "
            "kept: see `wallet docs operations`",
        )


async def check_owner(pipeline: Pipeline, shards: int, ledger_uuid: str) -> None:
    """Raises ForeignRedis if some head belongs to another ledger. Changes nothing."""
    for owner in await asyncio.gather(
        *(pipeline.execute("HGET", keys.head(shard), "ledger") for shard in range(shards))
    ):
        if owner is not None and owner != ledger_uuid.encode():
            raise _foreign(owner, ledger_uuid)


def _foreign(owner: bytes, ledger_uuid: str) -> ForeignRedis:
    return ForeignRedis(
        f"this Redis belongs to ledger {owner.decode(errors='replace')}, not to {ledger_uuid}: "
        "point WALLET_REDIS_URL at another server, or empty this one"
    )


async def _next_epoch(pipeline: Pipeline, shard: int, epoch: int) -> int:
    """Above this one, and above any epoch left behind (each has a stream from its gate on)."""
    epoch += 1
    while await pipeline.execute("EXISTS", keys.stream(shard, epoch)):
        epoch += 1
    return epoch


async def load_scripts_into(pipeline: Pipeline, registered: Mapping[str, str]) -> None:
    """Load every registered script that the server lacks."""
    shas = list(registered)
    if not shas:
        return
    present = await pipeline.execute("SCRIPT", "EXISTS", *shas)
    for sha, there in zip(shas, present, strict=True):
        if not there:
            await pipeline.execute("SCRIPT", "LOAD", registered[sha])


async def unlink_older_epochs(pipeline: Pipeline, heads: Iterable[ShardHead]) -> int:
    """Free the keys of epochs that are over, in small steps. Returns how many keys went.

    Those that the gate has kept stay: they have what SQL lacks, and it was acknowledged.
    """
    current = {str(shard): head.epoch for shard, head in enumerate(heads)}
    kept = {shard: await _kept_epochs(pipeline, shard) for shard in current}
    cursor: Any = b"0"
    unlinked = 0
    while True:
        cursor, found = await pipeline.execute("SCAN", cursor, "MATCH", keys.epoch_pattern("*"), "COUNT", SCAN_COUNT)
        old = []
        for name in found:
            with contextlib.suppress(ValueError, IndexError, UnicodeDecodeError):
                shard, epoch = keys.epoch_of(name.decode())
                if epoch < current.get(shard, 0) and epoch not in kept[shard]:
                    old.append(name)
        if old:
            with contextlib.suppress(ResponseError):
                unlinked += await pipeline.execute("UNLINK", *old)
        if cursor == b"0":
            return unlinked


async def _kept_epochs(pipeline: Pipeline, shard: str) -> set[int]:
    kept: bytes | None = await pipeline.execute("HGET", keys.head(shard), "kept")
    return {int(epoch) for epoch in (kept or b"").split()}
