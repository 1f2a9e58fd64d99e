"""What a writer remembers of its last commits."""

from __future__ import annotations

from seamless_wallet.ledger.bets import Bet, BetState
from seamless_wallet.stores import known as module
from seamless_wallet.stores.known import KnownState

BETS = [(player, bytes(16), "1") for player in range(4)]
OPEN = Bet(BetState.OPEN, 100)


def test_only_bets_that_are_open_are_remembered():
    """What is over is forgotten, also if it was open before"""
    known = KnownState()
    known.remember({}, dict.fromkeys(BETS, OPEN))
    over = [Bet(BetState.SETTLED, 100, 5, 5), Bet(BetState.CANCELLED, 100), Bet(BetState.TOMBSTONE, 100)]
    known.remember({}, dict(zip(BETS, over, strict=False)))
    assert known.bets == {BETS[3]: OPEN}


def test_what_is_remembered_is_bounded(monkeypatch):
    """Past the bound all is forgotten but what the last commit left"""
    monkeypatch.setattr(module, "BETS_MAX", 1)
    known = KnownState()
    known.remember({}, dict.fromkeys(BETS[:2], OPEN))
    known.remember({}, {BETS[2]: OPEN})
    assert known.bets == {BETS[2]: OPEN}
