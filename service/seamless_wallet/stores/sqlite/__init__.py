"""The ledger in one SQLite file: `init` makes it, `SqliteLedger.open` serves it.

Any number of processes read the file, and one writes: the holder of the lease. `store` is the asynchronous face,
`threads` where its calls run, `commit` the writer's transaction, `reads` the questions, `verification` the checks of
`wallet verify`, `setup` the beginning of a ledger, `database` a connection and its settings, `sql` the statements.
"""

from seamless_wallet.stores.sqlite.setup import init
from seamless_wallet.stores.sqlite.store import SqliteLedger

__all__ = ["SqliteLedger", "init"]
