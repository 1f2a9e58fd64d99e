"""Whether Redis agrees with the ledger: each wallet in Redis is what SQL says, once its entries are committed.

Read-only, and right while the service runs: a wallet is judged only where nothing happened to it between two looks
at Redis, and SQL has all entries up to the first look.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from seamless_wallet.engine import keys
from seamless_wallet.engine.ports import RedisReader
from seamless_wallet.ledger.fold import Wallet
from seamless_wallet.ledger.ports import LedgerReader
from seamless_wallet.ledger.records import ShardHead

WAIT_S: Final = 5.0
"""How long an entry that Redis shows may take to be committed."""

WAIT_AGAIN_S: Final = 0.2
"""How long to wait once one did not come."""

POLL_S: Final = 0.05

LOOKS_MAX: Final = 20
"""At a wallet that changes while it is looked at; POLL_S lies between two."""

SCAN_COUNT: Final = 1000

BATCH: Final = 256
"""Wallets that are compared together: as many as a few milliseconds suffice for."""

WALLET_PATTERN: Final = "{*}:w:*"
_WALLET: Final = re.compile(r"\{([0-9]+)\}:w:([0-9]+):(.*)", re.DOTALL)
_FIELDS: Final = ["version", "seq", "balance", "debt", "currency", "status"]

Seen = tuple[str, ...]


class LoadedWallet(NamedTuple):
    """Where a wallet is in Redis."""

    shard: int
    epoch: int
    user_id: str


class Difference(msgspec.Struct, frozen=True):
    """A difference between Redis and the ledger. Without a `user_id` it is about a whole shard."""

    shard: int
    user_id: str
    text: str


class Comparison:
    """One comparison. Its counts fill up while `differences` runs.

    A wallet whose last entry nobody has committed yet is left out: the entry was acknowledged to nobody. That is one
    past the watermark in Redis, as long as SQL has everything up to the watermark; a ledger without what lies below has
    lost something.
    """

    def __init__(self, ledger: LedgerReader, ledger_uuid: str, redis: RedisReader, *, wait_s: float = WAIT_S) -> None:
        self.compared = 0
        self.busy = 0  # wallets that changed during every look
        self.idle_shards = 0  # nothing of this epoch is in Redis
        self._ledger = ledger
        self._ledger_uuid = ledger_uuid
        self._redis = redis
        self._wait_s = wait_s
        self._heads: Sequence[ShardHead] = ()
        self._stuck: set[int] = set()  # shards whose entries did not come: not waited for again
        self._missing: dict[int, int] = {}

    @property
    def uncommitted(self) -> int:
        """Entries that are only in Redis, in the shards whose entries did not come."""
        return sum(self._missing.values())

    async def differences(self) -> AsyncIterator[Difference]:
        """All differences. Raises redis.RedisError or StoreError when one of the two goes away."""
        heads = await self._ledger.heads()
        epochs: dict[int, int] = {}
        for shard, head in enumerate(heads):
            found = await self._head_differs(shard, head)
            if isinstance(found, Difference):
                yield found
            elif found:
                epochs[shard] = head.epoch
            else:
                self.idle_shards += 1
        batch: set[LoadedWallet] = set()
        async for key in self._redis.scan_iter(match=WALLET_PATTERN, count=SCAN_COUNT):
            parts = _WALLET.fullmatch(key)
            if parts is None or epochs.get(int(parts[1])) != int(parts[2]):
                continue
            batch.add(LoadedWallet(int(parts[1]), int(parts[2]), parts[3]))
            if len(batch) >= BATCH:
                for difference in await self._wallets_differ([*batch]):
                    yield difference
                batch.clear()
        for difference in await self._wallets_differ([*batch]):
            yield difference

    async def _head_differs(self, shard: int, head: ShardHead) -> Difference | bool:
        """Whether Redis has this shard in the ledger's epoch, or what is wrong with it."""
        ((epoch, uuid),) = await self._fields([keys.head(shard)], ["epoch", "ledger"])
        if epoch is None:
            return False
        if uuid not in {None, self._ledger_uuid}:
            return Difference(shard, "", f"this Redis belongs to another ledger, {uuid}")
        if int(epoch) > head.epoch:
            head = (await self._ledger.heads())[shard]  # it may have moved just now
        if int(epoch) > head.epoch:
            return Difference(shard, "", f"Redis is in epoch {epoch}, and the ledger only in {head.epoch}")
        return int(epoch) == head.epoch

    async def _wallets_differ(self, places: Sequence[LoadedWallet]) -> list[Difference]:
        """What is wrong with these. A wallet that Redis does not have any more, or changes at every look, is not."""
        found: list[Difference] = []
        for _ in range(LOOKS_MAX):
            before = await self._in_redis(places)
            self._heads = await self._ledger.heads()
            committed: list[LoadedWallet] = []
            for place, seen in before.items():
                is_committed = await self._is_committed(place, int(seen[1]))
                if is_committed:
                    committed.append(place)
                elif is_committed is False:
                    text = f"Redis shows entry {seen[1]}, which the ledger did not get within {self._wait_s:g} s"
                    found.append(Difference(place.shard, place.user_id, text))
            in_sql = await self._ledger.wallets([place.user_id for place in committed])
            after = await self._in_redis(committed)
            self._heads = await self._ledger.heads()
            places = []
            for place in committed:
                ours = before[place]
                if self._heads[place.shard].epoch != place.epoch:
                    continue  # SQL may be ahead of a key that nobody changes any more
                if after.get(place) != ours:
                    places.append(place)
                    continue
                self.compared += 1
                theirs = _seen(in_sql.get(place.user_id))
                if theirs != ours:
                    found.append(Difference(place.shard, place.user_id, _explain(ours, theirs)))
            if not places:
                break
            await asyncio.sleep(POLL_S)
        self.busy += len(places)
        return found

    async def _is_committed(self, place: LoadedWallet, seq: int) -> bool | None:
        """Whether SQL gets this entry in time; None if the shard's epoch moves meanwhile, or nobody commits."""
        loop = asyncio.get_running_loop()
        give_up_s = loop.time() + self._wait_s
        while True:
            head = self._heads[place.shard]
            if head.epoch != place.epoch:
                return None
            if head.seq >= seq:
                return True
            if place.shard in self._stuck or loop.time() > give_up_s:
                self._stuck.add(place.shard)
                return await self._awaits_commit(place)
            await asyncio.sleep(POLL_S)
            self._heads = await self._ledger.heads()

    async def _awaits_commit(self, place: LoadedWallet) -> bool | None:
        """None if what SQL lacks is still to come; False if Redis knows it to be committed."""
        shard = place.shard
        ((in_redis, last, watermark),) = await self._fields([keys.head(shard)], ["epoch", "seq", "committed"])
        head = (await self._ledger.heads())[shard]
        if in_redis is None or not int(in_redis) == place.epoch == head.epoch:
            return None
        if head.seq < int(watermark):
            return False
        self._missing[shard] = int(last) - head.seq
        self._wait_s = min(self._wait_s, WAIT_AGAIN_S)
        return None

    async def _in_redis(self, places: Sequence[LoadedWallet]) -> dict[LoadedWallet, Seen]:
        """Those of these wallets that Redis has."""
        values = await self._fields([keys.wallet(*place) for place in places], _FIELDS)
        return {place: tuple(map(str, each)) for place, each in zip(places, values, strict=True) if each[0] is not None}

    async def _fields(self, names: Sequence[str], fields: list[str]) -> Sequence[Sequence[Any]]:
        """These fields of each of these hashes."""
        reads = self._redis.pipeline(transaction=False)
        for name in names:
            reads.hmget(name, fields)
        return await reads.execute()


def _seen(wallet: Wallet | None) -> Seen | None:
    """What Redis would show."""
    return None if wallet is None else tuple(str(getattr(wallet, name)) for name in _FIELDS)


def _explain(in_redis: Seen, in_sql: Seen | None) -> str:
    if in_sql is None:
        return "is in Redis, and the ledger has no such player"
    pairs = zip(_FIELDS, in_redis, in_sql, strict=True)
    return "; ".join(f"{name}: Redis {ours}, ledger {theirs}" for name, ours, theirs in pairs if ours != theirs)
