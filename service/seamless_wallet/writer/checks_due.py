"""What the writer can no longer rely on, and how it checks."""

from __future__ import annotations

import msgspec

from seamless_wallet.engine.pipeline import NotSent
from seamless_wallet.ledger.conflicts import EpochCause
from seamless_wallet.ledger.ports import LedgerReader
from seamless_wallet.writer.head_owners import HeadOwners
from seamless_wallet.writer.pipelines import Pipelines
from seamless_wallet.writer.script_loader import ScriptLoader
from seamless_wallet.writer.shard_states import ShardStates


class ChecksDue(msgspec.Struct):
    """What has to be looked at before the next cycle. Whoever sees a sign of change sets one."""

    server: bool = False
    """The server may be another one, although no connection broke: a first replica gives it a new replication id."""
    heads: bool = True
    """SQL's heads may be others than those in ShardStates: the outcome of something is unknown, or it was refused."""
    owners: bool = True
    """The server may hold the data of another ledger, or heads of another writer."""
    scripts: bool = True
    """The server may have lost a script."""

    def fenced(self) -> None:
        """Redis did not take this writer for the shard's: SQL says whose it is, and then the head is looked at."""
        self.heads = self.owners = True


async def run_due_checks(
    checks_due: ChecksDue,
    *,
    pipelines: Pipelines,
    shard_states: ShardStates,
    scripts: ScriptLoader,
    ledger: LedgerReader,
    owners: HeadOwners,
) -> None:
    """Make the checks that are due. What is found wrong makes an epoch due.

    Raises ForeignRedis, ForeignWriter, RedisUnavailable or StoreError. A check stays due until it came to an end.
    """
    if checks_due.heads:
        if shard_states.adopt(await ledger.heads()):
            checks_due.server = checks_due.owners = True
        checks_due.heads = False
    if checks_due.server:
        shard_states.compare_server(await pipelines.commands.identify())
        await pipelines.reads.identify()
        checks_due.server = False
    if pipelines.commands.server != pipelines.reads.server:
        pipelines.drop()
        raise NotSent("the connections lead to different servers: connecting again")
    if checks_due.owners:
        checks_due.owners = not await owners.take_heads()
    if checks_due.scripts:
        if not await scripts.all_present():
            shard_states.require_epochs(EpochCause.NOSCRIPT)
        checks_due.scripts = False
