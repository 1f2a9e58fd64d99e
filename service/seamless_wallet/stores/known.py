"""What a writer's last commits left in SQL, so that the next one need not read it again.

Nothing is ever written from here: every wallet and bet is swapped over the very state that was remembered, and a swap
that misses drops it all. That something is absent is never remembered.
"""

from __future__ import annotations

from typing import Final

from seamless_wallet.ledger.bets import Bet, BetState
from seamless_wallet.stores.rows import StoredWallet

BetIdentity = tuple[int, bytes, str]
"""A bet for ever: player, round digest, bet_index."""

WALLETS_MAX: Final = 50_000
BETS_MAX: Final = 50_000
"""Past these all of them are forgotten; a few hundred bytes each."""

_OPEN: Final = BetState.OPEN


class KnownState:
    """Wallets, and bets that are open, as this writer committed them last. What is over is seldom named again."""

    def __init__(self) -> None:
        self.wallets: dict[str, StoredWallet] = {}
        self.bets: dict[BetIdentity, Bet] = {}

    def remember(self, wallets: dict[str, StoredWallet], bets: dict[BetIdentity, Bet]) -> None:
        """A commit has returned that left these."""
        if len(self.wallets) > WALLETS_MAX:
            self.wallets.clear()
        if len(self.bets) > BETS_MAX:
            self.bets.clear()
        self.wallets.update(wallets)
        for key, bet in bets.items():
            if bet.state is _OPEN:
                self.bets[key] = bet
            else:
                self.bets.pop(key, None)

    def forget(self) -> None:
        """The outcome of a commit is unknown, or SQL was found otherwise."""
        self.wallets.clear()
        self.bets.clear()
