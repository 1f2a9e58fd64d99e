"""The header of each script says what its binding in Python says, and what the script does."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from seamless_wallet.commands import Kind
from seamless_wallet.engine import arguments, keys, replies
from seamless_wallet.engine.replies import Verdict
from seamless_wallet.engine.script_header import Contract
from seamless_wallet.engine.scripts import load_scripts
from tests.lua import test_examples
from tests.lua.driver import SHARD
from tests.lua.scene import one_of_each
from tests.lua.test_install import DIGEST, SCRIPTS, installs

EVENT_KEYS = ("head", "wallet", "events_now", "events_before", "stream")
ROUND_KEYS = (*EVENT_KEYS, "round")


class Binding(NamedTuple):
    """What Python believes of a script."""

    keys: tuple[str, ...]
    args: tuple[Any, ...]
    item: Any = None


E = arguments.EventArgs
BINDINGS = {
    "login": Binding(EVENT_KEYS, (E, arguments.LoginArgs)),
    "logout": Binding(EVENT_KEYS, (E,)),
    "create": Binding(EVENT_KEYS, (E,)),
    "status": Binding(EVENT_KEYS, (E, arguments.StatusArgs)),
    "transfer": Binding(EVENT_KEYS, (E, arguments.TransferArgs)),
    "bet": Binding(ROUND_KEYS, (E, arguments.BetArgs), arguments.AmountItem),
    "cancel": Binding(ROUND_KEYS, (E, arguments.CancelArgs), arguments.AmountItem),
    "result": Binding(ROUND_KEYS, (E,), arguments.ResultItem),
    "change": Binding(ROUND_KEYS, (E, arguments.ChangeArgs), arguments.ChangeItem),
    "install": Binding(("head", "wallet"), (arguments.InstallArgs,)),
    "install_events": Binding(("head", "wallet", "events_now"), (arguments.InstallEventsArgs,)),
    "install_round": Binding(("head", "wallet", "round"), (arguments.InstallRoundArgs,)),
    "suspend": Binding(("head", "wallet"), (arguments.SuspendArgs,)),
    "forget_round": Binding(("head", "wallet", "round"), (arguments.ForgetRoundArgs,)),
    "evict": Binding(("head", "wallet", "events_now", "events_before"), (arguments.EvictArgs,)),
    "evict_idle": Binding(("head", "wallet"), (arguments.EvictIdleArgs,)),
    "expire_round": Binding(("head", "round"), (arguments.ExpireRoundArgs,)),
    "gate": Binding(("head", "stream"), (arguments.GateArgs,)),
    "take_over": Binding(("head",), (arguments.TakeOverArgs,)),
    "confirm": Binding(("head", "stream"), (arguments.ConfirmArgs,), arguments.ConfirmItem),
}
PAIRS = {"install": ("field", "value"), "install_events": ("digest", "record"), "install_round": ("bet_index", "bet")}
"""Items that are pairs of strings, without a NamedTuple."""


def contract(name: str) -> Contract:
    """The header."""
    return load_scripts()[name].contract


def test_every_script_has_a_binding():
    """And every binding a script."""
    assert BINDINGS.keys() == load_scripts().keys()


@pytest.mark.parametrize("name", BINDINGS)
def test_arguments(name):
    """KEYS, ARGV and ITEMS in the order of the bindings."""
    binding, header = BINDINGS[name], contract(name)
    assert header.keys == binding.keys
    assert header.argv == tuple(field for args in binding.args for field in args._fields)
    assert header.items == (binding.item._fields if binding.item else PAIRS.get(name, ()))
    assert header.purpose
    assert set(header.writes) <= set(header.keys)


@pytest.mark.parametrize("name", BINDINGS)
def test_replies(name):
    """Words that Python knows; the verdict has the verdict's fields. (The driver compares every reply.)"""
    for shape in contract(name).returns.split("|"):
        first, *rest = shape.split()
        if first == "status":
            assert (first, *rest) == Verdict.__struct_fields__
        else:
            assert first in replies.ReplyStatus.__members__


def test_every_script_has_an_example_that_is_run():
    """By a test that is named after it."""
    for name in load_scripts():
        assert f"test_example_of_{name}" in vars(test_examples), name
        assert contract(name).example


def test_writes_are_what_is_written(scene):
    """The driver lets no script write more than its header says; this lets no header say more than is written."""
    shard = scene.shard
    for event in one_of_each(scene):
        shard.send(event).ok()
    shard.confirm(1, tail=0)
    shard.open(2)
    shard.take_over("b2")
    for name in SCRIPTS:
        names, argv, *_ = installs(shard, epoch=2)[name]
        shard.run(name, names, argv)
    head, wallet, *events = scene.event(Kind.LOGIN).keys(2, 0)[:4]
    round_ = keys.round_(SHARD, 2, DIGEST)
    shard.client.persist(round_)
    shard.run("expire_round", (head, round_), arguments.ExpireRoundArgs(2, "b2", 9_000))
    shard.client.hset(head, "evicted", "0")
    shard.client.hset(wallet, "seq", "1")
    shard.client.hset(head, "committed", "1")
    shard.run("evict_idle", (head, wallet), arguments.EvictIdleArgs(2, "b2", 1))
    shard.run("suspend", (head, wallet), arguments.SuspendArgs(2, "b2", "dowinn", b"", 0))
    shard.run("forget_round", (head, wallet, keys.round_(SHARD, 2, DIGEST)), arguments.ForgetRoundArgs(2, "b2"))
    shard.client.hset(events[1], "x", "y")
    shard.run("evict", (head, wallet, *events), arguments.EvictArgs(2, "b2", 9))
    assert shard.written == {name: set(contract(name).writes) for name in load_scripts()}
