"""Look-ups of events, many in one statement: a snapshot for all of them."""

from __future__ import annotations

from collections.abc import Sequence

from seamless_wallet.commands import round_digest
from seamless_wallet.ledger.bets import Bet, parse_bet
from seamless_wallet.ledger.ports import StoreError
from seamless_wallet.ledger.records import EventRecord, LedgerLookup
from seamless_wallet.stores.gathered_lookups import AskedLookup
from seamless_wallet.stores.postgres.connection import Connection
from seamless_wallet.stores.postgres.row_forms import wallet_of
from seamless_wallet.stores.postgres.sql import READ_SQL


async def lookups(
    connection: Connection, shards: int, asked: Sequence[AskedLookup]
) -> Sequence[LedgerLookup | Exception]:
    """Many of them. One whose shard is not there spoils no other."""
    named = [
        (number, each.command.user_id, round_digest(each.command), item.bet_index)
        for number, each in enumerate(asked)
        for item in each.command.items
    ]
    numbers, users, digests, indexes = zip(*named, strict=True) if named else ((), (), (), ())
    rows = await connection.fetch(
        READ_SQL["lookups"],
        range(len(asked)),
        [each.shard for each in asked],
        [each.command.user_id for each in asked],
        [each.digest for each in asked],
        numbers,
        users,
        digests,
        indexes,
    )
    bets: list[dict[str, Bet]] = [{} for _ in asked]
    found: list[LedgerLookup | None] = [None] * len(asked)
    for row in rows:
        number, epoch, seq = row[:3]
        if epoch is None:
            bets[number][row["bet_index"]] = parse_bet(row["state"])
            continue
        wallet = wallet_of(row[3:12], shards).wallet if row["player"] is not None else None
        record = None
        if row["entry"] is not None:
            record = EventRecord(asked[number].digest, row["fingerprint"], row["entry"] // shards)
        found[number] = LedgerLookup(epoch, seq, wallet, record, bets[number])
    return [
        lookup or StoreError(f"the ledger has no shard {each.shard}") for each, lookup in zip(asked, found, strict=True)
    ]
