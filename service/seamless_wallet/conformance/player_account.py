"""One player's money as a case expects it to be. What sends events, and what answers them, is checked against it."""

from __future__ import annotations

from seamless_wallet.conformance.case_errors import CaseFailed
from seamless_wallet.conformance.run_context import RunContext
from seamless_wallet.money import format_minor


class PlayerAccount:
    """`balance` is what the next answer must tell, in minor units; None for a player whom the wallet does not know."""

    def __init__(self, run: RunContext, user_id: str, balance: int | None) -> None:
        self.run = run
        self.user_id = user_id
        self.balance = balance
        self.currency = run.currency
        self.scale = run.scale
        self.lost_answers = 0
        """How many events had to be sent again because their answers were lost."""

    @property
    def has(self) -> int:
        """The balance of a player whom the wallet knows."""
        if self.balance is None:
            raise CaseFailed(f"{self.user_id} is unknown")
        return self.balance

    def major(self, minor: int) -> str:
        """An amount as people write it."""
        return format_minor(minor, self.scale)

    def balance_after(self, moves: int) -> str:
        """The balance that is due after a movement, for a message; nothing for an unknown player."""
        return "" if self.balance is None else f" with {self.major(self.balance + moves)}"
