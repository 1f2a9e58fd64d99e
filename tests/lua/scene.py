"""A player for whom each kind of event has an effect, and those events: for what is true of all scripts."""

from __future__ import annotations

import pytest

from seamless_wallet.commands import Kind
from seamless_wallet.wallet.prepared_event import PreparedEvent
from tests.lua.driver import NOW, Player

FIELDS: dict[Kind, dict] = {
    Kind.LOGIN: {"at": NOW + 1},
    Kind.LOGOUT: {"at": NOW + 2},
    Kind.BET: {"b4": 5},
    Kind.CANCEL: {"b2": 100},
    Kind.RESULT: {"b3": (100, 5)},
    Kind.CHANGE: {"b1": (3_000, 100, 7), "at": NOW + 9},
    Kind.CREATE: {"currency": "KRW"},
    Kind.DEPOSIT: {"amount": 5},
    Kind.WITHDRAW: {"amount": 5},
    Kind.STATUS: {"status": "blocked"},
}


@pytest.fixture
def scene(player):
    """Bet 1 is settled and was changed, bets 2 and 3 are open."""
    player.settled()
    player.change(b1=(3_000, 2_850, 100)).ok()
    player.bet(b2=100, b3=100).ok()
    return player


def event_of(player: Player, kind: Kind, **fields: object) -> PreparedEvent:
    """An event of this kind that has an effect in the scene."""
    who = Player(player.shard, "lee") if kind is Kind.CREATE else player
    return who.event(kind, **{**FIELDS[kind], **fields})


def one_of_each(player: Player) -> list[PreparedEvent]:
    """One event of each kind."""
    return [event_of(player, kind) for kind in Kind]
