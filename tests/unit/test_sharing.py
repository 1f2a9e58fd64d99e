"""The rule by which writers share shards: fair in the end, one move at a time, and then at rest."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from seamless_wallet.ledger.records import LeaseTable
from seamless_wallet.writer.sharing import LeaseStep, next_step

NOTHING = LeaseStep([], [])


class Table:
    """A ledger's leases, whose writers follow the rule in turn."""

    def __init__(self, shards: int) -> None:
        self.holders = [""] * shards
        self.writers: set[str] = set()
        self.moves = 0

    def step(self, nonce: str) -> LeaseStep:
        """One writer's turn."""
        self.writers.add(nonce)
        step = next_step(LeaseTable(self.holders, sorted(self.writers)), nonce)
        for shard in step.release:
            assert self.holders[shard] == nonce
            self.holders[shard] = ""
        for shard in step.take:
            assert not self.holders[shard]
            self.holders[shard] = nonce
        self.moves += len(step.take) + len(step.release)
        return step

    def leave(self, nonce: str) -> None:
        """It died, and its leases expired; or it has retired."""
        self.writers.discard(nonce)
        self.holders = [holder if holder != nonce else "" for holder in self.holders]

    def settle(self, rng: random.Random) -> None:
        """Turns in any order, until nobody does anything any more."""
        idle: set[str] = set()
        while idle != self.writers:
            nonce = rng.choice(sorted(self.writers))
            idle = {*idle, nonce} if self.step(nonce) == NOTHING else set()
        self.check_fair()

    def check_fair(self) -> None:
        held = Counter(self.holders)
        assert "" not in held
        counts = [held[nonce] for nonce in self.writers]
        assert max(counts) - min(counts) <= 1


def test_the_only_writer_takes_all_at_once():
    """Nobody else is there for whom it should leave any."""
    assert next_step(LeaseTable([""] * 16, ["a"]), "a") == LeaseStep(list(range(16)), [])


def test_a_writer_that_comes_gets_one_shard_after_the_other():
    """Of the one that has most. It takes what is free, and nobody else does."""
    table = Table(4)
    table.step("a")
    assert table.step("b") == NOTHING
    assert table.step("a") == LeaseStep([], [3])
    assert table.step("a") == NOTHING
    assert table.step("b") == LeaseStep([3], [])
    assert table.step("b") == NOTHING
    assert table.step("a") == LeaseStep([], [2])
    assert table.step("b") == LeaseStep([2], [])
    assert table.step("a") == table.step("b") == NOTHING


def test_what_a_dead_writer_held_is_shared_by_the_others_at_once():
    """In one step each, as equally as they can."""
    holders = ["a", "a", "b", "b", "", "", "", ""]
    assert next_step(LeaseTable(holders, ["a", "b"]), "a") == LeaseStep([4, 6], [])
    assert next_step(LeaseTable(holders, ["a", "b"]), "b") == LeaseStep([5, 7], [])


def test_nothing_moves_between_writers_that_differ_by_one():
    """It would move to and fro."""
    table = LeaseTable(["a", "a", "b"], ["a", "b"])
    assert next_step(table, "a") == next_step(table, "b") == NOTHING


def test_a_writer_that_holds_nothing_and_is_not_listed_counts_too():
    """Its own table may be older than itself."""
    assert next_step(LeaseTable(["a", "a", ""], ["a"]), "b") == LeaseStep([2], [])


def test_a_holder_counts_although_it_lives_no_more():
    """Its lease has not expired yet: what it holds is not free."""
    assert next_step(LeaseTable(["a", "a", "a", "b"], ["b"]), "b") == NOTHING


@pytest.mark.parametrize("seed", range(20))
def test_whatever_comes_and_goes_it_ends_fair_and_at_rest(seed):
    """And with few moves: what the writer that came or went should have, and no more than a shard a writer beyond."""
    rng = random.Random(seed)
    table = Table(rng.choice([1, 3, 16, 64]))
    shards = len(table.holders)
    for number in range(30):
        before, table.moves = len(table.writers), 0
        if before > 1 and rng.random() < 0.4:
            gone = rng.choice(sorted(table.writers))
            most = sum(holder == gone for holder in table.holders)
            table.leave(gone)
        else:
            table.writers.add(f"{rng.randrange(10**6)}-{number}")
            most = 2 * -(-shards // len(table.writers)) if before else shards
        table.settle(rng)
        assert table.moves <= most


@pytest.mark.parametrize("seed", range(20))
def test_writers_that_look_at_the_same_table_do_not_take_each_others(seed):
    """All of them act on one snapshot: no shard is wanted twice, and they still come to rest."""
    rng = random.Random(seed)
    writers = [f"w{number}" for number in range(rng.randrange(1, 7))]
    holders = [rng.choice(["", *writers]) for _ in range(rng.randrange(1, 40))]
    for _ in range(200):
        table = LeaseTable(holders, writers)
        steps = {nonce: next_step(table, nonce) for nonce in writers}
        if all(step == NOTHING for step in steps.values()):
            break
        wanted = [shard for step in steps.values() for shard in step.take]
        assert len(wanted) == len(set(wanted))
        holders = list(holders)
        for nonce, step in steps.items():
            for shard in step.release:
                holders[shard] = ""
            for shard in step.take:
                holders[shard] = nonce
    else:
        raise AssertionError("never at rest")
    counts = [holders.count(nonce) for nonce in writers]
    assert max(counts) - min(counts) <= 1
