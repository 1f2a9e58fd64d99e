"""The EXAMPLE in the header of each script, executed: the reply and the fields that it names."""

from __future__ import annotations

import re

import pytest

from seamless_wallet.commands import Kind
from seamless_wallet.engine import keys
from seamless_wallet.engine.arguments import (
    EvictArgs,
    EvictIdleArgs,
    ExpireRoundArgs,
    ForgetRoundArgs,
    InstallArgs,
    InstallEventsArgs,
    InstallRoundArgs,
    SuspendArgs,
)
from seamless_wallet.engine.scripts import load_scripts
from seamless_wallet.ledger.fold import Session, Wallet
from seamless_wallet.wallet.loader import wallet_fields
from tests.lua.driver import NONCE, SHARD, Player, Shard
from tests.lua.expect import Run

_FIELD = re.compile(r'^(?:([a-z_]+) )?(\S+) = "?(.*?)"?$')


def holds(name: str, run: Run, key_names: tuple[str, ...], **meaning: str) -> None:
    """Compare a run with what its header says after the arrow. `meaning` replaces words that stand for something."""
    contract = load_scripts()[name].contract
    reply, *fields = (part.strip() for part in contract.example.split("→")[1].split(", "))
    assert run.reply == [meaning.get(word, word) for word in reply.split()]
    by_meaning = dict(zip(contract.keys, key_names, strict=True))
    key = ""
    for field in fields:
        match = _FIELD.match(field)
        assert match, f"{name}: {field}"
        key = match[1] or key
        wanted = {'""': ""}.get(match[2], match[2])
        kept = run.after[by_meaning[key]].value
        assert kept[meaning.get(wanted, wanted)] == meaning.get(match[3], match[3]), field


class Scene:
    """A wallet brought from SQL into a shard that stands at some seq."""

    def __init__(self, shard: Shard, seq: int, balance: int, *, now_ms: int = 5_000) -> None:
        self.shard = shard
        shard.now_ms = now_ms
        shard.open(1, seq)
        wallet = Wallet("kim", "KRW", "active", 3, seq, balance, 0, {"dowinn": Session(5_000, 5_000)})
        self._wallet = [word for pair in wallet_fields(wallet) for word in pair]

    def round(self, event_of: Player, **bets: str) -> None:
        """Bets of the player's round G1."""
        names = event_of.event(Kind.CANCEL, b1=0).keys(1, 0)
        opened = sum(bet.startswith("O") for bet in bets.values())
        args = InstallRoundArgs(1, 0, 0, self.shard.window_ms, opened)
        flat = [word for index, bet in bets.items() for word in (index.removeprefix("b"), bet)]
        self.shard.run("install_round", (names[0], names[1], names[5]), (*args, *flat))

    def send(self, kind: Kind, bets: dict[str, str] | None = None, **fields: object) -> None:
        """Install the rest, send the event, and compare."""
        player = Player(self.shard)
        if bets:
            self.round(player, **bets)
        names = (keys.head(SHARD), keys.wallet(SHARD, 1, "kim"))
        self.shard.run("install", names, (*InstallArgs(1, 0, 0), *self._wallet))
        event = player.event(kind, **fields)
        step = self.shard.send(event)
        holds(event.script.name, step.run, event.keys(1, 0))


def test_example_of_login(vacant):
    """A session opens."""
    Scene(vacant, 6, 10_000).send(Kind.LOGIN)


def test_example_of_logout(vacant):
    """A session closes."""
    Scene(vacant, 7, 10_000).send(Kind.LOGOUT, at=6_000)


def test_example_of_bet(vacant):
    """Two stakes are taken."""
    Scene(vacant, 8, 10_000).send(Kind.BET, b1=3_000, b2=2_000)


def test_example_of_cancel(vacant):
    """A stake comes back."""
    Scene(vacant, 9, 5_000).send(Kind.CANCEL, {"b2": "O 2000"}, b2=2_000)


def test_example_of_result(vacant):
    """A bet wins."""
    Scene(vacant, 10, 7_000).send(Kind.RESULT, {"b1": "O 3000"}, b1=(3_000, 2_850))


def test_example_of_change(vacant):
    """A win becomes a loss, and a debt."""
    Scene(vacant, 11, 1_000).send(Kind.CHANGE, {"b1": "S 3000 2850 2850"}, b1=(3_000, 2_850, -3_000))


def test_example_of_status(vacant):
    """A player is blocked."""
    Scene(vacant, 12, 10_000).send(Kind.STATUS, status="blocked")


def test_example_of_transfer(vacant):
    """Money comes in."""
    Scene(vacant, 1, 0).send(Kind.DEPOSIT, amount=10_000)


def test_example_of_create(shard):
    """A player appears."""
    event = Player(shard).event(Kind.CREATE, currency="KRW")
    holds("create", shard.send(event).run, event.keys(1, 0))


def test_example_of_gate(vacant):
    """The first epoch opens."""
    holds("gate", vacant.open(1, 0), (keys.head(SHARD), keys.stream(SHARD, 1)))


def test_example_of_take_over(vacant):
    """A writer comes back."""
    vacant.open(3, 11)
    holds("take_over", vacant.take_over("b2"), (keys.head(SHARD),))


def test_example_of_confirm(vacant):
    """The watermark rises."""
    vacant.open(3, 11)
    Player(vacant).create().ok()
    holds("confirm", vacant.confirm(12, tail=1_000), (keys.head(SHARD), keys.stream(SHARD, 3)))


@pytest.fixture
def names():
    """Head and wallet."""
    return keys.head(SHARD), keys.wallet(SHARD, 1, "kim")


def test_example_of_install(shard, names):
    """A wallet is there."""
    wallet = Wallet("kim", "KRW", "active", 3, 7, 10_000, 0)
    flat = [word for pair in wallet_fields(wallet) for word in pair]
    holds("install", shard.run("install", names, (*InstallArgs(1, 0, 0), *flat)), names)


def test_example_of_install_round(shard, names):
    """A round is there."""
    names = (*names, keys.round_(SHARD, 1, bytes(16)))
    args = (*InstallRoundArgs(1, 0, 0, shard.window_ms, 1), "1", "O 3000")
    holds("install_round", shard.run("install_round", names, args), names)


def test_example_of_install_events(shard, names):
    """An event is known."""
    names = (*names, keys.events(SHARD, 1, "kim", 0))
    digest, record = "d" * 16, "f" * 16 + "R07"
    args = (*InstallEventsArgs(1, 0, 0, shard.window_ms), digest, record)
    holds("install_events", shard.run("install_events", names, args), names, digest=digest, record=record)


def test_example_of_suspend(vacant):
    """A wallet is taken out of use."""
    vacant.open(3, 11)
    player = Player(vacant)
    player.create().ok()
    names = keys.head(SHARD), keys.wallet(SHARD, 3, "kim")
    holds("suspend", vacant.run("suspend", names, SuspendArgs(3, NONCE, "", b"", 0)), names)


def test_example_of_forget_round(player):
    """A round is gone."""
    step = player.bet(b1=3_000).ok()
    names = keys.head(SHARD), keys.wallet(SHARD, 1, "kim"), step.round
    player.shard.run("suspend", names[:2], SuspendArgs(1, NONCE, "", b"", 0))
    holds("forget_round", player.shard.run("forget_round", names, ForgetRoundArgs(1, NONCE)), names)


def test_example_of_evict(player):
    """A suspended wallet goes, and its events with it."""
    names = player.event(Kind.LOGIN).keys(1, 0)[:4]
    player.shard.run("suspend", names[:2], SuspendArgs(1, NONCE, "", b"", 0))
    holds("evict", player.shard.run("evict", names, EvictArgs(1, NONCE, 12)), names)


def test_example_of_evict_idle(vacant):
    """An idle wallet goes, and SQL has more by now than its last entry."""
    vacant.open(1, 7)
    player = Player(vacant)
    player.create().ok()
    Player(vacant, "lee").opened(0)
    vacant.confirm(10)
    names = keys.head(SHARD), keys.wallet(SHARD, 1, "kim")
    holds("evict_idle", vacant.run("evict_idle", names, EvictIdleArgs(1, NONCE, 9)), names)


def test_example_of_expire_round(player):
    """An open round is going to expire."""
    names = keys.head(SHARD), player.bet(b1=3_000).ok().round
    holds("expire_round", player.shard.run("expire_round", names, ExpireRoundArgs(1, NONCE, 7_200_000)), names)
