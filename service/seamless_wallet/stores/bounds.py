"""How much is read of the past at a time, whatever the store."""

from __future__ import annotations

from typing import Final

DISORDER_MS: Final = 60_000
"""By how much an entry's received_ms may be older than that of one before it: workers' clocks and deadlines differ."""

LOAD_MAX: Final = 2_000
"""Events and bets of one load, each. What is older must then be asked for."""

LAST_CHARACTER: Final = "\U0010ffff"
"""No user_id that begins with a prefix comes after the prefix and this."""
