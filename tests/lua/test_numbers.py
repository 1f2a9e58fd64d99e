"""Amounts are exact up to 2^53 - 1, and nothing but a plain decimal integer is a number."""

from __future__ import annotations

import pytest
import redis

from seamless_wallet.commands import Kind, Policy
from seamless_wallet.engine import keys
from tests.lua.driver import MAX, NOW, SHARD
from tests.lua.scene import event_of

BAD = (
    *("", "-", "+1", "--1", " 1", "1 ", "1\n", "1\0", "1.0", "1.", ".5", "1e3", "1E3", "0x10", "inf", "-inf", "nan"),
    *("1_000", "1,000", "٣", "true", "123456789012345678", "000000000000000001"),
    *(str(MAX + 1), str(-MAX - 1), "99999999999999999"),
)
REFUSED = r"not an integer|out of range"
EXACT = (10**14 - 1, 10**14, 10**14 + 1, 10**15, 2**53 - 2, MAX)
ALL = "pending_max window_ms"
ARGUMENTS = {
    Kind.LOGIN: f"timestamp_ms now_ms {ALL}",
    Kind.LOGOUT: f"timestamp_ms now_ms {ALL}",
    Kind.BET: f"amount now_ms session_ms {ALL}",
    Kind.CANCEL: f"amount {ALL}",
    Kind.RESULT: f"amount winloss {ALL}",
    Kind.CHANGE: f"amount winloss winloss_before timestamp_ms changes_max change_tolerance_ms {ALL}",
    Kind.CREATE: ALL,
    Kind.DEPOSIT: f"amount {ALL}",
    Kind.WITHDRAW: f"amount {ALL}",
    Kind.STATUS: ALL,
}


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in Kind for name in ARGUMENTS[kind].split()])
def test_bad_number(scene, kind, name):
    """An error, and nothing changed (the driver compares): no exponents, hex, signs, blanks, 18 digits, 2^53."""
    for bad in BAD:
        with pytest.raises(redis.ResponseError, match=REFUSED):
            scene.shard.send(event_of(scene, kind), **{name: bad})


def test_bad_number_where_it_is_rarely_read(scene):
    """The grace after a logout, and the age of what SQL said."""
    with pytest.raises(redis.ResponseError, match="not an integer"):
        scene.shard.send(scene.event(Kind.CANCEL, b9=5), scene.unseen(), snapshot_seq="1e3")
    scene.logout(at=NOW + 1).ok()
    with pytest.raises(redis.ResponseError, match="not an integer"):
        scene.shard.send(scene.event(Kind.BET, b9=5), session_grace_ms="1e3")


@pytest.mark.parametrize("bad", ["", "1e3", "0x10", "nan", str(MAX + 1)])
@pytest.mark.parametrize("field", ["balance", "debt", "version"])
def test_bad_number_in_the_wallet(scene, field, bad):
    """What Redis holds is not believed, either."""
    scene.shard.client.hset(keys.wallet(SHARD, 1, scene.user_id), field, bad)
    with pytest.raises(redis.ResponseError, match=REFUSED):
        scene.bet(b4=5)


@pytest.mark.parametrize("bad", ["O", "O 1e3", "S 3000", "S 3000 5", "S 3000 5 5 1:2", "S 3000 5 5 1:2:x"])
def test_bad_number_in_a_bet(scene, bad):
    """Nor a bet that cannot be read."""
    event = scene.event(Kind.CHANGE, b1=(3_000, 100, 7))
    scene.shard.client.hset(event.keys(1, 0)[5], "1", bad)
    with pytest.raises(redis.ResponseError):
        scene.shard.send(event)


@pytest.mark.parametrize("bad", ["1 2", "1 2 x", "-1 2 0", ""])
@pytest.mark.parametrize("kind", [Kind.LOGIN, Kind.LOGOUT, Kind.BET])
def test_a_session_that_cannot_be_read(scene, kind, bad):
    """Is an error, not the absence of a session."""
    scene.shard.client.hset(keys.wallet(SHARD, 1, scene.user_id), "s:dowinn", bad)
    with pytest.raises(redis.ResponseError, match="not a session"):
        scene.shard.send(event_of(scene, kind))


@pytest.mark.parametrize("amount", EXACT)
def test_exact_amounts(newcomer, amount):
    """Printed digit by digit: never 1e+14."""
    newcomer.opened(0)
    newcomer.deposit(amount).done("deposit", balance=amount)
    newcomer.bet(b1=amount - 1, b2=1).done("bet", balance=0, effects="++", round_={"1": f"O {amount - 1}", "2": "O 1"})
    newcomer.cancel(b1=amount - 1).done(
        "cancel", balance=amount - 1, effects="+", round_={"1": f"C {amount - 1}", "2": "O 1"}
    )
    newcomer.result(b2=(1, -1)).ok()
    newcomer.withdraw(amount - 1).done("withdraw", balance=0)


@pytest.mark.parametrize("amount", EXACT)
def test_exact_debts_and_changes(newcomer, amount):
    """The same for winloss, changes and debts."""
    newcomer.opened(0)
    newcomer.bet(b1=0).ok()
    newcomer.result(b1=(0, amount)).done("result", balance=amount, effects="+", round_={"1": f"S 0 {amount} {amount}"})
    newcomer.withdraw(amount).ok()
    newcomer.change(b1=(0, amount, 0)).done(
        "change", balance=0, debt=amount, effects="+", round_={"1": f"S 0 0 {amount} {amount}:0:{NOW}"}
    )


@pytest.mark.parametrize("amount", EXACT)
def test_exact_losses(newcomer, amount):
    """And for what is lost."""
    newcomer.opened(amount)
    newcomer.bet(b1=amount).ok()
    newcomer.result(b1=(amount, -amount)).done(
        "result", balance=0, effects="+", round_={"1": f"S {amount} -{amount} -{amount}"}
    )


@pytest.mark.parametrize("version", EXACT)
def test_exact_versions(newcomer, version):
    """What only Redis reads, it prints itself, and just as exactly."""
    newcomer.opened(0)
    wallet = keys.wallet(SHARD, 1, newcomer.user_id)
    newcomer.shard.client.hset(wallet, "version", version - 1)
    newcomer.deposit(5).ok()
    assert newcomer.shard.client.hget(wallet, "version") == str(version).encode()


def test_minus_zero(player):
    """Is 0, wherever it would be printed."""
    player.shard.send(player.event(Kind.BET, b1=0), amount="-0").done(
        "bet", balance=10_000, effects="+", round_={"1": "O 0"}
    )
    player.shard.send(player.event(Kind.RESULT, b1=(0, 0)), winloss="-0").done(
        "result", balance=10_000, effects="+", round_={"1": "S 0 0 0"}
    )
    player.shard.send(player.event(Kind.CHANGE, b1=(0, 0, 0)), winloss="-0", winloss_before="-0").done(
        "change", balance=10_000, effects="+", round_={"1": f"S 0 0 0 0:0:{NOW}"}
    )
    player.deposit(0).done("deposit", balance=10_000)


def test_overflow_of_the_balance(newcomer):
    """R1, not stored: it fits once there is room."""
    newcomer.opened(MAX - 1)
    deposit = newcomer.deposit(2).declined("R1", "overflow")
    newcomer.deposit(1).done("deposit", balance=MAX)
    newcomer.withdraw(2).ok()
    deposit.again().done("deposit", balance=MAX)


def test_overflow_of_the_balance_by_a_win_or_a_refund(newcomer):
    """R1; a winner's money waits for room."""
    newcomer.opened(MAX)
    newcomer.bet(b1=5, b2=5).ok()
    newcomer.deposit(5).ok()
    newcomer.result(b1=(5, 1)).declined("R1", "overflow")
    newcomer.result(b1=(5, 0)).done("result", balance=MAX, effects="+", round_={"1": "S 5 0 0", "2": "O 5"})
    newcomer.cancel(b2=5).declined("R1", "overflow")
    newcomer.change(b1=(5, 0, 1)).declined("R1", "overflow")


def test_overflow_of_a_debt(newcomer):
    """R1."""
    newcomer.indebted(debt=MAX)
    newcomer.bet(b1=0).ok()
    newcomer.result(b1=(0, 1)).ok()
    newcomer.shard.client.hset(keys.wallet(SHARD, 1, newcomer.user_id), "debt", MAX)
    newcomer.change(b1=(0, 1, 0)).declined("R1", "overflow")


def test_overflow_of_a_batch_of_bets(newcomer):
    """R3, before funds: it can never succeed as sent. At the limit it is only too much."""
    newcomer.opened(5)
    newcomer.bet(b1=MAX, b2=1).declined("R3", "overflow")
    newcomer.bet(b1=MAX - 1, b2=1).declined("R4", "funds", stored=True)


def test_overflow_of_a_batch_of_refunds(newcomer):
    """R3; each by itself comes back as far as there is room."""
    newcomer.opened(MAX)
    newcomer.bet(b1=MAX).ok()
    newcomer.deposit(MAX).ok()
    newcomer.bet(b2=MAX).ok()
    newcomer.cancel(b1=MAX, b2=MAX).declined("R3", "overflow")
    newcomer.cancel(b1=MAX).done("cancel", balance=MAX, effects="+", round_={"1": f"C {MAX}", "2": f"O {MAX}"})
    newcomer.cancel(b2=MAX).declined("R1", "overflow")


@pytest.mark.parametrize(
    "batch", [{"b1": (0, MAX), "b2": (1, 0)}, {"b2": (1, MAX)}, {"b1": (0, 1), "b2": (1, MAX - 1)}]
)
def test_overflow_of_a_batch_of_results(newcomer, batch):
    """R3, also beside an orphan: R3 is worse than R1."""
    newcomer.opened(1)
    newcomer.bet(b1=0, b2=1).ok()
    newcomer.result(**batch).declined("R3", "overflow")
    newcomer.result(newcomer.unseen(), **batch, b9=(0, 0)).declined("R3", "overflow")


@pytest.mark.parametrize("overdraw", ["debt", "reject"])
def test_overflow_of_a_batch_of_changes(newcomer, overdraw):
    """R3 up and down; opposite signs are netted."""
    newcomer.shard.policy = Policy(change_overdraw=overdraw)
    newcomer.opened(10)
    newcomer.bet(b1=0, b2=0, b3=0).ok()
    newcomer.result(b1=(0, 0), b2=(0, MAX - 20), b3=(0, 5)).ok()
    newcomer.change(b1=(0, 0, MAX), b3=(0, 5, 6)).declined("R3", "overflow")
    newcomer.change(b1=(0, 0, MAX), b2=(0, MAX - 20, 0)).declined("R1", "overflow")
    newcomer.change(b1=(0, 0, MAX - 20), b2=(0, MAX - 20, 0)).done(
        "change",
        balance=MAX - 5,
        effects="++",
        round_={
            "1": f"S 0 {MAX - 20} 0 0:{MAX - 20}:{NOW}",
            "2": f"S 0 0 {MAX - 20} {MAX - 20}:0:{NOW}",
            "3": "S 0 5 5",
        },
    )


@pytest.mark.parametrize("order", [("b1", "b2", "b3"), ("b1", "b3", "b2"), ("b3", "b1", "b2")])
def test_overflow_does_not_depend_on_the_order_of_items(newcomer, order):
    """What the items give is over the limit, what is left of it is not: R3, wherever the loss stands among them."""
    newcomer.opened(0)
    newcomer.bet(b1=0, b2=0, b3=0).ok()
    newcomer.result(b1=(0, 0), b2=(0, 0), b3=(0, 5)).ok()
    changes = {"b1": (0, 0, MAX), "b2": (0, 0, 1), "b3": (0, 5, 0)}
    newcomer.change(**{name: changes[name] for name in order}).declined("R3", "overflow")


@pytest.mark.parametrize("overdraw", ["debt", "reject"])
def test_overflow_of_a_loss(newcomer, overdraw):
    """From the greatest win to the greatest loss is R3 before there is a word about funds."""
    newcomer.shard.policy = Policy(change_overdraw=overdraw)
    newcomer.opened(MAX)
    newcomer.bet(b1=MAX).ok()
    newcomer.result(b1=(MAX, 0)).ok()
    newcomer.withdraw(MAX).ok()
    newcomer.change(b1=(MAX, 0, MAX)).ok()
    newcomer.change(b1=(MAX, MAX, -MAX)).declined("R3", "overflow")
