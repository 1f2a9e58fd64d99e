"""What happened in a simulation: counted as it goes, summed up at the end."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Sequence
from typing import IO, Any, Final

import msgspec

from seamless_wallet.commands import Code, Command

MISMATCHES_SHOWN: Final = 10


class Mismatch(msgspec.Struct, frozen=True):
    """An answer, or a state at the end, that is not what it ought to be. `row` is that of the case table."""

    user_id: str
    what: str
    expected: str
    got: str
    transaction_id: str = ""
    row: str = ""


class SimulationReport:
    """The counts of one simulation. `acks`: a text file that gets a JSON line for each acknowledged event."""

    def __init__(self, acks: IO[str] | None = None) -> None:
        self.events: Counter[tuple[str, str]] = Counter()
        self.retries = 0
        self.unanswered = 0
        self.forgotten = 0
        self.rounds = 0
        self.not_compared = ""
        """Why balances were not compared with those that the back office shows."""
        self.mismatches: list[Mismatch] = []
        self.mismatch_count = 0
        self._latencies_s = array("d")
        self._acks = acks

    @property
    def disturbed(self) -> bool:
        """Whether an event had to be sent again: Redis may have been restarted, and have lost what only it knows."""
        return self.retries > 0

    def answered(self, event_type: str, code: Code, seconds: float) -> None:
        """An event was decided."""
        self.events[event_type, code.value] += 1
        self._latencies_s.append(seconds)

    def acknowledge(self, event_type: str, command: Command, balance: str) -> None:
        """Write down an R0 at once: whatever happens afterwards, the wallet has to keep what it says."""
        if self._acks is None:
            return
        line = {
            "user_id": command.user_id,
            "transaction_id": command.transaction_id,
            "event_type": event_type,
            "balance": balance,
        }
        self._acks.write(json.dumps(line) + "\n")
        self._acks.flush()

    def mismatch(self, mismatch: Mismatch) -> None:
        """Count what is wrong, and keep the first ten."""
        self.mismatch_count += 1
        if len(self.mismatches) < MISMATCHES_SHOWN:
            self.mismatches.append(mismatch)

    def summary(self, elapsed_s: float) -> dict[str, Any]:
        """Counts, and times in milliseconds."""
        ordered = sorted(self._latencies_s)
        by_type: dict[str, dict[str, int]] = {}
        for (event_type, code), count in sorted(self.events.items()):
            by_type.setdefault(event_type, {})[code] = count
        return {
            "rounds": self.rounds,
            "events": by_type,
            "event_count": self.events.total(),
            "retries": self.retries,
            "unanswered": self.unanswered,
            "forgotten_declines": self.forgotten,
            "not_compared": self.not_compared,
            "elapsed_s": round(elapsed_s, 3),
            "events_per_s": round(self.events.total() / elapsed_s, 1) if elapsed_s else 0.0,
            "latency_ms": {name: _at(ordered, share) for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))},
            "mismatch_count": self.mismatch_count,
            "mismatches": [msgspec.to_builtins(mismatch) for mismatch in self.mismatches],
        }


def _at(ordered: Sequence[float], share: float) -> float | None:
    """The value below which that share lies, in milliseconds."""
    if not ordered:
        return None
    return round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 2)
