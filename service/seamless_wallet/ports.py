"""What the wallet needs of the world around it, so that a test or a simulation can put another one in its place."""

from __future__ import annotations

from typing import Protocol

from seamless_wallet.commands import Answer, Command, Policy


class Clock(Protocol):
    """Time, injected."""

    def now_ms(self) -> int:
        """Epoch milliseconds."""

    def monotonic_s(self) -> float:
        """Seconds of a clock that never goes back."""


class WalletPort(Protocol):
    """The wallet, as its two doors see it: the webhook and the back office."""

    async def apply(self, command: Command, policy: Policy) -> Answer:
        """Decide one command; returns when what the answer rests on is committed.

        Expected outcomes are answers, never exceptions.
        """
