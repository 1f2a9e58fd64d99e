"""What the writer can no longer rely on, and how it checks."""

from __future__ import annotations

import msgspec

from seamless_wallet.engine.pipeline import NotSent
from seamless_wallet.ledger.conflicts import EpochCause
from seamless_wallet.ledger.ports import LedgerReader
from seamless_wallet.recovery import check_owner
from seamless_wallet.writer.pipelines import Pipelines
from seamless_wallet.writer.script_loader import ScriptLoader
from seamless_wallet.writer.shard_states import ShardStates


class Doubts(msgspec.Struct):
    """What has to be looked at before the next cycle. Whoever sees a sign of change sets one."""

    server: bool = False
    """The server may be another one, although no connection broke: a first replica gives it a new replication id."""
    heads: bool = True
    """SQL's heads may be others than those in ShardStates: the outcome of a commit or of an epoch is unknown."""
    owner: bool = True
    """The server may hold the data of another ledger."""
    scripts: bool = True
    """The server may have lost a script."""


async def settle(
    doubts: Doubts,
    *,
    pipelines: Pipelines,
    shard_states: ShardStates,
    scripts: ScriptLoader,
    ledger: LedgerReader,
    ledger_uuid: str,
) -> None:
    """Look at whatever is in doubt. What was found wrong makes an epoch due.

    Raises ForeignRedis, RedisUnavailable or StoreError. A doubt ends only when its look came to an end.
    """
    if doubts.server:
        shard_states.compare_server(await pipelines.commands.identify())
        await pipelines.reads.identify()
        doubts.server = False
    if pipelines.commands.server != pipelines.reads.server:
        pipelines.drop()
        raise NotSent("the connections lead to different servers: connecting again")
    if doubts.heads:
        shard_states.adopt(await ledger.heads())
        doubts.heads = False
    if doubts.owner:
        await check_owner(pipelines.commands, len(shard_states.heads), ledger_uuid)
        doubts.owner = False
    if doubts.scripts:
        if not await scripts.all_present():
            shard_states.require_epochs(EpochCause.NOSCRIPT)
        doubts.scripts = False
