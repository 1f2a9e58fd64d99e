"""How writers share the shards: by a rule that each of them follows for itself, on what the ledger says of all."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from seamless_wallet.ledger.records import LeaseTable


class LeaseStep(NamedTuple):
    """The shards that a writer should take now, and those that it should release."""

    take: list[int]
    release: list[int]


def next_step(table: LeaseTable, nonce: str) -> LeaseStep:
    """The next step of the writer `nonce`, until each of n living writers holds shards/n, rounded down or up.

    Free shards go to whoever holds least, one by one; of equals, to the first by its nonce. When none is free, the
    writer that holds most releases one, unless another holds just one less. So each move makes the largest difference
    smaller or rarer, and shards come to rest.
    """
    held = Counter(dict.fromkeys(table.writers, 0))
    held.update(holder for holder in table.holders if holder)
    held[nonce] += 0
    free = [shard for shard, holder in enumerate(table.holders) if not holder]
    if free:
        take = []
        for shard in free:
            least = min(held, key=lambda writer: (held[writer], writer))
            held[least] += 1
            if least == nonce:
                take.append(shard)
        return LeaseStep(take, [])
    most = max(held, key=lambda writer: (held[writer], writer))
    if most == nonce and held[most] - min(held.values()) > 1:
        return LeaseStep([], [max(shard for shard, holder in enumerate(table.holders) if holder == nonce)])
    return LeaseStep([], [])
