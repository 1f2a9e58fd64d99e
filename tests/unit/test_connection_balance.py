"""How many connections each worker gives to others."""

from __future__ import annotations

import pytest

from seamless_wallet.supervisor.connection_balance import REST_BEATS, ConnectionBalance, surpluses


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


def test_what_was_given_away_has_time_to_arrive():
    """Counts are half a second old or more. Who acts on them again would give back what it has just been given."""
    balance = ConnectionBalance()
    assert balance.at_beat([8, 0]) == [4, 0]
    assert [balance.at_beat([0, 8]) for _ in range(REST_BEATS)] == [[0, 0]] * REST_BEATS
    assert balance.at_beat([3, 5]) == [0, 1]


def test_a_balanced_service_is_looked_at_in_each_beat():
    """Whoever has just connected to the wrong one does not wait."""
    balance = ConnectionBalance()
    assert balance.at_beat([4, 4]) == [0, 0]
    assert balance.at_beat([6, 2]) == [2, 0]
