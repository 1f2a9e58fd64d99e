"""What the wallet needs of the world around it, so that a test or a simulation can put another one in its place.

Time of day and randomness enter by the protocols below, Redis by those of `engine.ports`, SQL by those of
`ledger.ports`. For sleeping and for deadlines the event loop is the port: `asyncio.sleep`, `asyncio.timeout_at` and
`loop.time()` follow its clock, so on a loop of virtual time everything does. `tests/unit/test_ambient.py` finds
whoever goes past them.
"""

from __future__ import annotations

from typing import Protocol

from seamless_wallet.commands import Answer, Command, Policy


class Clock(Protocol):
    """Time, injected."""

    def now_ms(self) -> int:
        """Epoch milliseconds."""

    def monotonic_s(self) -> float:
        """Seconds of a clock that never goes back."""


class Randomness(Protocol):
    """Random values, injected."""

    def token(self, size: int) -> str:
        """`size` random bytes, in hexadecimal digits."""

    def random_bytes(self, size: int) -> bytes:
        """`size` random bytes, for a nonce."""

    def below(self, bound: int) -> int:
        """A number from 0 to `bound` - 1."""


class Moments(Protocol):
    """Where a call has been, for who tells its phases. Seconds of the monotonic clock; 0: it did not come to that."""

    sent_s: float
    """When the last script for it was sent to Redis."""

    answered_s: float
    """When Redis had answered that script."""


class WalletPort(Protocol):
    """The wallet, as the webhook and the back office use it."""

    async def apply(self, command: Command, policy: Policy, moments: Moments | None = None) -> Answer:
        """Decide one command; returns when what the answer rests on is committed. Sets `moments`.

        Expected outcomes are answers, never exceptions.
        """
