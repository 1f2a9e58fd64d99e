"""Redis rolls nothing back: if the entry is refused, nothing else may have been written (the driver compares)."""

from __future__ import annotations

import pytest
import redis

from seamless_wallet.commands import Kind
from seamless_wallet.engine import keys
from tests.lua.driver import HOUR, SHARD, Player
from tests.lua.expect import seq_of
from tests.lua.scene import event_of, one_of_each

REFUSALS = ("OOM", "NOREPLICAS", "READONLY")


@pytest.fixture(params=REFUSALS)
def refusing(real, scene, request):
    """The scene on a server that refuses the first write of a script, for one of the reasons that there are."""
    client = scene.shard.client
    start = {
        "OOM": ("CONFIG", "SET", "maxmemory", "1"),
        "NOREPLICAS": ("CONFIG", "SET", "min-replicas-to-write", "1"),
        "READONLY": ("REPLICAOF", "127.0.0.1", "1"),
    }
    end = {
        "OOM": ("CONFIG", "SET", "maxmemory", "0"),
        "NOREPLICAS": ("CONFIG", "SET", "min-replicas-to-write", "0"),
        "READONLY": ("REPLICAOF", "NO", "ONE"),
    }
    client.execute_command(*start[request.param])
    yield scene
    client.execute_command(*end[request.param])


@pytest.mark.parametrize("kind", list(Kind))
def test_a_newer_entry_is_there(scene, kind):
    """The stream has gone on without the head: an error, nothing changed, for every kind of event."""
    event = event_of(scene, kind)
    seq = seq_of(scene.shard)
    scene.shard.client.hset(keys.head(SHARD), "seq", seq - 1)
    with pytest.raises(redis.ResponseError, match="equal or smaller"):
        scene.shard.send(event)
    scene.shard.client.hset(keys.head(SHARD), "seq", seq)
    scene.shard.send(event).ok()


def test_an_emptied_stream_keeps_its_last_id(scene):
    """Trimmed to nothing, it still refuses what is not newer."""
    seq = seq_of(scene.shard)
    scene.shard.client.xtrim(keys.stream(SHARD, 1), maxlen=0, approximate=False)
    scene.shard.client.hset(keys.head(SHARD), "seq", seq - 1)
    with pytest.raises(redis.ResponseError, match="equal or smaller"):
        scene.deposit(5)


def test_a_refusing_server(refusing):
    """An error and nothing changed, for every kind of event."""
    for event in one_of_each(refusing):
        with pytest.raises(redis.ResponseError):
            refusing.shard.send(event)


def test_a_refusing_server_and_a_decline(refusing):
    """A decline that cannot be stored is an error, too, not an answer that the next copy would contradict."""
    with pytest.raises(redis.ResponseError):
        refusing.bet(refusing.unseen(), b9=90_000_000)


def test_a_refusing_server_answers_what_needs_no_write(refusing):
    """Repetitions and the other declines."""
    refusing.withdraw(90_000_000).declined("R4", "funds")
    refusing.bet(b2=100, currency="USD").declined("R3", "currency")


@pytest.fixture
def full(real, scene):
    """The scene on a server that has no memory left."""
    scene.shard.client.config_set("maxmemory", 1)
    return scene.shard


def test_a_full_server_is_confirmed(full):
    """Watermark, trimming and period go on: a writer that stopped here could never free anything."""
    seq = seq_of(full)
    full.client.config_set("maxmemory", 0)
    full.wait(HOUR)
    full.client.config_set("maxmemory", 1)
    full.confirm(seq, tail=0)
    assert [entry.seq for entry in full.entries()] == [seq]
    head = full.client.hmget(keys.head(SHARD), "committed", "period")
    assert head == [str(seq).encode(), b"1"]


def test_a_full_server_can_be_recovered(full):
    """A new epoch opens: it is what frees the old one's memory."""
    assert full.open(2, seq=seq_of(full)).reply[0] == "OK"


def test_a_full_server_is_taken_over(full):
    """A writer that starts now has to confirm, and to free memory by that."""
    assert full.take_over("b2").reply == ["OK"]
    assert full.client.hget(keys.head(SHARD), "nonce") == b"b2"


def test_epochs_have_streams_of_their_own(scene):
    """A new epoch's entries begin above its mark, wherever the old stream has got to."""
    scene.shard.open(2, seq=2)
    Player(scene.shard, "lee").create().done("create", balance=0, wallet={"status": "active", "currency": "KRW"})
    assert [entry.seq for entry in scene.shard.entries()] == [3]
