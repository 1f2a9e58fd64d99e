"""A wallet of which SQL refused an entry: taken out of use, let go, and loaded again only by who has read SQL since."""

from __future__ import annotations

import pytest

from seamless_wallet.commands import Kind
from seamless_wallet.engine import keys
from seamless_wallet.engine.arguments import EvictArgs, ForgetRoundArgs, SuspendArgs
from tests.lua.driver import NONCE, SHARD, Player
from tests.lua.expect import seq_of
from tests.lua.state import Kept, assert_same
from tests.lua.test_install import SCRIPTS, installs


def suspend(shard, provider: str = "", epoch: int = 1):
    """Take kim's wallet out of use."""
    return shard.run(
        "suspend", (keys.head(SHARD), keys.wallet(SHARD, 1, "kim")), SuspendArgs(epoch, NONCE, provider, b"", 0)
    )


def evict(player, seq: int, epoch: int = 1):
    """Let kim's wallet go."""
    return player.shard.run(
        "evict", player.event(Kind.LOGIN).keys(1, player.shard.period)[:4], EvictArgs(epoch, NONCE, seq)
    )


@pytest.mark.parametrize("name", ["suspend", "evict", "forget_round"])
@pytest.mark.parametrize("epoch", [0, 2])
def test_of_another_epoch(player, name, epoch):
    """FENCED, nothing changed: that generation is not this writer's any more, or not yet."""
    step = player.bet(b1=3_000).ok()
    names = player.event(Kind.LOGIN).keys(1, 0)
    run = {
        "suspend": lambda: suspend(player.shard, "", epoch),
        "evict": lambda: evict(player, 9, epoch),
        "forget_round": lambda: player.shard.run(
            "forget_round", (*names[:2], step.round), ForgetRoundArgs(epoch, NONCE)
        ),
    }[name]()
    assert run.reply == ["FENCED", "1"]
    run.changed_nothing()


@pytest.mark.parametrize("name", ["suspend", "evict", "forget_round"])
def test_of_a_writer_that_lost_the_shard(player, name):
    """FENCED, nothing changed: another one may have loaded the wallet since"""
    step = player.bet(b1=3_000).ok()
    player.shard.take_over("b2")
    names = player.event(Kind.LOGIN).keys(1, 0)
    run = {
        "suspend": lambda: suspend(player.shard),
        "evict": lambda: evict(player, 9),
        "forget_round": lambda: player.shard.run("forget_round", (*names[:2], step.round), ForgetRoundArgs(1, NONCE)),
    }[name]()
    assert run.reply == ["FENCED", "1"]
    run.changed_nothing()


def test_nothing_is_decided_for_a_suspended_wallet(player):
    """MISS for every event; a creation is told to look it up; nobody else notices"""
    player.bet(b1=3_000).ok()
    neighbour = Player(player.shard, "lee").opened()
    seq = seq_of(player.shard)
    assert suspend(player.shard).reply == ["OK", str(seq)]
    for step in (player.login(), player.deposit(5), player.bet(b1=3_000), player.cancel(b1=3_000)):
        step.answered("MISS")
    player.create().answered("SUSPENDED")
    neighbour.deposit(5).done("deposit", balance=10_005)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_suspended_wallet_is_not_loaded(player, name):
    """SUSPENDED: its rounds and events are not rid of what was refused yet"""
    suspend(player.shard)
    names, argv, *_ = installs(player.shard, seq=1_000)[name]
    run = player.shard.run(name, names, argv)
    assert run.reply == ["SUSPENDED"]
    run.changed_nothing()


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize("snapshot_seq", [0, 8, 9, 10])
def test_only_a_later_snapshot_is_loaded(player, name, snapshot_seq):
    """One that read SQL before the void entries were there would bring back what they replace"""
    suspend(player.shard)
    evict(player, 9)
    names, argv, *_ = installs(player.shard, seq=snapshot_seq)[name]
    run = player.shard.run(name, names, argv)
    assert run.reply == (["OK"] if snapshot_seq >= 9 else ["OUTDATED", "9"])
    if snapshot_seq < 9:
        run.changed_nothing()


def test_what_is_to_be_forgotten_stays_known(player):
    """Suspended again, the wallet still names the rounds of the first time: another writer can carry on from it"""
    names = (keys.head(SHARD), keys.wallet(SHARD, 1, "kim"))
    for digest in (b"a" * 16, b"b" * 16):
        player.shard.run("suspend", names, SuspendArgs(1, NONCE, "", digest, 0))
    assert player.shard.client.hget(names[1], "rounds") == b"a" * 16 + b"b" * 16


def test_a_round_is_forgotten_of_a_suspended_wallet_only(player):
    """The reply to the eviction was lost, and the rounds are told once more: what was loaded since stays"""
    step = player.bet(b1=3_000).ok()
    names = (keys.head(SHARD), keys.wallet(SHARD, 1, "kim"), step.round)
    run = player.shard.run("forget_round", names, ForgetRoundArgs(1, NONCE))
    assert run.reply == ["OK"]
    run.changed_nothing()
    suspend(player.shard)
    assert player.shard.run("forget_round", names, ForgetRoundArgs(1, NONCE)).reply == ["OK"]
    assert not player.shard.client.exists(step.round)


def test_a_round_is_forgotten_of_a_wallet_that_is_gone(player):
    """Nobody decides for it, and a load that is under way finds the round absent, and asks SQL"""
    step = player.bet(b1=3_000).ok()
    names = (keys.head(SHARD), keys.wallet(SHARD, 1, "kim"), step.round)
    player.shard.client.delete(names[1])
    player.shard.run("forget_round", names, ForgetRoundArgs(1, NONCE))
    assert not player.shard.client.exists(step.round)


def test_evicted_up_to_only_grows(player):
    """Two wallets go, the later one first"""
    for seq in (9, 7):
        suspend(player.shard)
        evict(player, seq)
        assert player.shard.client.hget(keys.head(SHARD), "evicted") == b"9"


def test_evict_takes_the_wallet_and_its_events(player):
    """Of both periods; nothing else"""
    player.shard.end_period()
    player.deposit(5).ok()
    suspend(player.shard)
    names = player.event(Kind.LOGIN).keys(1, 1)[:4]
    before = player.shard.dump()
    assert set(names) <= set(before)
    run = evict(player, 9)
    head = Kept({**before[names[0]].value, "evicted": "9"}, None)
    assert_same(run.after, {name: kept for name, kept in before.items() if name not in names} | {names[0]: head})


def test_a_wallet_that_was_loaded_since_stays(player):
    """The reply to an eviction was lost, and it comes once more"""
    run = evict(player, 9)
    assert run.reply == ["OK"]
    run.changed_nothing()


def test_a_provider_that_used_an_id_again_is_cold(player):
    """For every player of the shard, until the second period from now; other providers are not"""
    shard = player.shard
    neighbour, other = Player(shard, "lee").opened(), Player(shard, "mia", "other").opened()
    suspend(shard, "dowinn")
    neighbour.bet(b1=5).answered("COLD", shard.client.hget(keys.wallet(SHARD, 1, "lee"), "seq").decode())
    neighbour.bet(neighbour.unseen(), b1=5).ok()
    other.bet(b1=5).ok()
    shard.end_period()
    neighbour.bet(b2=5).answered("COLD", shard.client.hget(keys.wallet(SHARD, 1, "lee"), "seq").decode())
    shard.end_period()
    neighbour.bet(b2=5).ok()


def test_the_list_of_cold_providers_forgets_those_that_are_over(player):
    """It never grows longer than the providers that are cold now"""
    shard = player.shard
    suspend(shard, "one")
    shard.end_period()
    suspend(shard, "two")
    assert shard.client.hget(keys.head(SHARD), "cold") == b" two:3 one:2"
    suspend(shard, "two")
    assert shard.client.hget(keys.head(SHARD), "cold") == b" two:3 one:2"
    shard.end_period()
    suspend(shard, "two")
    assert shard.client.hget(keys.head(SHARD), "cold") == b" two:4"


def test_a_provider_whose_name_is_a_part_of_another_is_not_cold(player):
    """Dowinn is neither dowinn-2 nor my-dowinn"""
    suspend(player.shard, "dowinn-2")
    suspend(player.shard, "my-dowinn")
    Player(player.shard, "lee").opened().bet(b1=5).ok()


@pytest.fixture
def full(real, player):
    """A player on a server that has no memory left."""
    player.shard.client.config_set("maxmemory", 1)
    return player


def test_a_full_server_lets_a_wallet_go(full):
    """A writer that stopped here would never confirm anything again, and so free nothing"""
    assert suspend(full.shard, "dowinn").reply[0] == "OK"
    assert full.shard.client.hget(keys.head(SHARD), "cold") == b" dowinn:2"
    assert evict(full, 9).reply == ["OK"]
    assert full.shard.client.hget(keys.head(SHARD), "evicted") == b"9"


def test_a_wallet_that_is_not_there_is_suspended_and_goes_on_a_full_server(real, player):
    """Nothing is freed, and nothing is refused"""
    names = player.event(Kind.LOGIN).keys(1, 0)
    player.shard.client.delete(*names[1:4])
    player.shard.client.config_set("maxmemory", 1)
    assert evict(player, 9).reply == ["OK"]
    assert suspend(player.shard).reply[0] == "OK"


def test_a_new_epoch_loads_whatever_its_ledger_has(player):
    """A restored ledger may end before the eviction: its players would never come back"""
    suspend(player.shard)
    evict(player, 9)
    player.shard.open(2, seq=4)
    for name in SCRIPTS:
        names, argv, *_ = installs(player.shard, epoch=2, seq=4)[name]
        assert player.shard.run(name, names, argv).reply == ["OK"]


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_frozen_wallet_is_not_loaded(player, name):
    """FROZEN, so that its events are answered at once; until it is evicted"""
    names = (keys.head(SHARD), keys.wallet(SHARD, 1, "kim"))
    player.shard.run("suspend", names, SuspendArgs(1, NONCE, "", b"", 1))
    player.login().answered("MISS")
    names, argv, *_ = installs(player.shard, seq=1_000)[name]
    run = player.shard.run(name, names, argv)
    assert run.reply == ["FROZEN"]
    run.changed_nothing()
    evict(player, 9)
    assert player.shard.run(name, names, argv).reply == ["OK"]
