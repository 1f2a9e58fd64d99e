"""SEMANTICS: rows 66 and 67, and the back office's deposits and withdrawals (rows 70 and 71, as far as scripts go)."""

from __future__ import annotations

import pytest

from seamless_wallet.commands import Policy
from tests.lua.driver import NOW


def settled_round(player, balance: int, *winlosses: int):
    """Bets of stake 0 in G1, settled so; then the balance is set."""
    items = {f"b{n}": 0 for n in range(1, len(winlosses) + 1)}
    player.bet(**items).ok()
    player.result(**{name: (0, winloss) for name, winloss in zip(items, winlosses, strict=True)}).ok()
    surplus = 10_000 + sum(winlosses) - balance
    (player.withdraw(surplus) if surplus > 0 else player.deposit(-surplus)).ok()


def changed_round(*changes: tuple[int, int]) -> dict[str, str]:
    """Bets of stake 0, each changed once (before, after)."""
    return {str(n): f"S 0 {after} {before} {before}:{after}:{NOW}" for n, (before, after) in enumerate(changes, 1)}


def test_row_66_takes_more_than_the_balance(player):
    """R0: what is there is taken, the rest is debt; the balance is never negative."""
    settled_round(player, 300, 1_000)
    player.change(b1=(0, 1_000, 0)).done("change", balance=0, debt=700, effects="+", round_=changed_round((1_000, 0)))


@pytest.mark.parametrize(("balance", "left", "debt"), [(1_000, 0, 0), (1_001, 1, 0), (999, 0, 1), (0, 0, 1_000)])
def test_row_66_at_the_edge(player, balance, left, debt):
    """Exactly the balance makes no debt."""
    settled_round(player, balance, 1_000)
    player.change(b1=(0, 1_000, 0)).done(
        "change", balance=left, debt=debt, effects="+", round_=changed_round((1_000, 0))
    )


def test_row_66_a_debt_grows(newcomer):
    """Another overdraw adds to it."""
    newcomer.indebted(debt=500)
    newcomer.bet(b1=0).ok()
    newcomer.result(b1=(0, 600)).done("result", balance=100, debt=0, effects="+", round_={"1": "S 0 600 600"})
    newcomer.withdraw(100).ok()
    newcomer.change(b1=(0, 600, 0)).done("change", balance=0, debt=600, effects="+", round_=changed_round((600, 0)))


def test_row_66_takes_from_the_balance_though_there_is_debt(newcomer):
    """All that is there is taken, whatever is owed already; the debt grows by the rest only."""
    newcomer.indebted(debt=500)
    newcomer.bet(b1=0).ok()
    newcomer.result(b1=(0, 900)).ok()
    newcomer.withdraw(400).ok()
    newcomer.change(b1=(0, 900, 400)).done("change", balance=0, debt=500, effects="+", round_=changed_round((900, 400)))
    newcomer.deposit(300).ok()
    newcomer.change(b1=(0, 400, 0)).done(
        "change", balance=0, debt=600, effects="+", round_={"1": f"S 0 0 900 900:400:{NOW} 400:0:{NOW}"}
    )


def test_row_66_refused(player):
    """(cfg reject) R4, nothing moves, not stored; with money there it applies."""
    player.shard.policy = Policy(change_overdraw="reject")
    settled_round(player, 300, 1_000)
    change = player.change(b1=(0, 1_000, 0)).declined("R4", "funds")
    player.deposit(700).ok()
    change.again().done("change", balance=0, effects="+", round_=changed_round((1_000, 0)))


def test_row_66_batch_is_netted_first(player):
    """One bet down, another up by as much: nobody owes anything, whatever the order."""
    settled_round(player, 0, 1_000, 0)
    player.change(b1=(0, 1_000, 0), b2=(0, 0, 1_000)).done(
        "change", balance=0, effects="++", round_=changed_round((1_000, 0), (0, 1_000))
    )


def test_row_66_batch_is_netted_before_it_is_refused(player):
    """(cfg reject) The net is what must be there."""
    player.shard.policy = Policy(change_overdraw="reject")
    settled_round(player, 100, 1_000, 0)
    player.change(b1=(0, 1_000, 0), b2=(0, 0, 900)).done(
        "change", balance=0, effects="++", round_=changed_round((1_000, 0), (0, 900))
    )


def test_row_67_a_change_up_pays_the_debt_first(newcomer):
    """Debt, then balance."""
    newcomer.indebted(debt=500)
    newcomer.bet(b1=0).ok()
    newcomer.result(b1=(0, 0)).ok()
    newcomer.change(b1=(0, 0, 800)).done("change", balance=300, debt=0, effects="+", round_=changed_round((0, 800)))


def test_row_67_batch_is_netted_first(newcomer):
    """Only the net of a change up pays."""
    newcomer.indebted(debt=500)
    newcomer.bet(b1=0, b2=0).ok()
    newcomer.result(b1=(0, 0), b2=(0, 0)).ok()
    newcomer.change(b1=(0, 0, 400)).ok()
    newcomer.change(b1=(0, 400, 100), b2=(0, 0, 350)).done(
        "change",
        balance=0,
        debt=50,
        effects="++",
        round_={"1": f"S 0 100 0 0:400:{NOW} 400:100:{NOW}", "2": f"S 0 350 0 0:350:{NOW}"},
    )


def test_row_67_a_deposit_does_not_pay(newcomer):
    """The debt stays."""
    newcomer.indebted(debt=500)
    newcomer.deposit(700).done("deposit", balance=700, debt=500)


def test_row_67_withdraw_at_most_balance_less_debt(newcomer):
    """One more is R4; not stored, so that the same key works once there is enough."""
    newcomer.indebted(debt=500, balance=700)
    refused = newcomer.withdraw(201).declined("R4", "funds")
    newcomer.withdraw(200).done("withdraw", balance=500, debt=500)
    newcomer.withdraw(1).declined("R4", "funds")
    newcomer.deposit(201).ok()
    refused.again().done("withdraw", balance=500, debt=500)


def test_row_70_deposit(newcomer):
    """R0, without any session."""
    newcomer.create().ok()
    newcomer.deposit(700).done("deposit", balance=700)


def test_row_70_withdraw(player):
    """R0, down to nothing."""
    player.withdraw(10_000).done("withdraw", balance=0)


def test_row_70_same_key_other_body(player):
    """A conflict; the first stays."""
    player.deposit(5, transaction_id="key").ok()
    player.deposit(6, transaction_id="key").conflict()
    player.withdraw(5, transaction_id="key").conflict()


def test_row_70_while_blocked(player):
    """A deposit is allowed, a withdrawal is not: decided afresh once unblocked."""
    player.block().ok()
    player.deposit(700).done("deposit", balance=10_700)
    withdrawal = player.withdraw(1).declined("R1", "blocked")
    player.unblock().ok()
    withdrawal.again().done("withdraw", balance=10_699)


def test_row_71_withdraw_more_than_the_balance(player):
    """R4, nothing moves, not stored under the key."""
    refused = player.withdraw(10_001).declined("R4", "funds")
    player.deposit(1).ok()
    refused.again().done("withdraw", balance=0)
