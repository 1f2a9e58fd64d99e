"""What every event meets before and after its own checks: epoch, period, the loaded wallet, the backlog."""

from __future__ import annotations

import pytest

from seamless_wallet.commands import Kind
from seamless_wallet.engine import keys
from tests.lua.driver import SHARD, Player
from tests.lua.expect import seq_of
from tests.lua.scene import event_of, one_of_each
from tests.lua.state import changed


@pytest.mark.parametrize("epoch", [0, 2])
def test_another_epoch(scene, epoch):
    """FENCED with the epoch and the period of the shard, nothing changed: for older and for newer callers."""
    scene.shard.epoch = epoch
    for event in one_of_each(scene):
        scene.shard.send(event).answered("FENCED", 1, 0)


@pytest.mark.parametrize("period", [-1, 1])
def test_another_period(scene, period):
    """FENCED: a caller that looks for repetitions in the wrong place must not decide."""
    scene.shard.period = period
    for event in one_of_each(scene):
        scene.shard.send(event).answered("FENCED", 1, 0)


def test_no_head(vacant):
    """FENCED without an epoch: a wiped Redis decides nothing."""
    for event in one_of_each(Player(vacant)):
        vacant.send(event).answered("FENCED", "", "")


def test_a_new_epoch(scene):
    """The old epoch's callers are fenced; those of the new one find no wallet until it is installed."""
    scene.shard.open(2, seq=seq_of(scene.shard))
    for event in one_of_each(scene):
        scene.shard.epoch = 1
        scene.shard.send(event).answered("FENCED", 2, 0)
        scene.shard.epoch = 2
        if event.command.kind is not Kind.CREATE:
            scene.shard.send(event).answered("MISS")


@pytest.mark.parametrize("kind", list(Kind))
def test_backlog(scene, kind):
    """BUSY and nothing changed once as many entries wait as the caller allows; one less is fine."""
    shard, event = scene.shard, event_of(scene, kind)
    shard.pending_max = seq_of(shard)
    step = shard.send(event)
    if kind is Kind.CREATE:
        step.answered("BUSY", "R1", "backlog", "KRW", 0, 0, 0, 0)
    else:
        step.busy()
    shard.pending_max += 1
    step.again().ok()


def test_backlog_is_what_is_not_committed(scene):
    """Room again after the writer's confirmation."""
    scene.shard.pending_max = 1
    scene.bet(b5=5).busy()
    scene.shard.confirm(seq_of(scene.shard))
    scene.bet(b5=5).ok()
    scene.bet(b6=5).busy()


def test_backlog_of_other_kinds(scene):
    """The limit is the caller's: results go on where bets are refused."""
    scene.shard.pending_max = seq_of(scene.shard)
    scene.bet(b5=5).busy()
    scene.shard.pending_max *= 2
    scene.result(b3=(100, 5)).ok()


def test_backlog_comes_last(scene):
    """What is known or declined is told all the same: neither makes an entry."""
    bet = scene.bet(b5=5).ok()
    scene.shard.pending_max = 1
    bet.again().duplicate("R0")
    scene.bet(b6=90_000).declined("R4", "funds", stored=True)
    scene.cancel(b1=3_000).declined("R3", "cancel_of_settled")
    scene.bet(b1=3_000).busy()


def test_a_wallet_is_loaded_only_if_its_hash_is_there(scene):
    """MISS though its events and rounds are in Redis: `install` was interrupted before its last step."""
    scene.shard.client.delete(keys.wallet(SHARD, 1, scene.user_id))
    for event in one_of_each(scene):
        if event.command.kind is not Kind.CREATE:
            scene.shard.send(event).answered("MISS")


def test_players_share_a_shard_and_nothing_else(scene):
    """Another player's events touch the head, the stream and its own keys."""
    before = scene.shard.dump()
    Player(scene.shard, "lee").opened().bet(b1=5).ok()
    touched = changed(before, scene.shard.dump())
    assert touched & before.keys() == {keys.head(SHARD), keys.stream(SHARD, 1)}


def test_a_user_id_with_separators(shard):
    """Ids may hold anything that keys are made of: no two users share a key."""
    names = ("a", "a:0", "a:1", "a:0:0", "{9}:a", "가")
    for n, name in enumerate(names):
        Player(shard, name).opened(n + 1)
    for n, name in enumerate(names):
        Player(shard, name).withdraw(n + 1).done("withdraw", balance=0)
