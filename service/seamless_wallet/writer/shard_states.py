"""What the writer remembers of each shard, and which shards need a new epoch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import structs

from seamless_wallet.engine.server import Server
from seamless_wallet.ledger.conflicts import Displaced, EpochCause
from seamless_wallet.ledger.entry import Entry
from seamless_wallet.ledger.records import ShardHead

Position = tuple[int, int]
"""Epoch and seq of the last entry of a shard."""


class ShardStates:
    """Our nonce, heads as SQL has them, how far Redis has written, and the epochs that are due."""

    def __init__(self) -> None:
        self.nonce = ""
        """Of this writer, once SQL has named it."""
        self.heads: list[ShardHead] = []
        self.epochs_due: dict[int, EpochCause] = {}
        """Shard → why it needs a new epoch before anything else happens to it."""
        self.stopped: set[int] = set()
        """Shards with an entry that only a newer version of this program can read."""
        self._written: dict[int, int] = {}

    def adopt(self, heads: Iterable[ShardHead]) -> None:
        """SQL was asked: go by its heads, and forget the rest."""
        self.heads = list(heads)
        self._written.clear()

    def check_writer(self) -> None:
        """Raises Displaced if SQL names another writer."""
        if any(head.nonce != self.nonce for head in self.heads):
            raise Displaced("the ledger names another writer, which has taken over from this one")

    def compare_server(self, server: Server) -> None:
        """Shards whose epoch runs on another server need a new one."""
        for shard, head in enumerate(self.heads):
            if (head.run_id, head.replid) != server:
                self.epochs_due[shard] = EpochCause.SERVER

    def require_epoch(self, shard: int, cause: EpochCause) -> None:
        """This shard needs a new epoch; the first cause counts."""
        self.epochs_due.setdefault(shard, cause)

    def require_epochs(self, cause: EpochCause) -> None:
        """Every shard needs a new epoch, for this cause."""
        self.epochs_due.update(dict.fromkeys(range(len(self.heads)), cause))

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
        """Where SQL stands in each shard that can be read."""
        return {shard: (head.epoch, head.seq) for shard, head in enumerate(self.heads) if shard not in self.stopped}

    def written_beyond(self, positions: Mapping[int, Position]) -> list[int]:
        """Shards whose streams must hold more than was read up to these positions."""
        return [shard for shard, seq in self._written.items() if shard in positions and seq > positions[shard][1]]

    def record_epoch(self, shard: int, head: ShardHead) -> None:
        """A new epoch begins where SQL ends."""
        self.heads[shard] = head
        self._written.pop(shard, None)
        self.stopped.discard(shard)
        if self.epochs_due.get(shard) is EpochCause.FORK:  # asked for meanwhile, of the epoch that is over
            del self.epochs_due[shard]
