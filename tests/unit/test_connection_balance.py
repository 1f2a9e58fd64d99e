"""How many connections each worker gives to others."""

from __future__ import annotations

import pytest

from seamless_wallet.supervisor.family import surpluses


@pytest.mark.parametrize(
    ("connections", "surplus"),
    [
        ([], []),
        ([5], [0]),
        ([0, 0], [0, 0]),
        ([1, 0], [0, 0]),
        ([2, 0], [1, 0]),
        ([8, 0], [4, 0]),
        ([5, 3], [1, 0]),
        ([4, 4], [0, 0]),
        ([9, 8], [0, 0]),
        ([7, 1, 1], [4, 0, 0]),
        ([100, 99, 0], [33, 32, 0]),
    ],
)
def test_what_is_more_than_its_share_is_given_away(connections, surplus):
    """A share is rounded up, so that nothing is sent to and fro."""
    assert surpluses(connections) == surplus


@pytest.mark.parametrize("seed", range(50))
def test_somebody_always_accepts(seed):
    """A worker that gives some away accepts none meanwhile. So there is one that has nothing to give."""
    connections = [(seed * 7919 + number * number * 104_729) % 50 for number in range(1 + seed % 8)]
    given = surpluses(connections)
    assert given[connections.index(min(connections))] == 0
    assert sum(given) <= sum(connections)
