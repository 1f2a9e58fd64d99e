"""Requests of workers, which see some faults before the writer does, and of writers that release shards."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from seamless_wallet.engine import keys
from seamless_wallet.engine.ports import Message, RedisAddress
from seamless_wallet.engine.subscription import Subscription
from seamless_wallet.ledger.conflicts import RELEASED, SUSPENDED, EpochCause
from seamless_wallet.writer.checks_due import ChecksDue
from seamless_wallet.writer.evictions import Evictions
from seamless_wallet.writer.shard_states import ShardStates

_REQUEST: Final = re.compile(r"(\d{1,9}) (\d{1,18}) (\w+)(?: (.+))?", re.ASCII | re.DOTALL)


class RecoveryRequests:
    """Turns requests into checks of the shard's writer. A fork makes an epoch due at once: the worker has proof."""

    def __init__(
        self,
        redis: RedisAddress,
        ledger_uuid: str,
        shard_states: ShardStates,
        checks_due: ChecksDue,
        evictions: Evictions,
        look_at_leases: Callable[[], None],
    ) -> None:
        self.subscription: Final = Subscription(redis, keys.recover_channel(ledger_uuid), receive=self._take)
        self._shard_states = shard_states
        self._checks_due = checks_due
        self._evictions = evictions
        self._look_at_leases = look_at_leases

    def _take(self, message: Message) -> None:
        """Take `<shard> <epoch> <cause> [<user_id>]`. A request about another epoch than the current one is too late.

        Anybody who may publish in Redis is heard, so what is not a request is ignored.
        """
        match = _REQUEST.fullmatch(message.text)
        if match is None:
            return
        shard, epoch, cause = int(match[1]), int(match[2]), match[3]
        heads = self._shard_states.heads
        if cause == RELEASED:
            self._look_at_leases()
        if shard not in self._shard_states.held or epoch != heads[shard].epoch:
            return
        if cause == EpochCause.FORK:
            self._shard_states.epochs_due[shard] = EpochCause.FORK
        elif cause == EpochCause.NOSCRIPT:
            self._checks_due.scripts = True  # judged between cycles, never while a recovery is loading them
        elif cause == EpochCause.SERVER:
            self._checks_due.server = True
        elif cause == SUSPENDED and match[4]:
            self._evictions.resume(shard, match[4])
