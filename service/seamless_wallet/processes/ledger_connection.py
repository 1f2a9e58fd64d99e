"""The connection of a process to the ledger."""

from __future__ import annotations

from seamless_wallet.engine.scripts import load_scripts
from seamless_wallet.ports import Clock
from seamless_wallet.settings import Settings
from seamless_wallet.stores.sqlite import SqliteLedger
from seamless_wallet.stores.sqlite.store import READERS


def open_ledger(settings: Settings, readers: int = READERS) -> SqliteLedger:
    """The ledger of these settings, read in so many threads: enter it.

    Raises StoreError if there is none, or if it contradicts the settings.
    """
    return SqliteLedger.open(settings.ledger_path, settings.shards, settings.currencies, readers=readers)


async def register_scripts(ledger: SqliteLedger, clock: Clock) -> None:
    """Have the ledger know this program's scripts. The writer loads into Redis what the ledger knows."""
    await ledger.register_scripts({script.sha: script.text for script in load_scripts().values()}, clock.now_ms())
