"""create, and the three scripts that bring a wallet from SQL."""

from __future__ import annotations

import pytest
import redis

from seamless_wallet.commands import Kind
from seamless_wallet.engine import keys
from seamless_wallet.engine.arguments import InstallArgs, InstallEventsArgs, InstallRoundArgs
from tests.lua.driver import HOUR, SHARD, Player
from tests.lua.expect import seq_of
from tests.lua.state import Kept, assert_same

HEAD = keys.head(SHARD)
DIGEST, RECORD = b"d" * 16, b"f" * 16 + b"R07"
FIELDS = {"version": "3", "seq": "7", "balance": "100", "debt": "0", "status": "active", "currency": "KRW"}


def wallet_key(epoch: int = 1, user_id: str = "kim") -> str:
    """The wallet to install."""
    return keys.wallet(SHARD, epoch, user_id)


def installs(shard, epoch: int = 1, period: int = 0, seq: int = 0):
    """Each script with keys, arguments, and the key and the value that it leaves."""
    names = HEAD, wallet_key(epoch)
    events, round_ = keys.events(SHARD, epoch, "kim", period), keys.round_(SHARD, epoch, DIGEST)
    window = shard.window_ms
    flat = [word for pair in FIELDS.items() for word in pair]
    text = Kept({"d" * 16: RECORD.decode()}, 2 * window)
    bets = Kept({"": "1", "1": "O 5", "2": "C 9"}, None)
    return {
        "install_events": (
            (*names, events),
            (*InstallEventsArgs(epoch, period, seq, window), DIGEST, RECORD),
            events,
            text,
        ),
        "install_round": (
            (*names, round_),
            (*InstallRoundArgs(epoch, period, seq, window, 1), "1", "O 5", "2", "C 9"),
            round_,
            bets,
        ),
        "install": (names, (*InstallArgs(epoch, period, seq), *flat), names[1], Kept(FIELDS, None)),
    }


SCRIPTS = ("install_events", "install_round", "install")


@pytest.mark.parametrize("name", SCRIPTS)
def test_install(shard, name):
    """OK; exactly the given, for the given time."""
    names, argv, key, kept = installs(shard)[name]
    run = shard.run(name, names, argv)
    assert run.reply == ["OK"]
    assert_same(run.after, {**run.before, key: kept})


def test_install_over_a_round_that_was_going_to_expire(shard):
    """With an open bet it never does, whatever was there before."""
    names, argv, key, kept = installs(shard)["install_round"]
    shard.client.hset(key, mapping={"": "0", "2": "C 9"})
    shard.client.pexpire(key, 1_000)
    run = shard.run("install_round", names, argv)
    assert_same(run.after, {**run.before, key: kept})


def test_install_a_round_without_open_bets(shard):
    """It expires after one window."""
    names, argv, key, _ = installs(shard)["install_round"]
    run = shard.run("install_round", names, (*argv[:4], 0, "2", "C 9"))
    assert_same(run.after, {**run.before, key: Kept({"": "0", "2": "C 9"}, HOUR)})


@pytest.mark.parametrize("name", SCRIPTS[:2])
def test_install_twice(shard, name):
    """Before the wallet is there, the parts may come again: the same is there once."""
    names, argv, key, kept = installs(shard)[name]
    shard.run(name, names, argv)
    run = shard.run(name, names, argv)
    assert run.reply == ["OK"]
    assert run.after[key].like(kept)


@pytest.mark.parametrize("name", SCRIPTS)
def test_install_over_a_wallet(shard, name):
    """EXISTS, nothing changed: what Redis has is newer than any snapshot."""
    Player(shard).opened()
    names, argv, *_ = installs(shard)[name]
    run = shard.run(name, names, argv)
    assert run.reply == ["EXISTS"]
    run.changed_nothing()


@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize(("epoch", "period"), [(0, 0), (2, 0), (1, 1), (1, -1)])
def test_install_fenced(shard, name, epoch, period):
    """FENCED with both, nothing changed, for another epoch and for another period."""
    names, argv, *_ = installs(shard, epoch, period)[name]
    run = shard.run(name, names, argv)
    assert run.reply == ["FENCED", "1", "0"]
    run.changed_nothing()


@pytest.mark.parametrize("name", SCRIPTS)
def test_install_without_a_head(vacant, name):
    """FENCED by nothing: the gate was not opened."""
    names, argv, *_ = installs(vacant)[name]
    run = vacant.run(name, names, argv)
    assert run.reply == ["FENCED", "", ""]
    run.changed_nothing()


@pytest.mark.parametrize(("name", "position"), [("install_events", 3), ("install_round", 3), ("install_round", 4)])
@pytest.mark.parametrize("bad", ["", "1e3", "x"])
def test_install_bad_numbers(shard, name, position, bad):
    """An error, nothing changed."""
    names, argv, *_ = installs(shard)[name]
    with pytest.raises(redis.ResponseError, match="not an integer"):
        shard.run(name, names, [*argv[:position], bad, *argv[position + 1 :]])


def test_parts_without_the_wallet_are_not_a_wallet(shard):
    """MISS until `install` itself."""
    for name in SCRIPTS:
        Player(shard).deposit(5).answered("MISS")
        names, argv, *_ = installs(shard)[name]
        shard.run(name, names, argv)
    shard.client.hset(HEAD, "seq", 7)
    Player(shard).deposit(5).done("deposit", balance=105)


def test_create(newcomer):
    """An empty, active wallet of version 1, an entry, no session."""
    newcomer.create().done("create", balance=0, wallet={"status": "active", "currency": "KRW"})


@pytest.mark.parametrize("again", ["same event", "other transaction", "other currency"])
def test_create_an_existing_player(player, again):
    """EXISTS with the wallet's last seq, nothing changed: the caller compares with what SQL has by then."""
    event = player.event(Kind.CREATE, currency="USD" if again == "other currency" else "KRW")
    player.shard.send(event).answered("EXISTS", seq_of(player.shard))


def test_create_exists_comes_before_the_backlog(player):
    """It makes no entry."""
    player.shard.pending_max = 0
    player.create().answered("EXISTS", seq_of(player.shard))


def test_create_is_recognised_by_later_events(newcomer):
    """Its identity is taken: the back office's next movement of that key is a conflict."""
    created = newcomer.create().ok()
    newcomer.deposit(5, transaction_id=created.event.command.transaction_id).conflict()
