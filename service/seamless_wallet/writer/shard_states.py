"""What the writer believes of each shard, and which of it is in doubt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from seamless_wallet.engine.server import Server
from seamless_wallet.ledger.conflicts import EpochCause
from seamless_wallet.ledger.entry import Entry
from seamless_wallet.ledger.records import ShardHead


class ShardStates:
    """Heads as SQL has them, the newest committed entries, how far Redis has written, and the suspects."""

    def __init__(self) -> None:
        self.heads: list[ShardHead] = []
        self.suspects: dict[int, EpochCause] = {}
        self._newest: dict[int, Entry] = {}
        self._written: dict[int, int] = {}

    def believe(self, heads: Iterable[ShardHead]) -> None:
        """SQL was asked: forget the rest."""
        self.heads = list(heads)
        self._newest.clear()
        self._written.clear()

    def compare(self, server: Server) -> None:
        """ShardEpochs whose epoch runs on another server are suspect."""
        for shard, head in enumerate(self.heads):
            if (head.run_id, head.replid) != server:
                self.suspects[shard] = EpochCause.SERVER

    def suspect(self, shard: int, cause: EpochCause) -> None:
        """Recover this shard before anything else; the first cause counts."""
        self.suspects.setdefault(shard, cause)

    def suspect_all(self, cause: EpochCause) -> None:
        """Recover every shard."""
        self.suspects.update(dict.fromkeys(range(len(self.heads)), cause))

    def committed(self, entries: Sequence[Entry]) -> None:
        """SQL has taken these entries of one shard."""
        newest = entries[-1]
        head = self.heads[newest.shard]
        self.heads[newest.shard] = ShardHead(head.epoch, newest.seq, head.run_id, head.replid)
        self._newest[newest.shard] = newest

    def is_newest(self, entry: Entry) -> bool:
        """Whether this is, to the byte, the entry that was committed last in its shard."""
        newest = self._newest.get(entry.shard)
        return newest is not None and (newest.epoch, newest.seq, newest.payload, newest.decided) == (
            entry.epoch,
            entry.seq,
            entry.payload,
            entry.decided,
        )

    def written(self, shard: int, seq: int) -> None:
        """Redis has written up to `seq`. It must not know less than SQL."""
        self._written[shard] = seq
        if seq < self.heads[shard].seq:
            self.suspect(shard, EpochCause.FORK)

    def missing(self, found: Iterable[int], heads: Sequence[ShardHead]) -> list[int]:
        """ShardEpochs that have written more than SQL's `heads`, although nothing of it was found."""
        return [s for s in self._written.keys() - set(found) if self._written[s] > heads[s].seq]

    def opened(self, shard: int, head: ShardHead) -> None:
        """A new epoch begins where SQL ends."""
        self.heads[shard] = head
        self._newest.pop(shard, None)
        self._written.pop(shard, None)
        if self.suspects.get(shard) is EpochCause.FORK:  # asked for meanwhile, of the epoch that is over
            del self.suspects[shard]
