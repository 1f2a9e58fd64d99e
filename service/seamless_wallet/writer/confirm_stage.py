"""After the commit: raise the watermarks in Redis, then tell the workers. Answers leave only after this."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from redis.exceptions import NoScriptError

from seamless_wallet.engine import keys
from seamless_wallet.engine.arguments import ConfirmArgs
from seamless_wallet.engine.pipeline import Pipeline
from seamless_wallet.engine.replies import ReplyStatus
from seamless_wallet.engine.scripts import load_scripts
from seamless_wallet.ledger.conflicts import EpochCause
from seamless_wallet.ledger.entry import Entry
from seamless_wallet.writer.shard_states import ShardStates


class Retention(NamedTuple):
    """How much stays in Redis: committed entries of a shard, and for how long an event is remembered."""

    stream_tail: int
    hot_window_ms: int


async def confirm(
    pipeline: Pipeline,
    shard_states: ShardStates,
    committed: Mapping[int, Sequence[Entry]],
    *,
    channel: str,
    now_ms: int,
    retention: Retention,
) -> bool:
    """Confirm the shards named, also those with no new entry. False if the server has lost the script.

    `channel` is where all workers hear of watermarks.

    A shard whose head is of another epoch, or knows less than SQL, becomes a suspect. Raises RedisUnavailable.
    """
    watermarks = [_raise_watermark(pipeline, shard_states, shard, now_ms, retention) for shard in committed]
    messages = _tell_workers(pipeline, shard_states, committed, channel)
    replies = await asyncio.gather(*watermarks, return_exceptions=True)
    await asyncio.gather(*messages)
    has_script = True
    for shard, reply in zip(committed, replies, strict=True):
        if isinstance(reply, NoScriptError):
            has_script = False
        elif isinstance(reply, BaseException):
            raise reply
        elif reply[0].decode() == ReplyStatus.FENCED:
            shard_states.suspect(shard, EpochCause.HEAD)
        else:
            shard_states.written(shard, int(reply[1]))
    return has_script


def _raise_watermark(
    pipeline: Pipeline, shard_states: ShardStates, shard: int, now_ms: int, retention: Retention
) -> asyncio.Future[Any]:
    head = shard_states.heads[shard]
    args = ConfirmArgs(head.epoch, head.seq, retention.stream_tail, now_ms, retention.hot_window_ms)
    return pipeline.execute(
        *load_scripts()["confirm"].command((keys.head(shard), keys.stream(shard, head.epoch)), args)
    )


def _tell_workers(
    pipeline: Pipeline, shard_states: ShardStates, committed: Mapping[int, Sequence[Entry]], channel: str
) -> list[asyncio.Future[Any]]:
    """One message a worker with the tokens of its attempts, and one for all with the watermarks."""
    tokens: dict[str, list[str]] = defaultdict(list)
    for entry in (entry for entries in committed.values() for entry in entries):
        tokens[entry.token.partition(".")[0]].append(entry.token)
    if not tokens:
        return []
    heads = " ".join(f"{s}:{shard_states.heads[s].epoch}:{shard_states.heads[s].seq}" for s in committed)
    return [
        *(
            pipeline.execute("PUBLISH", keys.confirm_channel(worker), " ".join(theirs))
            for worker, theirs in tokens.items()
        ),
        pipeline.execute("PUBLISH", channel, heads),
    ]
