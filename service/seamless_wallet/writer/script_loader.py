"""The scripts that processes have registered in SQL, brought into Redis. Only the writer loads any."""

from __future__ import annotations

from typing import Final

from seamless_wallet.engine.pipeline import Pipeline
from seamless_wallet.ledger.ports import LedgerReader
from seamless_wallet.ports import Clock
from seamless_wallet.recovery import load_scripts_into

SCRIPTS_EVERY_S: Final = 0.5
"""How often newly registered scripts are looked for."""


class ScriptLoader:
    """Remembers what it has loaded since the last recovery."""

    def __init__(self, ledger: LedgerReader, pipeline: Pipeline, clock: Clock) -> None:
        self._ledger = ledger
        self._pipeline = pipeline
        self._clock = clock
        self._loaded: dict[str, None] = {}
        self._due_s = 0.0

    async def load_new(self) -> None:
        """Load what was registered since, if it is time to look. Raises RedisUnavailable or StoreError.

        What was loaded before is never loaded again here: if it is gone, so may be more, and a recovery is due.
        """
        if self._clock.monotonic_s() >= self._due_s:
            registered = await self._ledger.registered_scripts()
            missing = {sha: text for sha, text in registered.items() if sha not in self._loaded}
            await load_scripts_into(self._pipeline, missing)
            self._loaded.update(dict.fromkeys(registered))
            self._due_s = self._clock.monotonic_s() + SCRIPTS_EVERY_S

    async def load_all(self) -> None:
        """Load everything that is registered: after a recovery, and only then. Raises as `load_new`."""
        self._loaded.clear()
        self._due_s = 0.0
        await self.load_new()

    async def all_present(self) -> bool:
        """Whether the server still has what was loaded. Raises RedisUnavailable."""
        return not self._loaded or all(await self._pipeline.execute("SCRIPT", "EXISTS", *self._loaded))
