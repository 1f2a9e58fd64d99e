"""What the writer remembers of each shard, and which shards need a new epoch."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import structlog
from msgspec import structs

from seamless_wallet.engine.server import Server
from seamless_wallet.ledger.conflicts import EpochCause
from seamless_wallet.ledger.entry import Entry
from seamless_wallet.ledger.records import ShardHead
from seamless_wallet.observability import metrics

Position = tuple[int, int]
"""Epoch and seq of the last entry of a shard."""

log = structlog.get_logger(__name__)


class ShardStates:
    """Our nonce, heads as SQL has them, our shards, how far Redis has written, and the epochs that are due."""

    def __init__(self) -> None:
        self.nonce = ""
        """Of this writer, once SQL has named it."""
        self.heads: list[ShardHead] = []
        self.held: set[int] = set()
        """Shards whose writer is this one, as SQL said last."""
        self.taken: set[int] = set()
        """Those of them whose heads in Redis have our nonce, too."""
        self.epochs_due: dict[int, EpochCause] = {}
        """Shard → why it needs a new epoch before anything else happens to it."""
        self.stopped: set[int] = set()
        """Shards with an entry that only a newer version of this program can read."""
        self._written: dict[int, int] = {}

    def adopt(self, heads: Iterable[ShardHead]) -> Collection[int]:
        """SQL was asked: go by its heads, and forget the rest. Returns the shards that have become ours."""
        self.heads = list(heads)
        self._written.clear()
        held = {shard for shard, head in enumerate(self.heads) if self.nonce and head.nonce == self.nonce}
        come = held - self.held
        self.report_lost(self.leave(self.held - held))
        self.held = held
        return come

    def leave(self, shards: Collection[int]) -> Collection[int]:
        """Stop with these shards at once. Returns those of them that were ours."""
        left = self.held.intersection(shards)
        self.held -= left
        self.taken -= left
        self.stopped -= left
        for shard in left:
            self.epochs_due.pop(shard, None)
            self._written.pop(shard, None)
        return left

    def report_lost(self, shards: Collection[int]) -> None:
        """Another writer has taken these, which this one did not release."""
        if shards:
            metrics.WRITER_SHARDS_LOST.inc(len(shards))
            log.warning(
                "shards_lost",
                shards=sorted(shards),
                remedy="none if this writer hung, or was without Redis or SQL for a while; if it repeats, see "
                "wallet_ledger_commit_duration_seconds",
            )

    def compare_server(self, server: Server) -> None:
        """Shards of ours whose epoch runs on another server need a new one."""
        for shard in self.held:
            head = self.heads[shard]
            if (head.run_id, head.replid) != server:
                self.epochs_due[shard] = EpochCause.SERVER

    def require_epoch(self, shard: int, cause: EpochCause) -> None:
        """This shard needs a new epoch; the first cause counts."""
        self.epochs_due.setdefault(shard, cause)

    def require_epochs(self, cause: EpochCause) -> None:
        """Every shard of ours needs a new epoch, for this cause."""
        self.epochs_due.update(dict.fromkeys(self.held, cause))

    def record_commit(self, entries: Sequence[Entry]) -> None:
        """SQL has taken these entries of one shard."""
        last = entries[-1]
        self.heads[last.shard] = structs.replace(self.heads[last.shard], seq=last.seq)

    def record_written(self, shard: int, *, confirmed: int, written: int) -> bool:
        """Redis has written up to seq `written`, and was told that SQL has `confirmed`.

        False: it knows less than it was told, and the shard needs a new epoch.
        """
        self._written[shard] = written
        if written < confirmed:
            self.require_epoch(shard, EpochCause.FORK)
        return written >= confirmed

    def positions(self) -> dict[int, Position]:
        """Where SQL stands in each shard of ours that can be read."""
        return {shard: (self.heads[shard].epoch, self.heads[shard].seq) for shard in sorted(self.held - self.stopped)}

    def written_beyond(self, positions: Mapping[int, Position]) -> list[int]:
        """Shards whose streams must hold more than was read up to these positions."""
        return [shard for shard, seq in self._written.items() if shard in positions and seq > positions[shard][1]]

    def record_epoch(self, shard: int, head: ShardHead) -> None:
        """A new epoch begins where SQL ends, under our nonce."""
        self.heads[shard] = head
        self.taken.add(shard)
        self._written.pop(shard, None)
        self.stopped.discard(shard)
        if self.epochs_due.get(shard) is EpochCause.FORK:  # asked for meanwhile, of the epoch that is over
            del self.epochs_due[shard]
