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


class ChecksDue(msgspec.Struct):
    """What has to be looked at before the next cycle. Whoever sees a sign of change sets one."""

    server: bool = False
    """The server may be another one, although no connection broke: a first replica gives it a new replication id."""
    heads: bool = True
    """SQL's heads may be others than those in ShardStates: the outcome of a commit or of an epoch is unknown."""
    owner: bool = True
    """The server may hold the data of another ledger."""
    scripts: bool = True
    """The server may have lost a script."""


async def run_due_checks(
    checks_due: ChecksDue,
    *,
    pipelines: Pipelines,
    shard_states: ShardStates,
    scripts: ScriptLoader,
    ledger: LedgerReader,
    ledger_uuid: str,
) -> None:
    """Make the checks that are due. What is found wrong makes an epoch due.

    Raises ForeignRedis, RedisUnavailable or StoreError. A check stays due until it came to an end.
    """
    if checks_due.server:
        shard_states.compare_server(await pipelines.commands.identify())
        await pipelines.reads.identify()
        checks_due.server = False
    if pipelines.commands.server != pipelines.reads.server:
        pipelines.drop()
        raise NotSent("the connections lead to different servers: connecting again")
    if checks_due.heads:
        shard_states.adopt(await ledger.heads())
        checks_due.heads = False
    if checks_due.owner:
        await check_owner(pipelines.commands, len(shard_states.heads), ledger_uuid)
        checks_due.owner = False
    if checks_due.scripts:
        if not await scripts.all_present():
            shard_states.require_epochs(EpochCause.NOSCRIPT)
        checks_due.scripts = False
