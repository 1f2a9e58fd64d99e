"""Idle wallets and rounds leave Redis: only what SQL has, and nobody can bring an older state back."""

from __future__ import annotations

import time

import pytest

from seamless_wallet.commands import Kind
from seamless_wallet.engine import keys
from seamless_wallet.engine.arguments import EvictIdleArgs, ExpireRoundArgs, SuspendArgs
from tests.lua.driver import HOUR, NONCE, SHARD, Player
from tests.lua.expect import seq_of
from tests.lua.ledger import Ledger
from tests.lua.state import Kept, assert_same
from tests.lua.test_install import SCRIPTS, installs

HEAD = keys.head(SHARD)
WALLET = keys.wallet(SHARD, 1, "kim")


def evict_idle(shard, idle_seq: int, epoch: int = 1, nonce: str = NONCE, wallet: str = WALLET):
    """Let kim's wallet go."""
    return shard.run("evict_idle", (HEAD, wallet), EvictIdleArgs(epoch, nonce, idle_seq))


def expire(shard, round_: str, idle_ms: int = 2 * HOUR, epoch: int = 1, nonce: str = NONCE):
    """Let a round go unless somebody writes to it."""
    return shard.run("expire_round", (HEAD, round_), ExpireRoundArgs(epoch, nonce, idle_ms))


def committed(shard) -> int:
    """SQL has everything."""
    seq = seq_of(shard)
    shard.confirm(seq)
    return seq


def test_an_idle_wallet_goes(player):
    """The wallet and nothing else; its last seq is remembered."""
    player.bet(b1=3_000).ok()
    seq = committed(player.shard)
    run = evict_idle(player.shard, seq)
    assert run.reply == ["OK"]
    expected = {**run.before, HEAD: Kept({**run.before[HEAD].value, "evicted": str(seq)}, None)}
    del expected[WALLET]
    assert_same(run.after, expected)


@pytest.mark.parametrize(("epoch", "nonce"), [(0, NONCE), (2, NONCE), (1, "b2")])
def test_only_the_writer_of_the_epoch_lets_go(player, epoch, nonce):
    """FENCED, nothing changed: another writer, or another epoch, may have loaded the wallet since."""
    round_ = player.bet(b1=3_000).ok().round
    seq = committed(player.shard)
    for run in (evict_idle(player.shard, seq, epoch, nonce), expire(player.shard, round_, 1, epoch, nonce)):
        assert run.reply == ["FENCED", "1"]
        run.changed_nothing()


def test_a_writer_that_lost_the_shard_lets_nothing_go(player):
    """Its nonce was that of the head a moment ago."""
    seq = committed(player.shard)
    player.shard.take_over("b2")
    run = evict_idle(player.shard, seq)
    assert run.reply == ["FENCED", "1"]
    run.changed_nothing()


def test_a_wallet_in_use_stays(player):
    """Its last entry is newer than the beginning of the time of idleness."""
    seq = committed(player.shard)
    run = evict_idle(player.shard, seq - 1)
    assert run.reply == ["KEPT"]
    run.changed_nothing()


def test_what_sql_does_not_have_stays(player):
    """Decided and not committed, or committed and not confirmed: to Redis that is the same."""
    committed(player.shard)
    player.bet(b1=3_000).ok()
    run = evict_idle(player.shard, 1_000)
    assert run.reply == ["KEPT"]
    run.changed_nothing()
    committed(player.shard)
    assert evict_idle(player.shard, 1_000).reply == ["OK"]


def test_a_suspended_wallet_stays(player):
    """It says which rounds must go before it is loaded again."""
    seq = committed(player.shard)
    player.shard.run("suspend", (HEAD, WALLET), SuspendArgs(1, NONCE, "", b"r" * 16, 0))
    run = evict_idle(player.shard, seq)
    assert run.reply == ["KEPT"]
    run.changed_nothing()


def test_a_wallet_that_is_not_there(player):
    """Two sweeps, or a key that has gone since it was found: nothing happens, and the mark stays where it is."""
    seq = committed(player.shard)
    evict_idle(player.shard, seq)
    run = evict_idle(player.shard, seq)
    assert run.reply == ["KEPT"]
    run.changed_nothing()


def test_evicted_up_to_never_falls(player):
    """An older wallet goes after a newer one."""
    lee = Player(player.shard, "lee").opened()
    seq = committed(player.shard)
    evict_idle(player.shard, seq, wallet=keys.wallet(SHARD, 1, lee.user_id))
    evict_idle(player.shard, seq)
    assert player.shard.client.hget(HEAD, "evicted") == str(seq).encode()


def test_other_loads_are_not_refused(player):
    """The mark is the idle wallet's own last seq: a load that read SQL after that is as good as before."""
    last = seq_of(player.shard)
    Player(player.shard, "lee").opened()
    seq = committed(player.shard)
    evict_idle(player.shard, seq)
    assert player.shard.client.hget(HEAD, "evicted") == str(last).encode()


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_load_that_began_before_its_last_entry_is_refused(player, name):
    """OUTDATED: it would bring an older state back."""
    seq = committed(player.shard)
    evict_idle(player.shard, seq)
    names, argv, *_ = installs(player.shard, seq=seq - 1)[name]
    run = player.shard.run(name, names, argv)
    assert run.reply == ["OUTDATED", str(seq)]
    run.changed_nothing()
    names, argv, *_ = installs(player.shard, seq=seq)[name]
    assert player.shard.run(name, names, argv).reply == ["OK"]


def test_it_comes_back_and_knows_everything(player):
    """Balance, session, open bet, and the events of before, also over the end of a period."""
    shard, ledger = player.shard, Ledger(player.shard)
    deposit = player.event(Kind.DEPOSIT, amount=50)
    shard.send(deposit).ok()
    bet = player.bet(b1=3_000).ok().event
    ledger.read()
    evict_idle(shard, committed(shard))
    shard.end_period()
    player.result(b1=(3_000, 5)).answered("MISS")
    for command in ledger.installation("kim"):
        assert shard.client.execute_command(*command) == [b"OK"]
    shard.send(deposit).duplicate("R0")
    ledger.agrees_about(bet)
    step = player.result(b1=(3_000, 2_850)).ok()
    assert step.reply[4] == str(10_000 + 50 + 2_850)


def test_a_full_server_lets_go(player, real):
    """That is when it matters: nothing of it needs memory that is not there."""
    shard = player.shard
    round_ = player.bet(b1=3_000).ok().round
    seq = committed(shard)
    shard.client.config_set("maxmemory", 1)
    assert expire(shard, round_).reply == ["OK"]
    assert evict_idle(shard, seq).reply == ["OK"]
    assert shard.client.hget(HEAD, "evicted") == str(seq).encode()


def test_an_open_round_gets_a_time_to_live(player):
    """Once: a second sweep does not lengthen it."""
    round_ = player.bet(b1=3_000).ok().round
    run = expire(player.shard, round_)
    assert run.reply == ["OK"]
    assert_same(run.after, {**run.before, round_: Kept(run.before[round_].value, 2 * HOUR)})
    run = expire(player.shard, round_, 9 * HOUR)
    assert run.reply == ["KEPT"]
    run.changed_nothing()


def test_a_closed_round_keeps_its_own(player):
    """One hot window after its last write."""
    player.settled()
    round_ = player.change(b1=(3_000, 2_850, 0)).ok().round
    run = expire(player.shard, round_)
    assert run.reply == ["KEPT"]
    run.changed_nothing()


@pytest.mark.parametrize("write", ["bet", "result", "cancel"])
def test_a_write_takes_the_time_to_live_away(player, write):
    """While a bet of it is open; else it is one hot window again."""
    shard = player.shard
    round_ = player.bet(b1=3_000, b2=100).ok().round
    expire(shard, round_)
    step = {
        "bet": lambda: player.bet(b3=5),
        "result": lambda: player.result(b1=(3_000, 5)),
        "cancel": lambda: player.cancel(b2=100),
    }[write]()
    step.ok()
    assert shard.client.pttl(round_) == -1
    expire(shard, round_)
    player.result(player.unseen(), **{f"b{n}": (stake, 0) for n, stake in _open(shard, round_).items()}).ok()
    assert HOUR - 10_000 < shard.client.pttl(round_) <= HOUR


def _open(shard, round_: str) -> dict[str, int]:
    """Stakes of the open bets."""
    texts = shard.client.hgetall(round_)
    return {index.decode(): int(text.split()[1]) for index, text in texts.items() if text.startswith(b"O")}


def test_a_round_comes_back_in_part(player):
    """After it has gone SQL is asked, and the count is that of the open bets which are there."""
    shard = player.shard
    round_ = player.bet(b1=3_000, b2=100).ok().round
    expire(shard, round_, 1)
    time.sleep(0.005)
    player.result(b1=(3_000, 5)).answered("COLD", seq_of(shard))
    player.cancel(b2=100).answered("COLD", seq_of(shard))
    player.change(b1=(3_000, 5, 6)).answered("COLD", seq_of(shard))
    player.bet(b3=7).ok()
    assert shard.client.hgetall(round_) == {b"": b"1", b"3": b"O 7"}
    player.result(player.unseen(b1="O 3000"), b1=(3_000, 5)).ok()
    assert shard.client.hgetall(round_) == {b"": b"1", b"3": b"O 7", b"1": b"S 3000 5 5"}
    player.result(player.unseen(b2="O 100"), b2=(100, 0), b3=(7, 0)).ok()
    assert shard.client.hget(round_, "") == b"0"
    assert 0 < shard.client.pttl(round_) <= HOUR


def test_a_new_epoch_has_nothing_to_let_go(player):
    """What is left of the old one is fenced."""
    seq = committed(player.shard)
    player.shard.open(2, seq)
    run = evict_idle(player.shard, seq)
    assert run.reply == ["FENCED", "2"]
    run.changed_nothing()
