"""The arguments of the function that commits: what a plan writes, by column and type."""

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


ARRAYS: Final = 18
"""How many the function takes, after a nonce and the start of the server."""

COMMIT: Final = f"SELECT ledger.commit_entries({', '.join(f'${n}' for n in range(1, 3 + ARRAYS))})"

Row = tuple[Any, ...]


def arguments(swaps: Iterable[HeadSwap], plan: Plan) -> list[Sequence[Any]]:
    """All arrays, in the order of the function's parameters. Each has all columns of one type of a table.

    A driver looks at every element of an array of one dimension, whether it is an array itself, which costs more than
    to encode it. Of two dimensions it looks at the first row, and at the rows.
    """
    bets = plan.bet_rows()
    heads = _columns(7, [_head(*swap) for swap in swaps])
    created = _columns(10, plan.created_wallets())
    changed = _columns(12, plan.changed_wallets())
    entries = _columns(19, plan.entries)
    events = zip(plan.events, plan.fingerprints(), strict=True)
    marks: list[Row] = [(player, digest, "", entry, print_, None) for (player, digest, entry), print_ in events]
    marks += [(*identity, entry, None, state) for *identity, entry, state in bets.new]
    players, digests, indexes, placed, prints, states = _columns(6, marks)
    state, player, digest, index, old_state = _columns(5, bets.changed)
    return [
        heads[:4],
        heads[4:6],
        heads[6],
        _picked(created, 0, 4, 5, 6, 7),
        _picked(created, 1, 2, 3, 9),
        _picked(changed, 1, 2, 3, 4, 7, 9, 10, 11),
        _picked(changed, 0, 6, 8),
        _picked(entries, 0, 3, 4, 5, 10, 11, 12, 13, 14, 15),
        _picked(entries, 6, 7, 8, 9, 16),
        entries[17],
        entries[18],
        [players, placed],
        [indexes, states],
        [digests, prints],
        player,
        [state, index, old_state],
        digest,
        _columns(4, plan.signposts)[:3],
    ]


def _head(shard: int, before: Head, after: Head) -> Row:
    return (shard, before.epoch, before.seq, after.seq, before.token, after.token, after.chain)


def _columns(count: int, rows: Sequence[Row]) -> Sequence[Sequence[Any]]:
    """The rows of a table by column; so many empty ones if there are none."""
    return [list(column) for column in zip(*rows, strict=True)] or [[]] * count


def _picked(columns: Sequence[Sequence[Any]], *places: int) -> Sequence[Sequence[Any]]:
    """Columns of one type."""
    return [columns[place] for place in places]
