"""The ledger in one SQLite file: `init` makes it, `SqliteLedger.open` serves it."""

from seamless_wallet.stores.sqlite.setup import init
from seamless_wallet.stores.sqlite.store import SqliteLedger

__all__ = ["SqliteLedger", "init"]
