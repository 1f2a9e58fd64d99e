"""What a rate needs: counted in whole cores, with room for bursts, and more where players lie unevenly."""

from __future__ import annotations

import pytest

from benchmarks.scaling import need, random_names, rate_of_one, skews_of, zipf_shares


def test_a_core_takes_what_its_bound_leaves():
    """100 µs at 60 %: 6,000 a second, and one more needs a second core"""
    assert rate_of_one(100, 0.6) == pytest.approx(6000)
    assert need(6000, {"worker": 100}, loaded=0.6).cores == {"worker": 1}
    assert need(6001, {"worker": 100}, loaded=0.6).cores == {"worker": 2}


def test_skew_is_of_what_owns_shards():
    """A worker takes any player's webhook; Redis and writer have the shards that they have"""
    found = need(60_000, {"worker": 100, "valkey": 50, "writer": 100}, skew=2.0, loaded=0.6)
    assert found.cores == {"worker": 10, "valkey": 10, "writer": 20}


def test_the_first_player_of_zipf_has_his_share():
    """1 / (1 + 1/2 + 1/3 + 1/4); and nobody is preferred without an exponent"""
    assert zipf_shares(4, 1.0)[0] == pytest.approx(12 / 25)
    assert zipf_shares(4, 0.0) == [0.25] * 4


def test_a_player_who_is_everybody_fills_one_node():
    """However many there are"""
    assert skews_of([1.0], ["ann"], [1, 4, 16]) == [1.0, 4.0, 16.0]


def test_many_players_who_are_alike_fill_all_nodes_alike():
    """Within what chance leaves"""
    players = random_names(50_000, 1)
    (skew,) = skews_of(zipf_shares(50_000, 0.0), players, [4])
    assert 1.0 <= skew < 1.05
