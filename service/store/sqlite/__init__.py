"""The ledger in one SQLite file: `init` makes it, `SqliteLedger.open` serves it."""

from service.store.sqlite.ledger import SqliteLedger
from service.store.sqlite.lifecycle import init

__all__ = ["SqliteLedger", "init"]
