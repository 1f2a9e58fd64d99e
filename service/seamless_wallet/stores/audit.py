"""Whether the ledger is consistent. Pure checks over rows in a given order; every SQL backend feeds them.

`player_audit` has those of one player's entries. What nothing in the ledger repeats cannot be checked: its UUID, the
scales of currencies, the Redis server of a shard and an epoch raised without an entry.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from seamless_wallet.ledger.entry import CHAIN_START, INVALID_ENTRY_ERRORS
from seamless_wallet.ledger.payload import UnknownPayloadVersion
from seamless_wallet.stores.rows import VOID, EntryRow, entry_of

ChainEnd = tuple[int, int, bytes]
"""Epoch, seq and chain of a shard's head."""

READ_ERRORS = (*INVALID_ENTRY_ERRORS, UnknownPayloadVersion)


class Finding(msgspec.Struct, frozen=True):
    """Something that does not fit, with the entry it is about, if it is about one."""

    shard: int | None
    seq: int | None
    text: str


class ChainCheck:
    """All entries in the order of their ids: gaps, epochs, links, and at last the heads.

    `ends` has, for each shard, where its chain got to. Begin with those of an earlier check to go on from there.
    """

    def __init__(self, ends: Mapping[int, ChainEnd] | None = None, last_id: int = 0) -> None:
        self.ends: dict[int, ChainEnd] = dict(ends or {})
        self.last_id = last_id

    def check(self, row: EntryRow, user_id: str | None) -> Iterator[Finding]:
        """One more entry. `user_id` None: there is no such player."""
        shard, seq = row.shard, row.seq
        epoch, seq_before, link = self.ends.get(shard, (0, 0, CHAIN_START))
        self.last_id = row.id
        self.ends[shard] = (row.epoch, seq, row.chain)
        if seq != seq_before + 1:
            yield Finding(shard, seq, f"the entry before it is {seq_before}")
        if row.epoch < epoch:
            yield Finding(shard, seq, f"epoch {row.epoch} after epoch {epoch}")
        if user_id is None and row.kind != VOID:
            yield Finding(shard, seq, "its player is not there")
            return
        try:
            entry = entry_of(row, user_id or "")
        except READ_ERRORS as error:
            yield Finding(shard, seq, f"cannot be read: {error}")
            return
        if entry.chained_to(link) != row.chain:
            yield Finding(shard, seq, "is not chained to the entry before it")

    def check_heads(self, heads: Mapping[int, ChainEnd], shards: int) -> Iterator[Finding]:
        """The heads, once all entries were checked."""
        for shard in sorted(heads.keys() | self.ends.keys()):
            last = self.ends.get(shard, (0, 0, CHAIN_START))
            head = heads.get(shard)
            if head is None or not 0 <= shard < shards:
                yield Finding(shard, last[1], "the ledger has no such shard")
            elif head[1:] != last[1:] or head[0] < last[0]:
                yield Finding(shard, last[1], f"is not where the head says that the shard ends ({head[1]})")
        for shard in sorted(set(range(shards)) - heads.keys()):
            yield Finding(shard, None, "the shard has no head")


def check_totals(
    trial_balance: Mapping[str, Mapping[str, int]], wallets: Mapping[str, tuple[int, int]]
) -> Iterator[Finding]:
    """Accounts sum to zero and players' accounts to their wallets. `wallets`: currency → Σ balance, Σ debt."""
    for currency in sorted(trial_balance.keys() | wallets.keys()):
        accounts = trial_balance.get(currency, {"player": 0, "debt": 0})
        if sum(accounts.values()):
            yield Finding(None, None, f"the accounts in {currency} sum to {sum(accounts.values())}, not 0")
        balance, debt = wallets.get(currency, (0, 0))
        if (accounts["player"], accounts["debt"]) != (balance, -debt):
            yield Finding(None, None, f"the wallets in {currency} hold {balance} and owe {debt}, the entries say else")
