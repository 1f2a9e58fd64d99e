"""gate, take_over and confirm: epochs, writers, watermark, trimming, and the idempotency period."""

from __future__ import annotations

from itertools import chain

import pytest
import redis

from seamless_wallet.engine import keys
from seamless_wallet.engine.arguments import ConfirmArgs, ConfirmItem, GateArgs, TakeOverArgs
from seamless_wallet.engine.scripts import Argument, load_scripts
from tests.lua.driver import CHANNEL, HOUR, LEDGER, NONCE, NOW, PERIOD_SLACK_MS, SHARD, Player, coarse
from tests.lua.state import Kept, assert_same, changed

HEAD = keys.head(SHARD)


def head_of(epoch: int, seq: int, committed: int, period: int = 0, period_at: int = NOW, last: str = "") -> Kept:
    """A head, whole; `last` is the gate's token unless given."""
    numbers = {"epoch": epoch, "seq": seq, "committed": committed, "period": period, "period_at": coarse(period_at)}
    texts = {"ledger": LEDGER, "nonce": NONCE, "last": last or f"gate.{epoch}", "evicted": "0"}
    return Kept({**{name: str(number) for name, number in numbers.items()}, **texts}, None)


def mark(epoch: int, seq: int) -> Kept:
    """A stream with nothing but the mark of its gate."""
    return Kept([(f"{epoch}-{seq}", {"gate": "1"})], None)


@pytest.mark.parametrize(("epoch", "seq"), [(1, 0), (7, 123)])
def test_gate_on_an_empty_server(vacant, epoch, seq):
    """The head, and a mark at the last seq, below which Redis itself refuses entries."""
    run = vacant.open(epoch, seq)
    assert run.reply == ["OK", "0"]
    assert_same(run.after, {HEAD: head_of(epoch, seq, seq), keys.stream(SHARD, epoch): mark(epoch, seq)})


def test_gate_over_a_lower_epoch(player):
    """A new head; the period stays and starts anew; what the old epoch left stays for the cleaning."""
    shard = player.shard
    shard.wait(HOUR)
    shard.confirm(2)
    shard.wait(5)
    run = shard.open(3, 2)
    assert run.reply == ["OK", "1"]
    expected = {**run.before, HEAD: head_of(3, 2, 2, 1, NOW + HOUR + 5), keys.stream(SHARD, 3): mark(3, 2)}
    assert_same(run.after, expected)


@pytest.mark.parametrize("epoch", [1, 4, 5])
def test_gate_is_for_higher_epochs_only(vacant, epoch):
    """STALE with the epoch that is there, nothing changed: an opening may be repeated."""
    vacant.open(5, 9)
    run = vacant.open(epoch, 9)
    assert run.reply == ["STALE", "5"]
    run.changed_nothing()


def test_gate_compares_numbers(vacant):
    """10 is more than 9."""
    vacant.open(9)
    assert vacant.open(10).reply == ["OK", "0"]
    assert vacant.open(9).reply == ["STALE", "10"]


def test_gate_of_another_ledger(shard):
    """FOREIGN with its UUID, nothing changed, whatever the epoch."""
    names = (HEAD, keys.stream(SHARD, 2))
    run = shard.run("gate", names, GateArgs(2, 0, "another", NONCE, "", "gate.2"))
    assert run.reply == ["FOREIGN", LEDGER]
    run.changed_nothing()


def test_gate_over_entries_left_behind(player):
    """The head is lost, its stream is not: an error, nothing changed. The caller takes a higher epoch."""
    player.shard.client.delete(HEAD)
    with pytest.raises(redis.ResponseError, match="equal or smaller"):
        player.shard.open(1, 0)
    assert player.shard.open(2, 0).reply == ["OK", "0"]


@pytest.mark.parametrize("bad", [(1, "-", LEDGER), ("1e3", 0, LEDGER)])
def test_gate_bad_numbers(vacant, bad):
    """An error, nothing changed."""
    with pytest.raises(redis.ResponseError):
        vacant.run("gate", (HEAD, keys.stream(SHARD, 1)), (*bad, NONCE, "", "gate.1"))


@pytest.mark.parametrize(("ours", "judged"), [("b2", ""), ("b2", "c3")])
def test_gate_over_the_head_of_a_writer_that_was_not_judged(vacant, ours, judged):
    """FENCED with epoch and nonce, nothing changed: a writer that came meanwhile is looked at first."""
    vacant.open(1)
    names = (HEAD, keys.stream(SHARD, 2))
    run = vacant.run("gate", names, GateArgs(2, 0, LEDGER, ours, judged, "gate.2"))
    assert run.reply == ["FENCED", "1", NONCE]
    run.changed_nothing()
    run = vacant.run("gate", names, GateArgs(2, 0, LEDGER, ours, NONCE, "gate.2"))
    assert run.reply == ["OK", "0"]
    assert run.after[HEAD].value["nonce"] == ours


def test_gate_keeps_an_epoch_that_has_what_sql_lacks(player):
    """Its number stays in the head, whatever comes later, and no other number: what it has was acknowledged."""
    shard = player.shard
    assert "kept" not in shard.confirm(2).after[HEAD].value
    assert shard.open(3, 1).after[HEAD].value["kept"] == "1"
    assert shard.open(4, 1).after[HEAD].value["kept"] == "1"
    assert shard.open(5, 0).after[HEAD].value["kept"] == "1 4"


def test_gate_keeps_no_epoch_of_which_sql_has_all(player):
    """What is more was never acknowledged."""
    shard = player.shard
    shard.confirm(1)
    assert "kept" not in shard.open(2, 1).after[HEAD].value


def test_a_head_is_taken_over_as_it_is(player):
    """Nothing but the nonce changes; from then on the writer before confirms nothing."""
    shard = player.shard
    run = shard.take_over("b2")
    assert run.reply == ["OK"]
    head = run.before[HEAD]
    assert_same(run.after, {**run.before, HEAD: Kept({**head.value, "nonce": "b2"}, None)})
    late = shard.confirm(3)
    assert late.reply == ["FENCED", "1", "b2"]
    late.changed_nothing()
    assert shard.confirm(3, nonce="b2").reply == ["OK", "3"]


@pytest.mark.parametrize(("epoch", "judged"), [(2, NONCE), (1, "c3"), (1, "")])
def test_a_head_is_taken_over_only_from_the_writer_that_was_judged(player, epoch, judged):
    """FENCED with epoch and nonce, nothing changed."""
    run = player.shard.run("take_over", (HEAD,), TakeOverArgs(epoch, "b2", judged))
    assert run.reply == ["FENCED", "1", NONCE]
    run.changed_nothing()


def test_each_entry_names_the_one_before_it(player):
    """By its token; the first one of an epoch names that of the gate."""
    entries = player.shard.entries()
    assert [entry.before for entry in entries] == ["gate.1", *(entry.token for entry in entries[:-1])]
    assert player.shard.client.hget(HEAD, "last").decode() == entries[-1].token


def test_confirm_tells_what_is_committed(player):
    """One message with nonce, shard, epoch, seq and tokens; a fenced writer tells nothing."""
    with player.shard.client.pubsub() as heard:
        heard.subscribe(CHANNEL)
        assert heard.get_message(timeout=5)["type"] == "subscribe"
        player.shard.confirm(1, 1_000, "w.1", "w.2", nonce="b2")
        player.shard.confirm(2, 1_000, "w.1", "w.2")
        assert heard.get_message(timeout=5)["data"] == f"{NONCE}\n{SHARD} 1 2 w.1 w.2".encode()
        player.shard.confirm(2)
        assert heard.get_message(timeout=5)["data"] == f"{NONCE}\n{SHARD} 1 2 ".encode()


def test_confirm_raises_the_watermark(player):
    """Replies with the last seq; nothing else changes."""
    run = player.shard.confirm(2)
    assert run.reply == ["OK", "3"]
    assert_same(run.after, {**run.before, HEAD: head_of(1, 3, 2, last=run.before[HEAD].value["last"])})


@pytest.mark.parametrize("seq", [0, 1, 2])
def test_confirm_never_lowers_the_watermark(player, seq):
    """A late confirmation changes nothing."""
    player.shard.confirm(2)
    run = player.shard.confirm(seq)
    assert run.reply == ["OK", "3"]
    run.changed_nothing()


@pytest.mark.parametrize(("tail", "left"), [(0, [3]), (1, [2, 3]), (2, [1, 2, 3]), (9, [1, 2, 3])])
def test_confirm_trims(player, tail, left):
    """`tail` entries stay behind the watermark, and all that is not committed does."""
    player.shard.confirm(3, tail)
    assert [entry.seq for entry in player.shard.entries()] == left


def test_confirm_keeps_what_is_not_committed(player):
    """Only what SQL has may go."""
    player.shard.confirm(1, tail=0)
    assert [entry.seq for entry in player.shard.entries()] == [1, 2, 3]


def test_confirm_of_another_epoch(player):
    """FENCED with the epoch, nothing changed."""
    player.shard.epoch = 2
    run = player.shard.confirm(3)
    assert run.reply == ["FENCED", "1", NONCE]
    run.changed_nothing()


def test_confirm_without_a_head(vacant):
    """FENCED without one."""
    assert vacant.confirm(3).reply == ["FENCED", "", ""]


def test_confirm_of_several_shards(shard):
    """Each by itself, in one message: of one that is another's, or of another epoch, nothing is told or changed."""
    others = {number: (keys.head(number), keys.stream(number, 1)) for number in (4, 5, 6)}
    for head, stream in others.values():
        shard.client.execute_command(
            *load_scripts()["gate"].command((head, stream), GateArgs(1, 7, LEDGER, NONCE, "", "gate.1"))
        )
    shard.client.hset(keys.head(5), "nonce", "b2")
    items = [ConfirmItem(number, 2 if number == 6 else 1, 9, f"w.{number}") for number in (SHARD, *others)]
    names = (HEAD, keys.stream(SHARD, 1), *chain.from_iterable(others.values()))
    args: list[Argument] = [*ConfirmArgs(0, HOUR, NONCE, CHANNEL)]
    for item in items:
        args += item
    before = shard.dump()
    with shard.client.pubsub() as heard:
        heard.subscribe(CHANNEL)
        assert heard.get_message(timeout=5)["type"] == "subscribe"
        replies = shard.client.execute_command(*load_scripts()["confirm"].command(names, args))
        assert heard.get_message(timeout=5)["data"] == f"{NONCE}\n{SHARD} 1 9 w.{SHARD}\n4 1 9 w.4".encode()
    assert replies == [[b"OK", b"0"], [b"OK", b"7"], [b"FENCED", b"1", b"b2"], [b"FENCED", b"1", NONCE.encode()]]
    assert changed(before, shard.dump()) == {HEAD, keys.stream(SHARD, 1), *others[4]}
    watermarks = [shard.client.hget(keys.head(number), "committed") for number in (SHARD, *others)]
    assert watermarks == [b"9", b"9", b"7", b"7"]


@pytest.mark.parametrize("field", ["committed", "period", "period_at"])
def test_confirm_of_a_head_that_lacks_something(player, field):
    """An error, nothing changed: neither of this shard nor of one before it."""
    other = keys.head(4), keys.stream(4, 1)
    gate = GateArgs(1, 7, LEDGER, NONCE, "", "gate.1")
    player.shard.client.execute_command(*load_scripts()["gate"].command(other, gate))
    player.shard.client.hdel(other[0], field)
    args = [0, HOUR, NONCE, CHANNEL, *ConfirmItem(SHARD, 1, 3, ""), *ConfirmItem(4, 1, 7, "")]
    with pytest.raises(redis.ResponseError):
        player.shard.run("confirm", (HEAD, keys.stream(SHARD, 1), *other), args)


@pytest.mark.parametrize("position", [0, 1, 6, 10])
def test_confirm_bad_numbers(player, position):
    """An error, nothing changed: neither of this shard nor of one before it."""
    args = [0, HOUR, NONCE, CHANNEL, *(SHARD, 1, 3, ""), *(SHARD, 1, 3, "")]
    args[position] = "1e3"
    with pytest.raises(redis.ResponseError, match="not an integer"):
        player.shard.run("confirm", (HEAD, keys.stream(SHARD, 1)) * 2, args)


def test_period_advances_after_one_window(shard):
    """Not earlier; it counts from then."""
    early = PERIOD_SLACK_MS
    shard.wait(HOUR - early)
    assert_same(shard.confirm(0).after, {HEAD: head_of(1, 0, 0), keys.stream(SHARD, 1): mark(1, 0)})
    shard.wait(early)
    assert shard.confirm(0).after[HEAD] == head_of(1, 0, 0, 1, NOW + HOUR)
    shard.wait(HOUR - early)
    assert shard.confirm(0).after[HEAD] == head_of(1, 0, 0, 1, NOW + HOUR)


def test_period_advances_one_at_a_time(shard):
    """After a long silence only one: the previous period is still looked into."""
    shard.wait(5 * HOUR)
    assert shard.confirm(0).after[HEAD] == head_of(1, 0, 0, 1, NOW + 5 * HOUR)
    shard.confirm(0)
    assert shard.period == 1


def test_period_and_a_clock_set_back(shard):
    """It counts from the new time, so that a wrong clock does not stop it."""
    shard.wait(-HOUR)
    assert shard.confirm(0).after[HEAD] == head_of(1, 0, 0, 0, NOW - HOUR)
    shard.wait(HOUR)
    shard.confirm(0)
    assert shard.period == 1


def test_an_event_is_recognised_for_a_whole_window(player):
    """Decided in the last moment of a period: a duplicate until the second advance, which is a window away."""
    shard = player.shard
    bet = player.bet(b1=3_000).ok()
    declined = player.bet(b2=90_000).declined("R4", "funds", stored=True)
    shard.wait(HOUR)
    shard.confirm(0)
    assert shard.period == 1
    for _ in range(2):
        bet.again().duplicate("R0")
        declined.again().duplicate("R4")
        shard.wait(HOUR - PERIOD_SLACK_MS)
    assert shard.confirm(0).reply[0] == "OK"
    assert shard.period == 2
    bet.again().done("repeated", balance=7_000, effects="-")


def test_a_conflict_is_recognised_across_the_advance(player):
    """The previous period's fingerprints count."""
    player.bet(b1=3_000, transaction_id="x").ok()
    player.shard.wait(HOUR)
    player.shard.confirm(0)
    player.bet(b1=3_001, transaction_id="x").conflict()


def test_events_outlive_both_periods(player):
    """Two windows from the last event of the period (`done` compares); the old period's hash is not touched again."""
    shard = player.shard
    old = keys.events(SHARD, 1, player.user_id, 0)
    shard.wait(HOUR)
    shard.confirm(0)
    shard.client.pexpire(old, HOUR)
    step = player.deposit(5).done("deposit", balance=10_005)
    assert step.after[old].like(step.before[old])
    assert len(step.after[keys.events(SHARD, 1, player.user_id, 1)].value) == 1


def test_players_periods_are_their_own(shard):
    """One hash for each player."""
    for name in ("kim", "lee"):
        Player(shard, name).create().ok()
    assert all(shard.client.hlen(keys.events(SHARD, 1, name, 0)) == 1 for name in ("kim", "lee"))
