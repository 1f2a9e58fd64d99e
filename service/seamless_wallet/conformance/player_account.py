"""One player's money as a case expects it to be. What sends events, and what answers them, is checked against it."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from seamless_wallet.conformance.case_errors import CaseFailed
from seamless_wallet.conformance.run_context import RunContext
from seamless_wallet.money import AmountError, format_minor, to_minor

_ADJUSTED_MAX: Final = 17
"""Decimal exponent of a balance's first digit beyond which it is not looked at: no amount is as large."""


class PlayerAccount:
    """`balance` is what the next answer must tell, in minor units; None for a player whom the wallet does not know."""

    def __init__(self, run: RunContext, user_id: str, balance: int | None) -> None:
        self.run = run
        self.user_id = user_id
        self.balance = balance
        self.currency = run.currency
        self.scale = run.scale
        self.fraction = Decimal(0)
        """What of a given player's balance is finer than the currency, in major units."""
        self.lost_answers = 0
        """How many events had to be sent again because their answers were lost."""

    def is_told_by(self, told: Decimal, minor: int) -> bool:
        """Whether a told balance, in major units, is this amount.

        If the balance had a fraction of a minor unit from the start: to within a minor unit.
        """
        unit = Decimal(1).scaleb(-self.scale)
        exact = minor * unit
        if not self.fraction:
            return told == exact
        return told.adjusted() <= _ADJUSTED_MAX and abs(told - exact - self.fraction) < unit

    def check_exact(self) -> None:
        """For a case that is about exact amounts. Raises CaseFailed if the balance was none from the start."""
        if self.fraction:
            raise CaseFailed(
                f"latest_balance of {self.user_id} is finer than {self.scale} digits, by {self.fraction}: "
                "correct the balance, or pass --scale"
            )

    @property
    def has(self) -> int:
        """The balance of a player whom the wallet knows. Raises CaseFailed for any other."""
        if self.balance is None:
            raise CaseFailed(f"{self.user_id} is unknown")
        return self.balance

    def major(self, minor: int) -> str:
        """An amount as people write it."""
        return format_minor(minor, self.scale)

    def balance_after(self, moves: int) -> str:
        """The balance that is due after a movement, for a message; nothing for an unknown player."""
        return "" if self.balance is None else f" with {self.major(self.balance + moves)}"


def whole_and_fraction(told: Decimal, scale: int) -> tuple[int, Decimal]:
    """Minor units of a told balance, and what of it is finer, in major units. Raises AmountError."""
    if told.adjusted() > _ADJUSTED_MAX:
        raise AmountError("over the cap")
    fraction = told % Decimal(1).scaleb(-scale)
    return to_minor(told - fraction, scale), fraction
