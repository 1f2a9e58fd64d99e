"""The real clock and real randomness: `seamless_wallet.ports` from the operating system."""

from __future__ import annotations

import secrets
import time


class SystemClock:
    """The machine's clocks."""

    def now_ms(self) -> int:
        """Epoch milliseconds."""
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        """Seconds of a clock that never goes back."""
        return time.monotonic()


class SystemRandomness:
    """The operating system's randomness."""

    def token(self, size: int) -> str:
        """`size` random bytes, in hexadecimal digits."""
        return secrets.token_hex(size)

    def random_bytes(self, size: int) -> bytes:
        """`size` random bytes, for a nonce."""
        return secrets.token_bytes(size)

    def below(self, bound: int) -> int:
        """A number from 0 to `bound` - 1."""
        return secrets.randbelow(bound)
