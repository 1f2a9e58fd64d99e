"""The arguments of the function that commits: what a plan writes, column by column."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from seamless_wallet.stores.planning import Plan
from seamless_wallet.stores.shard_heads import Head


class HeadSwap(NamedTuple):
    """A shard's head before a commit, and after."""

    shard: int
    before: Head
    after: Head


COLUMNS: Final = {"heads": 7, "created": 9, "changed": 11, "entries": 17, "marks": 6, "bets": 5, "signposts": 3}
"""How many lists the function takes of each."""

COMMIT: Final = f"SELECT ledger.commit_entries({', '.join(f'${n}' for n in range(1, 3 + sum(COLUMNS.values())))})"

Row = tuple[Any, ...]


def arguments(swaps: Iterable[HeadSwap], plan: Plan) -> list[Sequence[Any]]:
    """All lists, in the order of the function's parameters after the first two."""
    bets = plan.bet_rows()
    marks: list[Row] = [(player, digest, "", entry, print_, None) for player, digest, entry, print_ in plan.events]
    marks += [(*identity, entry, None, state) for *identity, entry, state in bets.new]
    return [
        *_columns("heads", [_head(*swap) for swap in swaps]),
        *_columns("created", [(*row[:8], row[9]) for row in plan.created_wallets()]),
        *_columns("changed", [(*row[:5], *row[6:]) for row in plan.changed_wallets()]),
        *_columns("entries", [(row[0], row[3], *row[4:]) for row in plan.entries]),
        *_columns("marks", marks),
        *_columns("bets", bets.changed),
        *_columns("signposts", [row[:3] for row in plan.signposts]),
    ]


def _head(shard: int, before: Head, after: Head) -> Row:
    return (shard, before.epoch, before.seq, before.token, after.seq, after.chain, after.token)


def _columns(name: str, rows: Sequence[Row]) -> Iterable[Sequence[Any]]:
    """The rows of a table by column; as many empty ones if there are none."""
    return zip(*rows, strict=True) if rows else [()] * COLUMNS[name]
